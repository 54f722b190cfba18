"""Scores of generated texts: golden ones of the E2E challenge's official scorer, and what must hold of any."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from ptuning.errors import InputError
from ptuning.metrics import captions, meteor, overlap, rouge

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/e2e_metrics.json").read_text(encoding="utf-8"))
TEXTS, REFERENCES, SCORES = (GOLDEN[key] for key in ("predictions", "references", "scores"))
METRICS = {
    "bleu": overlap.bleu, "nist": overlap.nist, "chrf": overlap.chrf, "ter": overlap.ter,
    "rouge_l": captions.rouge_l, "cider": captions.cider,
    "rouge_2": lambda texts, references: rouge.rouge(texts, references)["rouge_2"],
}  # fmt: skip
WORDS = [
    "the",
    "a",
    "mill",
    "pub",
    "river",
    "near",
    "is",
    "serves",
    "french",
    "food",
    "it",
    "and",
    "in",
    "city",
    "old",
]


@pytest.mark.parametrize("name", ["bleu", "nist", "rouge_l", "cider"])
def test_scores_are_those_of_the_official_scorer(name: str) -> None:
    assert METRICS[name](TEXTS, REFERENCES) == pytest.approx(SCORES[name], abs=1e-9)


def test_tokens_are_those_of_the_official_scorer() -> None:
    found = [captions.tokens(text) for several in REFERENCES for text in several]
    its_own = {"£": "#", "(": "-lrb-", ")": "-rrb-"}  # names for what stands there
    assert [" ".join(its_own.get(token, token) for token in tokens) for tokens in found] == GOLDEN["tokens"]


def some_text(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(6, 14))) + " ."


@pytest.mark.parametrize("name", METRICS)
def test_a_text_that_is_one_of_its_references_scores_best_and_one_that_shares_nothing_worst(name: str) -> None:
    rng = random.Random(name)
    references = [[some_text(rng) for _ in range(rng.randint(1, 4))] for _ in range(20)]
    texts = [rng.choice(several) for several in references]
    score = METRICS[name]
    right, mixed = score(texts, references), score([*texts[:10], *["zzz qqq"] * 10], references)
    wrong, empty = score(["zzz qqq"] * 20, references), score([""] * 20, references)
    if name == "ter":
        assert right == 0 < mixed < wrong == pytest.approx(empty)
    else:
        assert right > mixed > wrong >= 0 and empty == pytest.approx(0, abs=1e-9)
        assert name in ("nist", "cider") or right == pytest.approx(100)
        assert name == "chrf" or wrong == 0


@pytest.mark.parametrize("name", METRICS)
def test_the_best_of_several_references_counts(name: str) -> None:
    rng = random.Random(name)
    references = [[some_text(rng)] for _ in range(10)]
    texts = [some_text(rng) for _ in references]
    more = [[*several, text] for several, text in zip(references, texts, strict=True)]
    assert METRICS[name](texts, more) != METRICS[name](texts, references)
    assert (METRICS[name](texts, more) > METRICS[name](texts, references)) == (name != "ter")


def test_bleu_has_regard_to_case_where_it_is_asked_to() -> None:
    assert overlap.bleu(["the mill IS near a pub"], [["The Mill is near a pub"]]) == pytest.approx(100)
    assert overlap.bleu(["the mill IS near a pub"], [["The Mill is near a pub"]], cased=True) < 50


@pytest.mark.parametrize("seed", range(20))
def test_the_longest_common_subsequence_is_that_of_all_subsequences(seed: int) -> None:
    rng = random.Random(seed)
    one, other = (rng.choices("abcd", k=rng.randint(0, 7)) for _ in range(2))
    subsequences = [[item for at, item in enumerate(one) if chosen >> at & 1] for chosen in range(2 ** len(one))]

    def stands_in(part: list[str]) -> bool:
        rest = iter(other)
        return all(item in rest for item in part)

    assert captions.longest_common(one, other) == max(len(part) for part in subsequences if stands_in(part))


def test_a_java_that_does_not_run_meteor_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho no memory >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(meteor, "members", lambda _, files: dict.fromkeys(files, tmp_path / "file"))
    with pytest.raises(
        InputError, match=r"^METEOR, run by \S+/java, ended without an answer \(no memory\): mend that"
    ):
        meteor.meteor(["a"], [["a"]])


def test_meteor_reads_what_the_program_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a program in Java's place that answers as METEOR 1.5 does: counts for SCORE, and for EVAL a line a text and
    one of all."""
    java = tmp_path / "java"
    java.write_text(
        "#!/bin/sh\nwhile read line; do case $line in\n"
        "SCORE*) echo \"$line\" >> $0.asked; echo 1.0 2.0 ;;\nEVAL*) printf '0.1\\n0.2\\n0.3678\\n' ;;\nesac; done\n"
    )
    java.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(meteor, "members", lambda _, files: dict.fromkeys(files, tmp_path / "file"))
    found = meteor.meteor(["A pub, here.", "it's near"], [["A pub."], ["It is near.", "Near!"]])
    assert found == pytest.approx(36.78)
    asked = (tmp_path / "java.asked").read_text().splitlines()
    assert asked == ["SCORE ||| a pub ||| a pub here", "SCORE ||| it is near ||| near ||| it 's near"]
