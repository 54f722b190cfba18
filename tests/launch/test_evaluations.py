"""From overrides to evaluations: which runs answer together, and what."""

import pytest

from ptuning.errors import InputError
from ptuning.launch import compose, evaluations
from ptuning.records.identity import run_id

RUNS = ["backbone=tiny_bert", "data=miniature", "task=cb,rte", "method=prompt_tuning"]
LABELS = "{not_equivalent:not_duplicate,equivalent:duplicate}"


def test_runs_that_differ_in_their_seed_alone_vote_together():
    asked = [*RUNS, "seed=1,2,3", "prompt.length=4,8"]
    found = evaluations.expand([*asked, "evaluate.rule=majority_vote"])
    assert [(one.task.name, len(one.prompts)) for one in found] == [("cb", 3), ("cb", 3), ("rte", 3), ("rte", 3)]
    runs = {run_id(run): run for run in compose.expand(asked)}
    for one in found:
        own = [runs[prompt.id] for prompt in one.prompts]
        assert {(run.task.name, run.prompt["length"]) for run in own} == {(one.task.name, own[0].prompt["length"])}
        assert [run.seed for run in own] == [1, 2, 3]
        assert one.head.name == "classification" and {prompt.step for prompt in one.prompts} == {"best"}
    assert evaluations.expand(asked) == []


def test_the_step_is_that_of_the_weights_that_are_saved():
    found = evaluations.expand([*RUNS, "selection=last", "evaluate.rule=single"])
    assert [prompt.step for one in found for prompt in one.prompts] == ["last", "last"]


def test_each_run_answers_each_target():
    found = evaluations.expand([
        "backbone=tiny_bert", "data=bundled", "task=qqp", "method=prompt_tuning", "seed=1,2", "evaluate.rule=single",
        "+task@evaluate.targets.mrpc.task=mrpc", f"+evaluate.targets.mrpc.labels={LABELS}", "+evaluate.targets.own={}",
        "+evaluate.targets.mrpc.data.dev_rows=7",
    ])  # fmt: skip
    assert [(one.task.name, one.data.dev_rows) for one in found] == [("mrpc", 7), ("qqp", None)] * 2
    assert found[0].data.source == "miniature" and found[0].labels["equivalent"] == "duplicate"


def test_wrong_ids_and_keys_are_refused(tmp_path):
    where = f"runtime.results={tmp_path}"
    with pytest.raises(InputError, match=r"evaluate.prompts=0123456789 is unknown: .* has no record with that id"):
        evaluations.expand([where, "evaluate.rule=single", 'evaluate.prompts=["0123456789"]'])
    with pytest.raises(InputError, match=r"task=cb is refused: evaluate.prompts says already which runs"):
        evaluations.expand([where, "task=cb", "evaluate.rule=single", 'evaluate.prompts=["0123456789"]'])
    with pytest.raises(
        InputError, match=r"evaluate.rules is not a key of this config: allowed here are prompts, rule"
    ):
        evaluations.expand(["+evaluate.rules=single"])
    with pytest.raises(InputError, match=r"rule=most is unknown: choose one of majority_vote, single"):
        evaluations.expand(["evaluate.rule=most"])


def test_a_target_is_asked_in_its_own_words():
    found = evaluations.expand([
        "backbone=tiny_bert", "data=miniature", "task=sst2", "head=verbalizer", "method=prompt_tuning",
        "evaluate.rule=single", "+task@evaluate.targets.rte.task=rte", "+head@evaluate.targets.rte.head=verbalizer",
        "+evaluate.targets.rte.head.pattern=ppt", "+evaluate.targets.own={}",
    ])  # fmt: skip
    assert [(one.task.name, one.head.name) for one in found] == [("rte", "verbalizer"), ("sst2", "verbalizer")]
    assert found[0].head.keys["template"] == found[0].task.templates["ppt"].text
    assert found[0].head.keys["words"] == {"not_entailment": "no", "entailment": "yes"}
    assert "sentence" in found[1].head.keys["template"]


def test_prompts_are_compared_with_those_of_their_backbone():
    asked = ["data=miniature", "task=cb,rte", "method=prompt_tuning", "backbone=tiny_bert,tiny_roberta"]
    found = evaluations.compared([*asked, "evaluate.similarity=500"])
    assert [(one.backbone.name, len(one.prompts)) for one in found] == [("tiny_bert", 2), ("tiny_roberta", 2)]
    runs = {run_id(run) for run in compose.expand(asked)}
    assert {prompt.id for one in found for prompt in one.prompts} == runs and found[0].prompts[0].step == 500
    assert evaluations.compared(asked) == [] == evaluations.expand([*asked, "evaluate.similarity=best"])
    with pytest.raises(InputError, match=r"evaluate.prompts"):
        evaluations.compared(["backbone=tiny_bert", "evaluate.similarity=best"])
