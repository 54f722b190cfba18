"""Values that are no sensible ones, of any key: refused in one sentence, without a traceback and without a hang."""

import shutil
from contextlib import nullcontext

import pytest

from ptuning.errors import InputError
from ptuning.launch import compose
from ptuning.prompts import depth
from ptuning.records import store
from ptuning.records.identity import run_id

TINY = ["backbone=tiny_bert", "data=miniature"]


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("train.lr=inf", r"^train.lr=inf is refused: input should be a finite number"),
        ("train.lr=nan", r"^train.lr=nan is refused: input should be a finite number"),
        ("train.lr=1e400", r"^train.lr=inf is refused"),
        ("+train.lrs.head=inf", r"^train.lrs.head=inf is refused"),
        ("prompt.init.std=inf", r"^prompt.init.std=inf is refused"),
        ("train.epochs=true", r"^train.epochs=True is refused: true and false are not allowed here"),
        ("seed=true", r"^seed=True is refused: true and false"),
        ("prompt.length=true", r"^prompt.length=True is refused: true and false"),
        ("prompt.layers=true", r"^prompt.layers=True is refused: true and false"),
        ("prompt.layers=[true]", r"^prompt.layers=\[True\] is refused: true and false"),
        ("prompt.layers=[]", r"^prompt.layers=\[\] is refused: write all, one layer \(5\), a range"),
        ("prompt.layers=3-1", r"^prompt.layers='3-1' is refused: write all"),
        ("prompt.layers=0", r"^prompt.layers=0 is refused: write all"),
        ("prompt.layers=deep", r"^prompt.layers='deep' is refused: write all"),
        ("runtime.keep_steps=[true]", r"^runtime.keep_steps=\[True\] is refused: true and false"),
        ("runtime.tokens_per_pass=-1", r"^runtime.tokens_per_pass"),
        ("runtime.tokens_per_pass=0", r"^runtime.tokens_per_pass"),
        ("seed=-1", r"^seed=-1 is refused: input should be greater than or equal to 0"),
        ("seed=4294967296", r"^seed=4294967296 is refused: input should be less than 4294967296"),
        ("seed=" + "9" * 30, r"^seed is refused: integers go up to"),
        ("seed=" + "9" * 5000, r"is not an override|is refused"),
        ("seed=range(1,1000000)", r"asks for more than 50000 runs, which is the limit of a sweep"),
        ("backbone.name=" + "x" * 300, r"^backbone.name='x+' is refused: string should have at most 100 characters"),
        ("+data.fils={train: a}", r"^data.fils is not a key of this config"),
        ("+train.epoch=3", r"^train.epoch is not a key of this config"),
        ("+prompt.lenght=3", r"^prompt.lenght is not a key of this config"),
        ("+prompt.init.stdd=3", r"^prompt.init.stdd is not a key of this config"),
        ("+runtime.foo=3", r"^runtime.foo is not a key of this config"),
        ("+head.foo=3", r"^head.foo is not a key of head=auto|^head.foo"),
        ("+task.foo=3", r"^task.foo is not a key of this config"),
        ("+task.options.foo=3", r"^task.options.foo is not an option of rte"),
        ("+sources.a.foo=3", r"^sources.a.foo is not a key of this config"),
        ("data.files={train: a}", r"data.files is read by data.source=local alone, and data.source=miniature ignores"),
        ("data.revision=abc", r"data.revision is read by data.source=hub alone|data.revision is not a config key"),
        ("+backbone.revision=v1", r"backbone.revision=v1 is of the hub alone, and a backbone that is from elsewhere"),
        ("+sweep.nonsense=3", r"^\+sweep.nonsense=3 is refused, since nothing reads it: remove it"),
        ("+shown.size=3", r"is refused, since nothing reads it: known there are color, label, line, marker"),
        ("+mixtures.qa.cap=3", r"^\+mixtures.qa.cap=3 is refused, since nothing reads it"),
        ("++sweep.rte=3", r"is refused, since nothing reads it"),
        ("shown={label: a}", r"^shown={label: a} is refused: shown is a group of keys, set one of them"),
        ("variant=mine", r"^variant=mine is unknown: choose one of .*fine_tuning, mpt_2"),
        ("variant=[1]", r"^variant=\[1\] is unknown"),
        ("train.lr=${oc.env:HOME}", r"^train.lr=.* is refused: values of the environment would be recorded"),
        ("+method=\x00", r"is not an override .*x00"), ("\x00=1", r"^'.x00=1' is not an override .its key"),
        ("~" + "x" * 300, r"^~x+... has a key of 300 characters"), ("x" * 300 + "=1", r"^x+... has a key of 300"),
        ("backbone=null", r"."),
        ("task=5", r"^task=5 is refused: Config group override must be a string, .* boolq"),
        ("data=[1]", r"."), ("method=true", r"."),
        ("=3", r"^'=3' is not an override .it has no key.: write key=value"),
        ("backbone.name=${oc.env:HOME}", r"is refused: values of the environment would be recorded"),
        ("+a=" + "[" * 500 + "]" * 500, r"nested 500 deep, and 30 levels are allowed"),
        ("task=\udcff", r"half a character"), ("+sede=3", r"^sede is not a config key"),
    ],
    ids=lambda one: ascii(one)[:40],
)  # fmt: skip
def test_it_is_refused_in_one_sentence(override, sentence):
    key = override.partition("=")[0]
    with pytest.raises(InputError, match=sentence) as refused:
        compose.expand([*(one for one in TINY if one.partition("=")[0] != key), override])
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("taken_out", ["~init", "~prompt", "~prompt.init", "~prompt.init.name"])
def test_an_init_without_its_place_is_refused(taken_out):
    with pytest.raises(InputError, match=r"^init=zero has no place: prompt.init is taken out") as refused:
        compose.expand([*TINY, taken_out, "init=zero"])
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("task", "option", "sentence"),
    [
        ("wic", "template=true", r"task.options.template=True is refused: input should be a valid integer"),
        ("wic", "template=1.0", r"task.options.template=1.0 is refused: input should be a valid integer"),
        ("squad_v2", "null_threshold=high", r"task.options.null_threshold='high' is refused: input should be a valid"),
        ("squad_v2", "null_threshold=inf", r"task.options.null_threshold=inf is refused"),
        ("squad", "stride=true", r"task.options.stride=True is refused"),
    ],
)  # fmt: skip
def test_an_option_of_another_type_is_refused(task, option, sentence):
    with pytest.raises(InputError, match=sentence):
        compose.expand([*TINY, f"task={task}", f"++task.options.{option}"])


def test_what_means_the_same_is_one_run(make_run):
    def ids(written):
        return {run_id(make_run(prompt__layers=one)) for one in written}

    alike = [[1, "1", "1-1", [1], [1, 1], " 1 "], ["2-4", [2, 3, 4], [4, 2, 3], "02-4"], [[1, 3], [3, 1, 1]], ["all"]]
    assert [len(ids(written)) for written in alike] == [1, 1, 1, 1]
    assert len({one for written in alike for one in ids(written)}) == 4
    squad = [make_run(task="squad_v2", task__options={"null_threshold": value}) for value in (1, 1.0)]
    assert run_id(squad[0]) == run_id(squad[1])


def test_a_place_may_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("RESULTS_OF_MINE", "/elsewhere")
    (run,) = compose.expand([*TINY, "runtime.results=${oc.env:RESULTS_OF_MINE}"])
    assert str(run.runtime.results) == "/elsewhere"
    (run,) = compose.expand([*TINY, "data=local", "data.root=${oc.env:RESULTS_OF_MINE}"])
    assert run.data.root == "/elsewhere", "which text follows"
    adapted = compose.expand(["backbone=bert_tiny_adapted", "task=cb", "text=${oc.env:RESULTS_OF_MINE}"])
    assert adapted[0].backbone.adaptation.text == "/elsewhere"
    assert "/elsewhere" not in str(store.dump(adapted[0]))


@pytest.mark.parametrize(
    "overrides",
    [
        ["profile=small", "+sweep.ablation_rows.rte=3"],
        ["profile=paper", "+sweep.ablation_rows.rte=3"],
        ["profile=small", "++sweep.budget.p_tuning_v2.minilm_l12.cb={epochs: 3, dev_rows: 5}"],
        ["profile=laptop", "sweep.rows.rte=3"],
    ],
)
def test_a_task_s_line_may_be_added_to_what_a_profile_says(overrides):
    assert compose.expand(["backbone=tiny_bert", *overrides])


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (
            ["backbone.name=${runtime.wandb_project}"],
            r"^backbone.name=\$\{runtime.wandb_project} is refused: it follows",
        ),
        (["train.precision=${data.root}"], r"^train.precision=.* follows runtime.wandb_project"),
    ],
)
def test_what_follows_the_environment_is_refused(overrides, sentence, monkeypatch):
    monkeypatch.setenv("SECRET_OF_MINE", "swordfish")
    with pytest.raises(InputError, match=sentence):
        compose.expand([*TINY, "data.root=${runtime.wandb_project}",
                        "runtime.wandb_project=${oc.env:SECRET_OF_MINE}", *overrides])  # fmt: skip
    assert compose.expand([*TINY, "profile=laptop", "runtime.device=${oc.env:NONE_OF_MINE,cpu}"])


def test_a_file_of_conf_has_no_variable_of_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("SECRET_OF_MINE", "swordfish")
    shutil.copytree(compose.CONF, tmp_path / "conf")
    monkeypatch.setattr(compose, "CONF", tmp_path / "conf")
    added = tmp_path / "conf/data/mine.yaml"
    for line, refused in (
        ("files: {train: '${oc.env:SECRET_OF_MINE}'}", r"^data.files.train=\$\{oc.env:SECRET_OF_MINE} is refused"),
        ("files: null\nroot: ${oc.env:SECRET_OF_MINE}", None),
    ):
        added.write_text(f"source: local\n{line}\n")
        with pytest.raises(InputError, match=refused) if refused else nullcontext():
            compose.expand(["backbone=tiny_bert", "data=mine"])


def test_a_range_is_checked_before_it_is_built():
    with pytest.raises(InputError, match=r"prompt.layers=1-400000000 is refused: the backbone has layers 1-4"):
        depth.layers("1-400000000", 4)
