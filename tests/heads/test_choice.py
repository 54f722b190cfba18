"""The head is a choice of the run: found by its name, refused where it cannot answer the task, a part of the run's
identity where it is not the task's own."""

import json

import pytest
import torch

from ptuning import heads, registry, tasks
from ptuning.backbones import tiny
from ptuning.config import RunConfig
from ptuning.errors import InputError
from ptuning.launch import compose, rerun
from ptuning.parsed import Run
from ptuning.records import store
from ptuning.records.identity import identity, run_id
from ptuning.run import run
from ptuning.sweep.packing import packs
from tests.conftest import make_backbone
from tests.guards.support import on_mixture
from tests.training.test_lanes import lanes_of

OWN = {"rte": "classification", "copa": "choice", "wnut17": "token", "squad": "span"}
TWICE = """
from pydantic import Field

from ptuning import heads
from ptuning.config import Schema
from ptuning.heads.classification import Classification


class Twice(Classification):
    class Keys(Schema):
        times: float = Field(gt=0)

    also_answers = ("classification",)

    def __init__(self, context):
        super().__init__(context)
        self.times = heads.keys(context.config, type(self)).times

    def forward(self, hidden, real, dropout_mask=None):
        return self.times * super().forward(hidden, real, dropout_mask)
"""


@pytest.fixture
def twice(tmp_path, monkeypatch):
    """A head of one's own, which answers what `classification` does."""
    (tmp_path / "heads").mkdir()
    (tmp_path / "heads/twice.py").write_text(TWICE)
    monkeypatch.setattr(heads, "__path__", [*heads.__path__, str(tmp_path / "heads")])
    return {"name": "twice", "times": 2.0}


def test_each_head_has_a_file_of_conf():
    files = {file.stem for file in (compose.CONF / "head").glob("*.yaml")}
    assert files == {"auto", *registry.names("ptuning.heads")}


@pytest.mark.parametrize("task", OWN)
def test_auto_is_the_tasks_own_head_and_naming_that_is_the_same_run(make_run, task):
    auto, named = make_run(task=task), make_run(task=task, head=OWN[task])
    assert heads.of_run(auto, tasks.load(task)) is heads.of_run(named, tasks.load(task)) is heads.load(OWN[task])
    assert "head" not in identity(auto) and run_id(auto) == run_id(named)


def test_a_record_without_the_key_is_of_the_tasks_own_head(make_run):
    config = make_run(head="classification")
    kept = store.dump(config)
    del kept["head"]
    assert run_id(RunConfig.model_validate(kept | {"runtime": config.runtime})) == run_id(config)


def test_a_mixtures_sets_have_each_their_own_head(make_run):
    mixed, ner = {"a": "wnut17", "b": "rte"}, {"a": "wnut17", "b": "btc"}
    assert "head" not in identity(on_mixture(make_run(), mixed))
    assert run_id(on_mixture(make_run(), ner)) == run_id(on_mixture(make_run(head="token"), ner))
    with pytest.raises(
        InputError, match=r"head=token cannot answer task.name=rte: choose one of auto, classification"
    ):
        Run.parse(on_mixture(make_run(head="token"), mixed))


@pytest.mark.parametrize("head", sorted(OWN.values()))
@pytest.mark.parametrize("task", OWN)
def test_a_head_that_cannot_answer_a_task_is_refused(make_run, task, head):
    config = make_run(task=task, head=head)
    if head == OWN[task]:
        Run.parse(config)
        return
    others = [name for name in registry.names("ptuning.heads") if OWN[task] in heads.load(name).also_answers]
    fitting = ", ".join(["auto", *sorted([OWN[task], *others])])
    with pytest.raises(InputError, match=f"^head={head} cannot answer task.name={task}: choose one of {fitting}.$"):
        Run.parse(config)


def test_unknown_heads_and_keys_are_refused():
    with pytest.raises(InputError, match=r"^head=pool is unknown: choose one of auto, choice, classification, "):
        compose.expand(["head=pool"])
    with pytest.raises(InputError, match=r"^head.times is not a key of head=auto, which has none: remove it.$"):
        compose.expand(["+head.times=2"])
    (run,) = compose.expand(["task=rte", "head=classification", "backbone=tiny_bert", "data=miniature"])
    record = {"id": run_id(run), "config": store.dump(run)}
    assert "head=classification" in rerun.overrides(record)


def test_a_head_of_ones_own_is_a_run_of_its_own(make_run, twice):
    own, other = make_run(head=twice), make_run(head=twice | {"times": 3.0})
    assert identity(own)["head"] == {"name": "twice", "times": 2.0}
    assert len({run_id(config) for config in (make_run(), own, other)}) == 3
    with pytest.raises(InputError, match=r"^head.times=-1 is refused"):
        Run.parse(make_run(head=twice | {"times": -1}))
    with pytest.raises(InputError, match=r"^head.tiems is not a key .* allowed here are times"):
        Run.parse(make_run(head=twice | {"tiems": 1}))
    with pytest.raises(InputError, match=r"head=twice cannot answer task.name=copa"):
        Run.parse(make_run(task="copa", head=twice))
    with pytest.raises(InputError, match=r"head=span cannot .* choose one of auto, classification, twice"):
        Run.parse(make_run(head="span"))


def test_heads_and_poolers_share_passes_and_change_no_number(make_run, twice):
    """What each run gives beside the others is what it gives alone."""
    poolers = ("none", "trained", "random")
    configs = [make_run(backbone__pooler=pooler) for pooler in poolers]
    configs += [make_run(head=twice), make_run(task="wnut17", backbone__pooler="random")]
    assert len(packs([Run.parse(config) for config in configs])) == 1
    packed = run(configs)
    for config, record in zip(configs, packed, strict=True):
        (alone,) = run([config])
        assert _losses(record) == pytest.approx(_losses(alone), rel=1e-4)
        assert record["config"]["head"] == json.loads(json.dumps(config.head.model_dump()))
    assert len({_losses(record)[0] for record in packed}) == len(configs)


def _losses(record):
    return [line["loss"] for line in record["history"]]


def test_a_backbone_has_a_language_model_head_where_a_head_asks_for_it(make_run, twice, tmp_path, monkeypatch):
    monkeypatch.setattr(heads.load("twice"), "needs_language_model", True)
    configs = [make_run(), make_run(head=twice)]
    assert len(packs([Run.parse(config) for config in configs])) == 1
    backbone = make_backbone()
    lanes_of(configs[:1], backbone)
    assert backbone.lm_head is None
    lanes_of(configs, backbone)
    assert backbone.logits(torch.zeros(1, 2, backbone.hidden)).shape[:2] == (1, 2)
    assert not any(parameter.requires_grad for parameter in backbone.parameters())

    model, tokenizer = tiny.build("tiny_bert")
    model.save_pretrained(tmp_path / "mine")
    tokenizer.save_pretrained(tmp_path / "mine")
    source = {"backbone__source": "hub", "backbone__name": "mine", "backbone__id": str(tmp_path / "mine")}
    with pytest.raises(InputError, match="has no language-model head"):
        run([make_run(head=twice, **source)])
