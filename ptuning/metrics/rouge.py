"""ROUGE-1, ROUGE-2 and ROUGE-L of summaries, as rouge-score computes them (Lin, 2004): F of words, stemmed."""

from __future__ import annotations

from collections.abc import Sequence


def rouge(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """The means over `predictions` `[N]`, in percent; of a text's `references` the best one counts."""
    from rouge_score.rouge_scorer import RougeScorer  # costs a second to import

    keys = {"rouge_1": "rouge1", "rouge_2": "rouge2", "rouge_l": "rougeL"}
    scorer = RougeScorer(list(keys.values()), use_stemmer=True)
    found = [scorer.score_multi(list(several), text) for text, several in zip(predictions, references, strict=True)]
    return {key: 100 * float(sum(one[name].fmeasure for one in found)) / len(found) for key, name in keys.items()}
