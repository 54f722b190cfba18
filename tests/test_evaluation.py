"""Trained prompts answering without training: as an ensemble, and on another task."""

import json

import numpy as np
import pytest

from ptuning import evaluation
from ptuning.config import EvaluationConfig, parse
from ptuning.data import splits
from ptuning.data.sources import rows
from ptuning.errors import InputError
from ptuning.parsed import Run
from ptuning.predict import Answerer
from ptuning.records import store, weights
from ptuning.records.identity import run_id
from ptuning.run import prepare_backbone, run
from ptuning.training import predictions
from ptuning.training.adapter import AdapterBatch
from ptuning.training.budget import Budget
from ptuning.training.predictions import predict
from tests.conftest import MLP

LABELS = {"not_equivalent": "not_duplicate", "equivalent": "duplicate"}


def asked(configs, rule="majority_vote", head="classification", **overrides):
    values = configs[0].model_dump(include={"backbone", "task", "data", "runtime"})
    values |= {"head": head, "rule": rule, "prompts": [{"id": run_id(one), "step": "best"} for one in configs]}
    return parse(EvaluationConfig, values | overrides)


@pytest.fixture
def seeds(make_run):
    """Three saved runs of one task that differ in their seed, and in how they were trained."""
    configs = [
        make_run("p_tuning_v2", "cb", seed=seed, runtime__save=True, prompt__reparameterization=MLP)
        for seed in (1, 2, 3)
    ]
    run(configs)
    return configs


def alone(config, examples):
    """The logits of one saved prompt, by itself."""
    backbone = prepare_backbone(Run.parse(config))
    adapter = weights.load(weights.path(config), config, backbone)
    encoded = adapter.encode(examples)
    (found,) = predict(backbone, [AdapterBatch(adapter, encoded, np.arange(len(encoded)))], Budget(200))
    return np.stack(found)


def test_an_ensemble_equals_its_prompts_apart_voted_by_hand(seeds):
    config = asked(seeds)
    record = evaluation.evaluate(config)
    _, data = splits.load_for_run(config)
    gold = np.array([example.label for example in data.dev])
    said = np.stack([alone(one, data.dev).argmax(1) for one in seeds])
    voted = []
    for votes in said.T.tolist():
        most = max(votes.count(label) for label in votes)
        voted.append(next(label for label in votes if votes.count(label) == most))
    singles = [100 * (one == gold).mean() for one in said]
    assert (
        record["score"] == record["scores"]["dev"]["accuracy"] == pytest.approx(100 * (np.array(voted) == gold).mean())
    )
    assert record["scores"]["right"] == "".join(str(int(a == b)) for a, b in zip(voted, gold, strict=True))
    assert [one["scores"]["dev"]["accuracy"] for one in record["prompts"]] == pytest.approx(singles)
    assert record["mean"]["dev"]["accuracy"] == pytest.approx(np.mean(singles))
    assert record["best"]["dev"]["accuracy"] == pytest.approx(max(singles))
    assert singles == pytest.approx([store.find(one)["score"] for one in seeds]), "what the runs themselves report"
    assert store.find(config) == record == evaluation.finished(config)


def test_its_prompts_answer_in_one_pass(seeds, monkeypatch):
    """One call that has them all, and passes that hold rows of each."""
    held = []
    run_forward = predictions.forward

    def watched(backbone, parts):
        held.append(len({id(part.adapter) for part in parts}))
        return run_forward(backbone, parts)

    monkeypatch.setattr(predictions, "forward", watched)
    evaluation.evaluate(asked(seeds))
    assert held == [3]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("scores", "dev", "accuracy"), 1.0, "percent of right answers: it was edited"),
        (("score",), 1.0, "has the score 1.0"),
        (("mean", "dev", "accuracy"), 1.0, "has a mean that is not that of its prompts' scores"),
        (("best", "dev", "accuracy"), 1.0, "has a best that is not that of its prompts' scores"),
        (("prompts", 0, "scores", "dev", "accuracy"), 99.0, "has a mean that is not"),
        (("prompts", 0, "id"), "0123456789", "has other prompts than its config"),
        (("config", "rule"), "single", "and its config the id"),
    ],
)
def test_a_damaged_record_is_refused(seeds, path, value, said):
    config = asked(seeds)
    evaluation.evaluate(config)
    file = store.path(config)
    record = json.loads(file.read_text())
    node = record
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    file.write_text(json.dumps(record))
    with pytest.raises(InputError, match=said):
        store.find(config)


def test_zero_shot_equals_answering_the_other_task_with_the_saved_prompt(make_run):
    """MRPC answered by a prompt of QQP, whose rows are put to it as QQP's are."""
    source = make_run("prompt_tuning", "qqp", runtime__save=True)
    run([source])
    target = make_run(task="mrpc")
    config = asked([source], rule="single", task=target.task, data=target.data, labels=LABELS)
    record = evaluation.evaluate(config)
    task, data = splits.load_for_run(target)
    kept = splits.capped(rows(task, target.data)["dev"], target.data.dev_rows)
    found = [{"task": "qqp", "question1": row["sentence1"], "question2": row["sentence2"]} for _, row in kept]
    answers = Answerer([weights.path(source)], source.runtime).answer([("q", row) for row in found])
    right = [LABELS[task.labels[row["label"]]] == one["label"] for (_, row), (one,) in zip(kept, answers, strict=True)]
    assert record["scores"]["right"] == "".join(str(int(one)) for one in right)
    assert record["data"]["fingerprint"] == data.fingerprint
    assert record["scores"]["dev"]["accuracy"] == pytest.approx(100 * np.mean(right))


def test_a_run_that_changed_the_backbone_answers_alone(make_run):
    source = make_run("fine_tuning", "rte", runtime__save=True)
    (of_run,) = run([source])
    assert evaluation.evaluate(asked([source], rule="single"))["score"] == of_run["score"]
    other = make_run("fine_tuning", "rte", seed=2, runtime__save=True)
    run([other])
    with pytest.raises(InputError, match=r"fine_tuning, which changes the backbone: it cannot answer beside others"):
        evaluation.check(asked([source, other]))


def test_what_cannot_answer_is_refused_before_work(make_run, seeds):
    other = make_run("p_tuning_v2", "cb", task__max_length=64, runtime__save=True)
    unsaved = make_run("p_tuning_v2", "cb", seed=9)
    run([other, unsaved])
    with pytest.raises(InputError, match=r"differ in the task: give prompts that have it in common"):
        evaluation.check(asked([seeds[0], other]))
    with pytest.raises(InputError, match=r"has no weights of step=best in .*: train it with runtime.save=true"):
        evaluation.check(asked([seeds[0], unsaved]))
    with pytest.raises(InputError, match=r"rule=majority_vote is of 2 or more prompt\(s\), and 1 are given"):
        evaluation.check(asked(seeds[:1]))
    with pytest.raises(InputError, match=r"is given twice: name each once"):
        evaluation.check(asked([seeds[0], seeds[0]]))
    with pytest.raises(InputError, match=r"has head=classification, and the evaluation head=span"):
        evaluation.check(asked(seeds, head="span"))
    tiny = {"name": "tiny_roberta", "source": "random", "id": "tiny_roberta", "pooler": "none"}
    with pytest.raises(InputError, match=r"was trained on backbone.name=tiny_bert, and the evaluation is on tiny_rob"):
        evaluation.check(asked(seeds, backbone=tiny))
    with pytest.raises(InputError, match=r"rule=guess is unknown: choose one of majority_vote, single"):
        evaluation.check(asked(seeds, rule="guess"))


def test_a_task_with_other_labels_or_of_another_kind_is_refused(make_run):
    source = make_run("prompt_tuning", "qqp", runtime__save=True)
    run([source])
    mrpc = make_run(task="mrpc").task
    with pytest.raises(
        InputError, match=r"trained on the labels not_duplicate, duplicate, and cannot answer task.name=m"
    ):
        evaluation.check(asked([source], rule="single", task=mrpc))
    with pytest.raises(InputError, match=r"labels.same is no label of task.name=mrpc"):
        evaluation.check(asked([source], rule="single", task=mrpc, labels={"same": "duplicate"}))
    with pytest.raises(InputError, match=r"head=classification cannot answer task.name=copa: choose one of auto"):
        evaluation.check(asked([source], rule="single", task=make_run(task="copa").task))


def test_prompts_of_the_language_model_head_vote_and_their_record_says_which_head(make_run):
    head = {"name": "verbalizer", "template": "{first} <mask>", "words": {}, "loss": "labels", "z_loss": 0.0}
    configs = [make_run("prompt_tuning", "cb", seed=seed, head=head, runtime__save=True) for seed in (1, 2)]
    (of_run, _) = run(configs)
    record = evaluation.evaluate(asked(configs, head=head))
    assert record["backbone"] == of_run["backbone"] and "lm_head" in record["backbone"]
    assert [one["scores"]["dev"]["accuracy"] for one in record["prompts"]] == [store.find(c)["score"] for c in configs]


def said(**words):
    return {"name": "verbalizer", "template": "{first} <mask>", "words": words, "loss": "labels", "z_loss": 0.0}


@pytest.fixture
def matrix(make_run):
    """Two saved prompts, of tasks with two and three labels, and the evaluations of each on both."""
    heads = {"rte": said(entailment="yes", not_entailment="no"), "cb": said()}
    configs = [make_run("prompt_tuning", task, head=heads[task], runtime__save=True) for task in heads]
    run(configs)
    asks = [
        asked([source], rule="single", head=heads[target.task.name], task=target.task, data=target.data)
        for source in configs
        for target in configs
    ]
    return configs, asks


def test_a_matrix_of_prompts_and_tasks_is_one_stream_of_passes_and_equals_one_by_one(matrix, monkeypatch):
    configs, asks = matrix
    alone = [evaluation.evaluate(one) for one in asks]
    held, run_forward = [], predictions.forward

    def watched(backbone, parts):
        held.append(len({id(part.adapter) for part in parts}))
        return run_forward(backbone, parts)

    monkeypatch.setattr(predictions, "forward", watched)
    together = evaluation.evaluate_together(asks)
    assert [one["scores"] for one in together] == [one["scores"] for one in alone]
    assert max(held) > 2 and len({evaluation.shared(one) for one in asks}) == 1
    own = [one["score"] for one in together[::3]]
    assert own == [store.find(one)["score"] for one in configs], "a prompt's own task gives its own score"
    assert together[0]["speed"]["evaluations"] == 4


def test_an_evaluation_that_cannot_be_made_leaves_the_others_be(matrix, monkeypatch):
    _, asks = matrix
    scored = evaluation.Asked.answers

    def failing(self, found):
        if self.config == asks[1]:
            raise InputError("not this one")
        return scored(self, found)

    monkeypatch.setattr(evaluation.Asked, "answers", failing)
    found = evaluation.evaluate_together(asks)
    assert [isinstance(one, InputError) for one in found] == [False, True, False, False]
    assert store.find(asks[1]) is None and store.find(asks[2]) == found[2]


def test_a_prompt_with_a_trained_head_answers_no_other_task_by_words(make_run):
    source = make_run("prompt_tuning", "rte", runtime__save=True)
    run([source])
    with pytest.raises(InputError, match=r"has head=classification, and the evaluation head=verbalizer"):
        evaluation.check(asked([source], rule="single", head=said(), task=make_run(task="cb").task))
