"""Span, role and answer scores against seqeval, the official scripts' numbers, and scorers of the tests' own."""

from __future__ import annotations

import json
import random
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
import seqeval.metrics
from scipy import stats
from sklearn.metrics import matthews_corrcoef

from ptuning.formats.spans import of_tags
from ptuning.metrics import classification, correlation, spans, squad

GOLDEN = Path(__file__).parents[1] / "golden"
SRL = json.loads((GOLDEN / "srl_eval.json").read_text(encoding="utf-8"))["cases"]
SQUAD = json.loads((GOLDEN / "squad.json").read_text(encoding="utf-8"))
TAGS = ["O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-creative-work", "I-creative-work", "I-R-ARG0"]


def test_span_f1_is_that_of_seqeval() -> None:
    rng = random.Random(0)
    for _ in range(200):
        gold = [rng.choices(TAGS, k=rng.randint(1, 8)) for _ in range(rng.randint(1, 6))]
        given = [[tag if rng.random() < 0.7 else rng.choice(TAGS) for tag in tags] for tags in gold]
        found = spans.span_f1([of_tags(tags) for tags in gold], [of_tags(tags) for tags in given])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about shares of nothing
            expected = {
                "precision": 100 * seqeval.metrics.precision_score(gold, given),
                "recall": 100 * seqeval.metrics.recall_score(gold, given),
                "f1": 100 * seqeval.metrics.f1_score(gold, given),
            }
        assert found == pytest.approx(expected), (gold, given)


def test_span_f1_compares_sentence_by_sentence() -> None:
    one, other = [("PER", 0, 1)], [("LOC", 0, 0), ("PER", 2, 2)]
    assert spans.span_f1([one, other], [other, one]) == {"precision": 0, "recall": 0, "f1": 0}
    assert spans.span_f1([one, other], [one, []]) == pytest.approx({"precision": 100, "recall": 100 / 3, "f1": 50})
    assert spans.span_f1([[]], [[]]) == {"precision": 0, "recall": 0, "f1": 0}
    with pytest.raises(ValueError, match="shorter"):
        spans.span_f1([one, other], [one])


def scores(correct: int, excess: int, missed: int) -> dict[str, float]:
    precision = 100 * correct / max(correct + excess, 1)
    recall = 100 * correct / max(correct + missed, 1)
    f1 = 2 * precision * recall / (precision + recall) if correct else 0.0
    return {"precision": precision, "recall": recall, "f1": f1}


def as_spans(listed: list[list[Any]]) -> list[spans.Span]:
    return [(label, first, last) for label, first, last in listed]


@pytest.mark.parametrize("case", SRL, ids=lambda case: case["case"])
def test_srl_eval_has_the_official_numbers(case: dict[str, Any]) -> None:
    expected = scores(case["correct"], case["excess"], case["missed"])
    gold, predicted = as_spans(case["gold"]), as_spans(case["predicted"])
    assert spans.srl_eval([gold], [predicted]) == pytest.approx(expected)
    assert spans.srl_eval([gold], [predicted[::-1]]) == pytest.approx(expected)  # the order in a list is no matter


def test_srl_eval_counts_all_propositions_together() -> None:
    expected = scores(*(sum(case[key] for case in SRL) for key in ("correct", "excess", "missed")))
    gold, predicted = ([as_spans(case[key]) for case in SRL] for key in ("gold", "predicted"))
    assert spans.srl_eval(gold, predicted) == pytest.approx(expected)


@pytest.mark.parametrize("case", SQUAD["cases"], ids=lambda case: f"{case['prediction']!a}-{case['golds']!a}")
def test_squad_has_the_official_numbers(case: dict[str, Any]) -> None:
    prediction, golds = [case["prediction"]], [case["golds"]]
    em, f1 = case["v2"]
    split = "has_ans_f1" if case["golds"] else "no_ans_f1"
    assert squad.squad_v2(prediction, golds) == pytest.approx({"em": em, "f1": f1, split: f1})
    if case["golds"]:
        em, f1 = case["v1"]
        assert squad.squad_v1(prediction, golds) == pytest.approx({"em": em, "f1": f1})


def test_squad_has_the_official_numbers_for_all_questions_together() -> None:
    answered = [case for case in SQUAD["cases"] if case["golds"]]
    found = squad.squad_v1([case["prediction"] for case in answered], [case["golds"] for case in answered])
    assert found == pytest.approx(SQUAD["all"]["v1"])
    predictions, golds = ([case[key] for case in SQUAD["cases"]] for key in ("prediction", "golds"))
    assert squad.squad_v2(predictions, golds) == pytest.approx(SQUAD["all"]["v2"])


def bag(answer: str) -> list[str]:
    """The sorted tokens of an answer: SQuAD's section on evaluation ignores case, punctuation and articles."""
    kept = re.sub(r"[!-/:-@\[-`{-~]", "", answer.lower())
    return sorted(word for word in re.sub(r"\b(?:an?|the)\b", " ", kept).split())


def overlap(prediction: str, gold: str, of_nothing: float) -> float:
    given, wanted, shared = bag(prediction), bag(gold), 0
    if not given and not wanted:
        return of_nothing
    rest = list(wanted)
    for word in given:
        if word in rest:
            rest.remove(word)
            shared += 1
    return 2 / (len(given) / shared + len(wanted) / shared) if shared else 0.0


def some_answer(rng: random.Random) -> str:
    words = [
        "the",
        "An",
        "a",
        "cat",
        "Cat,",
        "dog",
        "dog's",
        "U.S.",
        "US",
        "naïve",
        "NAÏVE",
        "—",
        "...",
        "theory",
        "7",
    ]
    return " ".join(rng.choices(words, k=rng.choice([0, 1, 1, 2, 3, 5])))


def test_squad_f1_is_that_of_a_scorer_from_the_papers_definition() -> None:
    rng = random.Random(3)
    for _ in range(400):
        golds = [[some_answer(rng) for _ in range(rng.randint(1, 3))] for _ in range(5)]
        predictions = [rng.choice([some_answer(rng), rng.choice(answers).upper()]) for answers in golds]
        best = [
            max(overlap(given, gold, 0.0) for gold in answers)
            for given, answers in zip(predictions, golds, strict=True)
        ]
        assert squad.squad_v1(predictions, golds)["f1"] == pytest.approx(20 * sum(best))

        golds = [answers if rng.random() < 0.6 else [] for answers in golds]
        best = [
            max(overlap(given, gold, 1.0) for gold in [one for one in answers if bag(one)] or [""])
            for given, answers in zip(predictions, golds, strict=True)
        ]
        found = squad.squad_v2(predictions, golds)
        assert found["f1"] == pytest.approx(20 * sum(best))
        for key, wanted in (("has_ans_f1", True), ("no_ans_f1", False)):
            part = [score for score, answers in zip(best, golds, strict=True) if bool(answers) == wanted]
            assert found.get(key) == (pytest.approx(100 * sum(part) / len(part)) if part else None)


def test_squad_exact_match_is_equality_of_the_tokens_in_order() -> None:
    given = ["The cat.", "dog cat", "cats", ""]
    golds = [["a dog", "cat"], ["cat dog"], ["cat"], ["the"]]
    assert squad.squad_v1(given, golds)["em"] == 50
    assert squad.squad_v2(given, [*golds[:3], []])["em"] == 50
    assert squad.squad_v2(["cat"], [[]]) == {"em": 0, "f1": 0, "no_ans_f1": 0}


@pytest.mark.parametrize("seed", range(20))
def test_correlations_are_those_of_scipy_and_scikit_learn(seed: int) -> None:
    draw = random.Random(seed)
    size = draw.randint(3, 40)
    scores = [draw.choice((0, 1, 1.2, 2.5, 3.8, 5)) for _ in range(size)] + [0, 5]  # with ties
    given = [score + draw.gauss(0, 1) if draw.random() < 0.7 else 2.5 for score in scores]
    assert correlation.pearson(scores, given) == pytest.approx(100 * stats.pearsonr(scores, given)[0])
    assert correlation.spearman(scores, given) == pytest.approx(100 * stats.spearmanr(scores, given)[0])
    labels, predictions = ([draw.randrange(2) for _ in range(size)] for _ in range(2))
    assert classification.matthews(labels, predictions) == pytest.approx(100 * matthews_corrcoef(labels, predictions))


@pytest.mark.parametrize("constant", [0.1, 1, 2.7])
def test_there_is_no_correlation_with_what_is_always_the_same(constant: float) -> None:
    for metric in (correlation.pearson, correlation.spearman):
        assert metric([0, 2, 5], [constant] * 3) == metric([constant] * 3, [0, 2, 5]) == 0
    assert classification.matthews([0, 1, 1], [1, 1, 1]) == 0
