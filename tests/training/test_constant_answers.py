"""Answers that are all the same look like a score: it is said wherever the score is."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.artefacts import facts, index
from experiments.site.run import Run
from ptuning import tasks
from ptuning.analysis import cells, rendering
from ptuning.records import store
from ptuning.run import run
from ptuning.sweep.progress import run_summary
from ptuning.tasks.kinds.examples import Example, Question, Sentence
from ptuning.tasks.kinds.qa import Candidates
from tests.experiments.records import fake_record

ROW, QUESTION, SENTENCE = Example((("a", "b"),), 0), Question("who?", "it is Ada", None), Sentence(("a", "b"), None)
ADA, NONE = Candidates(((6, 9, 2.0),), 0.0), Candidates(((6, 9, 2.0),), 9.0)


@pytest.mark.parametrize(
    ("task", "example", "answers", "said"),
    [
        ("cb", ROW, np.array([[0, 1, 5], [2, 3, 4.0]]), "neutral"),
        ("cb", ROW, np.array([[0, 1, 5], [2, 5, 4.0]]), None),
        ("copa", ROW, np.array([[1, 0], [2, 1.0]]), "choice1"),
        ("multirc", ROW, np.array([[1, 0], [2, 1.0]]), "wrong"),
        ("record", ROW, np.array([[1, 0], [2, 1.0]]), None),
        ("record", ROW, np.array([[1, 0], [2, 0.0]]), "all entities alike"),
        ("wnut17", SENTENCE, [np.array([0, 0]), np.array([0, 0])], "O"),
        ("wnut17", SENTENCE, [np.array([0, 0]), np.array([0, 1])], None),
        ("conll05", SENTENCE, [np.array([0, 0]), np.array([0, 0])], "O"),
        ("conll05", SENTENCE, [np.array([0, 0]), np.array([2, 0])], None),
        ("squad_v2", QUESTION, [NONE, NONE], "no answer"),
        ("squad_v2", QUESTION, [NONE, ADA], None),
        ("squad", QUESTION, [Candidates((), 0.0)] * 2, "no answer"),
        ("squad", QUESTION, [NONE, NONE], None),
    ],
)
def test_each_kind_of_task_knows_answers_that_are_all_the_same(task, example, answers, said):
    assert tasks.load(task).constant_answer([example] * 2, answers) == said


def told(config, record):
    """What is said of a run, wherever it is."""
    record = record | {"speed": {}, "parameters": {"trained": 1, "total": 2, "share": 0.5}}
    return [
        run_summary(config, record, found=False),
        index._score(record),
        Run("cb", record, None).outcome(),
        str(facts.sections(record)[0]),
    ]


def test_a_run_that_learns_nothing_says_so(make_run):
    config = make_run("prompt_tuning", "cb", train__lr=1e-6)
    (record,) = run([config])
    (answer,) = {line["constant"] for line in record["history"]}
    assert answer in ("entailment", "contradiction", "neutral")
    assert all(repr(answer) in one for one in told(config, record))
    assert f"dev accuracy {record['score']:.1f}, always {answer!r} (" in run_summary(config, record, found=False)


def test_a_run_whose_answers_differ_says_nothing_of_it(make_run, monkeypatch):
    monkeypatch.setattr("ptuning.tasks.cb.CB.constant_answer", lambda *_: None)
    config = make_run("prompt_tuning", "cb", train__lr=1e-6)
    (record,) = run([config])
    assert not any("constant" in line for line in record["history"])
    assert not any("always '" in one or "('answers'" in one for one in told(config, record))


def test_a_table_marks_them_and_says_what_the_mark_means(make_run):
    configs = [make_run(seed=seed) for seed in (1, 2)]
    for config in configs:
        record = fake_record(config, [50.0, 60.0])
        if config.seed == 2:
            record["history"][1]["constant"] = "entailment"
        store.write(config, record)
    best, last = cells.cell(configs, "best_dev"), cells.cell(configs[:1], "last")
    assert (best.constant, best.marked.replace(" ‡", "")) == (1, "60.0 ± 0.0 ᶜ")
    assert (last.constant, last.marked.replace(" ‡", "")) == (0, "60.0")
    assert cells.constant_note([best, last]) == [
        "ᶜ in 1 run(s), one answer to all dev examples: such a score is chance."
    ]
    assert cells.constant_note([last]) == []
    assert "$^{c}$" in rendering._tex(best.marked)
    assert cells.average([best, cells.cell(configs, "best_dev")]).constant == 2
