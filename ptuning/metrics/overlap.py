"""What generated texts share with their references: BLEU, NIST, chrF and TER.

`predictions` are N texts, `references` the texts that would do of each, one or more, as many as it has. BLEU and NIST
are those of mteval-v13a, which the E2E challenge's official scorer runs (Dušek et al., 2020, section 4.1): its
tokenization, and no regard to case.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import zip_longest
from typing import Any

References = Sequence[Sequence[str]]
NIST_ORDER = 5
NIST_BETA = -math.log(0.5) / math.log(1.5) ** 2  # a text of two thirds of its references' length loses half


def bleu(predictions: Sequence[str], references: References, cased: bool = False) -> float:
    """BLEU-4 of all texts together, in percent (Papineni et al., 2002), not smoothed. `cased`: as sacreBLEU has it by
    default (Post, 2018), with regard to case."""
    from sacrebleu.metrics.bleu import BLEU

    return _score(BLEU(lowercase=not cased, smooth_method="none"), predictions, references)


def chrf(predictions: Sequence[str], references: References) -> float:
    """chrF2, in percent (Popović, 2015): character 6-grams, each text with its nearest reference."""
    from sacrebleu.metrics.chrf import CHRF

    return _score(CHRF(), predictions, references)


def ter(predictions: Sequence[str], references: References) -> float:
    """Translation edit rate, in percent, lower is better (Snover et al., 2006), without regard to case."""
    from sacrebleu.metrics.ter import TER

    return _score(TER(), predictions, references)


def _score(metric: Any, predictions: Sequence[str], references: References) -> float:
    streams = [list(stream) for stream in zip_longest(*references)]  # None where a text has fewer references
    return float(metric.corpus_score(list(predictions), streams).score)


def nist(predictions: Sequence[str], references: References) -> float:
    """NIST-5 of all texts together, no percentage (Doddington, 2002): n-grams weigh the more the rarer they are among
    the references. Of a text's references the mean length counts, however many they are."""
    texts = [_tokens(text) for text in predictions]
    golds = [[_tokens(text) for text in several] for several in references]
    seen = Counter(gram for several in golds for gold in several for gram in _ngrams(gold, NIST_ORDER))
    seen[()] = sum(len(gold) for several in golds for gold in several)
    information, possible = [0.0] * NIST_ORDER, [0] * NIST_ORDER
    for text, several in zip(texts, golds, strict=True):
        for gram, count in _hits(text, several, NIST_ORDER).items():
            information[len(gram) - 1] += count * math.log2(seen[gram[:-1]] / seen[gram])
        for order in range(NIST_ORDER):
            possible[order] += max(0, len(text) - order)
    weighed = sum(gain / total for gain, total in zip(information, possible, strict=True) if total)
    wanted = sum(sum(map(len, several)) / len(several) for several in golds)
    ratio = min(1.0, possible[0] / wanted)
    return weighed * math.exp(-NIST_BETA * math.log(ratio) ** 2) if ratio else 0.0


def _hits(text: Sequence[str], golds: Sequence[Sequence[str]], order: int) -> Counter[tuple[str, ...]]:
    """The n-grams of a text that its references have, each at most as often as the one that has it most."""
    most: Counter[tuple[str, ...]] = Counter()
    for gold in golds:
        most |= Counter(_ngrams(gold, order))
    return Counter(_ngrams(text, order)) & most


def _ngrams(tokens: Sequence[str], order: int) -> list[tuple[str, ...]]:
    """All n-grams of 1 to `order` tokens."""
    return [tuple(tokens[at : at + n]) for n in range(1, order + 1) for at in range(len(tokens) - n + 1)]


@cache
def _tokenizer() -> Any:
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

    return Tokenizer13a()


def _tokens(text: str) -> list[str]:
    """mteval-v13a's, in lower case."""
    return _tokenizer()(text).lower().split()
