"""From records to commands: the overrides are those that a person would write, and compose to the record's id."""

import copy
import shlex
from pathlib import Path

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from ptuning.errors import InputError
from ptuning.launch import compose, rerun
from ptuning.records import store
from ptuning.records.identity import PROTOCOL, run_id

RESULTS = Path(__file__).parents[2] / "results"
LOCAL = ["data=local", rerun.DATA_ROOT]
RTE = ["task=rte", "backbone=minilm_l6", "method=p_tuning_v2", "data=miniature"]
SPEAKS = ["task=rte", "backbone=tiny_bert", "method=p_tuning_v2", "data=miniature"]


def record_of(run):
    return {"id": run_id(run), "status": "finished", "config": store.dump(run), "history": []}


@pytest.mark.parametrize(
    "written",
    [
        RTE,
        ["task=boolq", "backbone=minilm_l3", "method=fine_tuning", "data=package", "train.clip=null", "seed=1"],
        ["task=wic", "backbone=tiny_bert", "method=prompt_tuning", *LOCAL, "task.options.template=0"],
        [*RTE, "prompt.layers=4-6", "train.lr=0.001", "train.patience=3", "selection=last"],
        [*RTE, "prompt.layers=[1,6]", "prompt.init.std=1e-05"],
        [*RTE, 'prompt.layers="5"'],
        [*RTE[:3], *LOCAL, 'data.files={train:a/b.jsonl,dev:"{folder}/c d.jsonl"}', "data.dev_rows=8"],
        [*RTE[:3], "data=hub", "data.revision=v1.0"],
        [*RTE[:3], "data=fewglue", rerun.DATA_ROOT],
        ["task=ewt", *RTE[1:], "~task.options.held_out"],
        ["task=cb", "backbone=hub", "backbone.id=org/some-model", "backbone.name=some_model", *RTE[2:]],
        ["task=cb", "backbone=hub", 'backbone.id="a=b, c"', "backbone.name=b", *RTE[2:], "backbone.pooler=trained"],
        [
            "task=rte",
            "backbone=hub",
            "backbone.id=minilm_l6",
            "backbone.name=my_own",
            *RTE[2:],
            "backbone.source=pypi",
        ],
        ["task=ner_open", *RTE[1:], "task.tasks.btc.max_length=128", "task.temperature=2.0"],
        ["task=btc", "backbone=minilm_l6", "method=mpt_2", *LOCAL],
        ["task=btc", *RTE[1:2], "method=mpt_2", *LOCAL, "mixtures.ner_open.cap=100", "sources.shared.train.epochs=9"],
        [*RTE[:3], "init=prompt", "+task@sources.cb.task=cb", *RTE[3:], "+sources.cb.train.epochs=5"],
        [
            "task=rte",
            *RTE[1:2],
            "method=prompt_tuning",
            "init=prompt",
            "+task@sources.ner_open.task=ner_open",
            *RTE[3:],
        ],
        [*RTE[:2], "method=prompt_tuning", "init=text", "data=miniature", 'prompt.init.text="Does it, or not?"'],
        [*RTE[:3], "init=activations", "data=miniature", "prompt.length=4", 'prompt.init.text="Does it, or not?"'],
        [*RTE[:3], "init=prompt", "data=miniature", "+sources.first.seed=3"],
        [*RTE[:3], "init=prompt", "data=miniature", "+sources.first={}"],
        [*RTE[:3], "init=prompt", "data=miniature", "+sources.first.id=0123456789"],
        [
            *RTE[:3],
            "init=prompt",
            "+task@sources.cb.task=cb",
            "data=miniature",
            "+sources.cb.seed=3",
            '+sources.cb.sources.a.id="1234567890"',
            "+sources.cb.sources.a.step=7",
        ],
        [*RTE, "+train.lrs.head=0.001"],
        [
            "task=rte",
            "backbone=bert_tiny_adapted",
            "method=p_tuning_v2",
            "data=miniature",
            "backbone.adaptation.steps=300",
        ],
    ],
    ids=lambda written: " ".join(written[:4]) + " …" + " ".join(written[4:]),
)
def test_the_overrides_are_the_ones_that_were_written(written):
    assert rerun.overrides(record_of(compose.read(compose.composed(written)))) == written


def test_defaults_and_what_never_counts_are_left_out():
    run = compose.read(compose.composed(["data=miniature", "task.bundled=package", "seed=11", "runtime.device=cpu"]))
    assert rerun.overrides(record_of(run)) == RTE


def test_another_mixture_than_the_task_names_is_a_source_like_any_other():
    run = compose.read(compose.composed(["task=btc", "method=mpt_2", "task.mixture=ner", "data=miniature"]))
    found = rerun.overrides(record_of(run))
    assert found[2:6] == ["method=p_tuning_v2", "init=prompt", "+task@sources.shared.task=ner", "data=miniature"]


def test_the_command_survives_the_shell():
    run = compose.read(compose.composed([*RTE[:3], *LOCAL, "prompt.layers=[1,6]"]))
    command = rerun.command(record_of(run))
    assert command.startswith("python -m experiments.run task=rte backbone=minilm_l6 method=p_tuning_v2 data=local ")
    assert "'data.root=\"<folder>\"'" in command
    assert shlex.split(command)[3:] == rerun.overrides(record_of(run))


def test_a_run_that_is_no_more_is_refused_in_one_sentence(monkeypatch):
    record = record_of(compose.read(compose.composed(RTE))) | {"git": {"commit": "0123456789abcdef"}}
    cannot = f"^record {record['id']} cannot be made again by today's code: "
    without = copy.deepcopy(record)
    del without["config"]["prompt"]["length"]
    with pytest.raises(InputError, match=rf"{cannot}prompt.length is not set.*check out commit 0123456789, which"):
        rerun.overrides(without)
    gone = copy.deepcopy(record)
    gone["config"]["task"]["name"] = "rte_of_old"
    with pytest.raises(InputError, match=f"{cannot}task=rte_of_old is unknown: choose one of boolq"):
        rerun.command(gone)
    monkeypatch.setattr("ptuning.records.identity.PROTOCOL", PROTOCOL + 1)
    with pytest.raises(InputError, match=f"{cannot}what comes closest has the id [0-9a-f]{{10}}, because"):
        rerun.overrides(record)


def id_as_hydra_applies(record, found):
    """The id that overrides give, with the config of their files composed once for all records that share them."""
    lead = rerun._group_choices(rerun._run_of(record))
    config = OmegaConf.create(rerun._composed(*lead)[1])
    OmegaConf.set_struct(config, True)
    ConfigLoaderImpl._apply_overrides_to_config(parsed(found[len(lead) :]), config)
    return run_id(compose.read(config))


def parsed(found):
    return OverridesParser.create().parse_overrides(found)


def test_every_committed_record_composes_back_to_its_own_id():
    """All by what they change in the config that their files compose, and one of each kind by composing the whole: of
    those with the same keys, and every run from a source, which is composed in."""
    kinds = {}
    for _, record in store.read_all(RESULTS):
        found = rerun.shortest(record)
        assert not any("{id:" in override for override in found), "a source as a whole"
        if record["config"].get("parent") is not None:
            kinds[record["id"]] = record
            continue
        assert id_as_hydra_applies(record, found) == record["id"], found
        kinds[record["config"]["method"], *(override.key_or_group for override in parsed(found))] = record
    assert kinds
    for record in kinds.values():
        assert rerun.overrides(record) == rerun.shortest(record)


@pytest.mark.parametrize(
    "written",
    [
        [*SPEAKS, "head=verbalizer", "head.pattern=pet"],
        [*SPEAKS, "head=verbalizer", "head.words={entailment:[Yes,'No, it is'],not_entailment:'1'}"],
        [
            *SPEAKS,
            "head=verbalizer",
            "head.words={}",
            r"head.template='\"{first}\", it\'s {second:bare,lower} | <mask>'",
        ],
        ["task=cb", "backbone=tiny_t5", "method=prompt_tuning", "paper=prompt_tuning", "train.steps=9"],
    ],
)
def test_templates_and_words_come_back(written):
    config = compose.read(compose.composed(written))
    again = rerun.shortest(record_of(config))
    assert run_id(compose.read(compose.composed(again))) == run_id(config)
    assert ("head.pattern=pet" in again) == ("head.pattern=pet" in written)
    assert not ({"head.pattern=pet"} & set(again) and any(one.startswith("head.template") for one in again))
