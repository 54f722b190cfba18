"""Each official metric loads by its path, without a hub, and gives the numbers of the functions that training uses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import evaluate
import pytest

from ptuning import metrics, registry
from ptuning.errors import InputError
from ptuning.formats.spans import of_tags
from ptuning.metrics import captions, classification, correlation, overlap, rouge, spans, squad

FOLDER = Path(metrics.__path__[0]) / "loadable"
OPT_IN = {"meteor"}  # which wants Java and a package
LABELS, PREDICTED, QUESTIONS = [0, 1, 2, 1, 0, 1], [0, 1, 1, 1, 2, 0], [1, 1, 2, 2, 3, 3]
BINARY, BINARY_PREDICTED = [0, 1, 1, 1, 0, 1], [0, 1, 0, 1, 1, 1]
RATINGS, RATED = [0.0, 1.2, 5.0, 3.4], [0.5, 3.0, 4.0, 2.5]
TAGS = [["B-A0", "I-A0", "B-V", "B-A1", "O", "B-C-A1"], ["O", "B-PER"]]
TAGS_PREDICTED = [["B-A0", "I-A0", "B-V", "B-A1", "O", "O"], ["B-LOC", "B-PER"]]
SPANS, SPANS_PREDICTED = ([of_tags(tags) for tags in given] for given in (TAGS, TAGS_PREDICTED))
TEXTS, GOLDS, SOME_GOLDS = ["The cat.", "two dogs", ""], [["a cat"], ["dogs", "a dog"], ["x"]], [["cat"], ["dogs"], []]
WRITTEN = ["Ann has the red lamp .", "Tom met Ann in old Rome today ."]
WANTED = [["Ann has the red lamp at home .", "A lamp is Ann's ."], ["In old Rome Tom has met Ann today ."]]
OF_TEXTS = {"predictions": WRITTEN, "references": WANTED}
CASES: dict[str, tuple[dict[str, Any], dict[str, float]]] = {
    "accuracy": (
        {"predictions": PREDICTED, "references": LABELS},
        {"accuracy": classification.accuracy(LABELS, PREDICTED)},
    ),
    "accuracy_f1": (
        {"predictions": BINARY_PREDICTED, "references": BINARY},
        {
            "accuracy": classification.accuracy(BINARY, BINARY_PREDICTED),
            "f1": classification.binary_f1(BINARY, BINARY_PREDICTED),
        },
    ),
    "matthews": (
        {"predictions": BINARY_PREDICTED, "references": BINARY},
        {"matthews": classification.matthews(BINARY, BINARY_PREDICTED)},
    ),
    "pearson_spearman": (
        {"predictions": RATED, "references": RATINGS},
        {"pearson": correlation.pearson(RATINGS, RATED), "spearman": correlation.spearman(RATINGS, RATED)},
    ),
    "macro_f1": (
        {"predictions": PREDICTED, "references": LABELS, "classes": 3},
        {"f1_macro": classification.macro_f1(LABELS, PREDICTED, 3)},
    ),
    "multirc": (
        {
            "predictions": [
                {"question": question, "label": label}
                for question, label in zip(QUESTIONS, BINARY_PREDICTED, strict=True)
            ],
            "references": BINARY,
        },
        {
            "f1a": classification.binary_f1(BINARY, BINARY_PREDICTED),
            "em": classification.exact_match_by_group(QUESTIONS, BINARY, BINARY_PREDICTED),
        },
    ),
    "span_f1": ({"predictions": TAGS_PREDICTED, "references": TAGS}, spans.span_f1(SPANS, SPANS_PREDICTED)),
    "srl_eval": ({"predictions": TAGS_PREDICTED, "references": TAGS}, spans.srl_eval(SPANS, SPANS_PREDICTED)),
    "bleu": (OF_TEXTS | {"cased": True}, {"bleu": overlap.bleu(WRITTEN, WANTED, cased=True)}),
    "nist": (OF_TEXTS, {"nist": overlap.nist(WRITTEN, WANTED)}),
    "chrf": (OF_TEXTS, {"chrf": overlap.chrf(WRITTEN, WANTED)}),
    "ter": (OF_TEXTS, {"ter": overlap.ter(WRITTEN, WANTED)}),
    "rouge": (OF_TEXTS, rouge.rouge(WRITTEN, WANTED)),
    "rouge_l": (OF_TEXTS, {"rouge_l": captions.rouge_l(WRITTEN, WANTED)}),
    "cider": (OF_TEXTS, {"cider": captions.cider(WRITTEN, WANTED)}),
    "squad": ({"predictions": TEXTS, "references": GOLDS}, squad.squad_v1(TEXTS, GOLDS)),
    "squad_v2": ({"predictions": TEXTS, "references": SOME_GOLDS}, squad.squad_v2(TEXTS, SOME_GOLDS)),
}


@pytest.mark.parametrize("name", sorted({*registry.names("ptuning.metrics.loadable")} - OPT_IN))
def test_a_metric_loads_by_path_and_gives_the_functions_numbers(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evaluate.config.HF_EVALUATE_OFFLINE", True)
    given, expected = CASES[name]
    metric = evaluate.load(str(FOLDER / f"{name}.py"), cache_dir=str(tmp_path), keep_in_memory=True)
    found = metric.compute(**given)
    assert found == pytest.approx(expected) and {type(value) for value in found.values()} == {float}
    assert any(0 < value < 100 for value in found.values()), "numbers that tell metrics apart"


def test_meteor_without_java_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluate.config.HF_EVALUATE_OFFLINE", True)
    monkeypatch.setenv("PATH", str(tmp_path))
    metric = evaluate.load(str(FOLDER / "meteor.py"), cache_dir=str(tmp_path), keep_in_memory=True)
    with pytest.raises(InputError, match=r"^METEOR is a Java program, and there is no java here: install one, or"):
        metric.compute(**OF_TEXTS)
