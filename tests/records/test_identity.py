"""Identities: what is in them, that they can grow, and that no record of old is lost."""

import json
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import pytest
from pydantic import Field

from ptuning.config import ADDED, NOT_HASHED, Hashed, Schema
from ptuning.methods.p_tuning_v2 import PTuningV2
from ptuning.records import configs
from ptuning.records.identity import hashed, hashed_id, identity, run_id, run_name
from ptuning.run import run
from ptuning.tasks.wic import WiC

COMMITTED = Path(__file__).parents[2] / "results/runs"
H200 = (
    Path(__file__).parent / "h200_runs.json"
)  # made at commit 21cb624: the values of their configs, and each by them


def h200_runs():
    stored = json.loads(H200.read_text())
    for name, places in stored["runs"].items():
        pairs = zip(stored["values"].items(), places, strict=True)
        yield name, {key: values[place] for (key, values), place in pairs}


def known_runs():
    """The file names and stored configs of records that were made by earlier code."""
    for file in COMMITTED.rglob("*.json"):
        record = json.loads(file.read_text())
        assert file.stem.endswith(record["id"])
        yield file.name, record["config"]
    yield from h200_runs()


def test_every_known_record_keeps_its_id_and_name(make_run):
    runtime = make_run().runtime
    known = list(known_runs())
    assert len(known) >= 154 + 112
    for name, stored in known:
        assert f"{run_name(configs.parse_run(stored, runtime))}.json" == name


@pytest.mark.parametrize(
    "overrides",
    [
        {"runtime__attention": "eager"}, {"runtime__device": "auto"}, {"runtime__tokens_per_pass": 3},
        {"runtime__wandb": "offline"}, {"runtime__save": True}, {"data__root": "/elsewhere"}, {"selection": "last"},
        {"task__bundled": "package"},
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_change_the_number_is_not_in_the_id(make_run, overrides):
    assert run_id(make_run(**overrides)) == run_id(make_run())


@pytest.mark.parametrize(
    "overrides",
    [
        {"seed": 9}, {"method": "prompt_tuning"}, {"task": "cb"}, {"prompt__length": 4}, {"prompt__layers": "1-2"},
        {"train__lr": 2e-2}, {"train__precision": "bf16"}, {"train__backbone_dropout": 0.1}, {"data__train_rows": 9},
        {"data__test_rows": 9}, {"backbone__pooler": "trained"}, {"task__max_length": 64},
    ],
    ids=str,
)  # fmt: skip
def test_what_can_change_the_number_is(make_run, overrides):
    assert run_id(make_run(**overrides)) != run_id(make_run())


def test_equal_settings_written_differently_are_one_run(make_run):
    assert run_id(make_run(prompt__dropout=0)) == run_id(make_run(prompt__dropout=0.0))


@pytest.mark.parametrize("method", ["p_tuning_v2", "fine_tuning"])
def test_whether_the_backbone_trains_counts_only_where_it_is_not_as_the_method_has_it(make_run, method):
    own = method == "fine_tuning"
    assert run_id(make_run(method, train__backbone=own)) == run_id(make_run(method))
    assert run_id(make_run(method, train__backbone=not own)) != run_id(make_run(method))


def hub(make_run, where, name="mine"):
    return run_id(make_run(backbone__source="hub", backbone__name=name, backbone__id=where))


def test_of_a_local_backbone_the_name_counts_and_not_the_path(make_run, tmp_path, monkeypatch):
    (tmp_path / "owner/model").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    paths = (str(tmp_path), "~/models/one", "./owner/model", "../model", "models/of/mine", r"C:\models")
    assert len({hub(make_run, path) for path in paths}) == 1
    ids = {hub(make_run, path) for path in (*paths, "owner/model", "model", "owner/Model.v1-2")}
    assert len(ids) == 4, "what has the form of a hub's id is one, whatever folders there are"
    assert hub(make_run, paths[0]) != hub(make_run, paths[0], name="other")


def test_a_new_record_keeps_its_identity(make_run):
    config = make_run()
    (record,) = run([config])
    assert json.loads(json.dumps(record["identity"])) == identity(config)
    assert hashed_id(record["identity"]) == record["id"]


# --- growing: what a field declares


class Before(Schema):
    lr: float
    kind: Literal["a", "b"]
    std: float


class Steps(Schema):
    eps: float = 1.0


class Grown(Schema):
    rate: Annotated[float, Hashed(key="lr")]
    kind: Annotated[Literal["alpha", "b"], Hashed(values={"alpha": "a"})]
    steps: Annotated[int | None, ADDED] = Field(default=None, ge=1)
    more: Annotated[Steps, ADDED] = Steps()
    note: Annotated[str, NOT_HASHED] = ""
    also_hashed: ClassVar = {"std": 0.5}


def test_a_schema_that_has_grown_has_the_same_identity_as_before():
    before = hashed(Before(lr=1, kind="a", std=0.5))
    assert hashed(Grown(rate=1, kind="alpha", note="any")) == before
    assert hashed(Grown(rate=1, kind="b", steps=2)) == before | {"kind": "b", "steps": 2}
    assert hashed(Grown(rate=1, kind="alpha", more=Steps(eps=2))) == before | {"more": {"eps": 2.0}}


def test_keys_can_stand_under_another_node():
    class Init(Schema):
        name: Annotated[str, ADDED] = "normal"
        std: Annotated[float, Hashed(key="init_std")]

    class Prompt(Schema):
        length: int
        init: Annotated[Init, Hashed(key="")]

    class Root(Schema):
        prompt: Prompt
        head: Annotated[Init, Hashed(key="prompt.head")]
        extra: Annotated[Init, Hashed(key="prompt")]

    normal, other = Init(std=1), Init(name="other", std=2)
    assert hashed(Prompt(length=3, init=normal)) == {"length": 3, "init_std": 1.0}
    found = hashed(Root(prompt=Prompt(length=3, init=normal), head=normal, extra=other))
    assert found == {"prompt": {"length": 3, "init_std": 2.0, "name": "other", "head": {"init_std": 1.0}}}


def test_a_methods_prompt_and_a_tasks_options_grow_where_they_are_defined(make_run, monkeypatch):
    wic = {"task": "wic", "task__options": {"template": 1}}
    before = run_id(make_run(**wic))

    class Prompt(PTuningV2.Prompt):
        gate: Annotated[bool, ADDED] = False

    monkeypatch.setattr(PTuningV2, "Prompt", Prompt)
    monkeypatch.setattr("ptuning.records.identity._IDS", {})
    assert run_id(make_run(**wic)) == run_id(make_run(**wic, prompt__gate=False)) == before
    assert run_id(make_run(**wic, prompt__gate=True)) != before
    original = WiC.__init__

    def grown(self, template: int = 1, words: Annotated[int, ADDED] = 1) -> None:
        original(self, template)

    monkeypatch.setattr(WiC, "__init__", grown)
    monkeypatch.setattr("ptuning.records.identity._IDS", {})
    with_words = [run_id(make_run(task="wic", task__options={"template": 1, "words": words})) for words in (1, 2)]
    assert with_words[0] == before != with_words[1]
