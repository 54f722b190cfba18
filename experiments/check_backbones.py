"""Whether backbones of the package index do what they are known to do: `python -m experiments.check_backbones
[name ...] [--data FOLDER]`. They are fetched and converted if need be; without names, those that are not opt-in.

With a folder of local data it also asks flan_t5_small for sentiments (`glue/SST-2/dev.tsv`) and bert_tiny for masked
words of books (`text`), on which bert_tiny_adapted is made.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if not __package__:  # as a file, from which the packages beside it are not found
    sys.exit("error: call it as a module, in the repository's folder: python -m experiments.check_backbones")

import torch
from torch.nn.functional import cosine_similarity, cross_entropy

from experiments.output import escape_unprintable
from ptuning.backbones import convert, load
from ptuning.backbones.backbone import Backbone
from ptuning.errors import InputError
from ptuning.launch import compose, rerun

OPT_IN = {"mpnet_base", "gemma3_270m", "qwen2_5_coder_0_5b"}  # more than 200 MB to fetch
ADAPTED = "bert_tiny_adapted"  # on text of the folder of local data
BEGINNING = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness."
)


@dataclass(frozen=True)
class Finding:
    what: str
    found: float | str
    expected: str
    holds: bool


def embeddings(backbone: Backbone, data: Path | None) -> Iterator[Finding]:
    """A sentence and its paraphrase are nearer to each other than to another sentence, by the mean of their tokens."""
    texts = ["A man is playing a guitar.", "Someone plays the guitar.", "The stock market fell on Monday."]
    given = backbone.tokenizer(texts, padding=True, return_tensors="pt")
    mask = given["attention_mask"][..., None]
    hidden = backbone.model(**given).last_hidden_state * mask
    means = hidden.sum(1) / mask.sum(1)
    near, far = (cosine_similarity(means[0], means[other], dim=0).item() for other in (1, 2))
    yield Finding("cosine of paraphrases, less that of others", near - far, "at least 0.4", near - far >= 0.4)


def masked_words(backbone: Backbone, data: Path | None) -> Iterator[Finding]:
    """What masked words cost, as shipped: less than a guess among all words would (10.3 nats)."""
    loss = masked_loss(backbone, BEGINNING if data is None else books(data))
    yield Finding("nats a masked token", loss, "below 9.5 (a guess: 10.3)", loss < 9.5)


def masked_words_after_adaptation(backbone: Backbone, data: Path | None) -> Iterator[Finding]:
    """What the same cost once it is trained on such books as a masked language model."""
    assert data is not None
    loss = masked_loss(backbone, books(data))
    yield Finding("nats a masked token", loss, "below 5", loss < 5)


def books(data: Path) -> str:
    """The middle of each book."""
    texts = [path.read_text(encoding="utf-8") for path in sorted((data / "text").glob("*.md"))]
    return "\n".join(text[len(text) // 2 :][:2000] for text in texts)


def masked_loss(backbone: Backbone, text: str) -> float:
    """Every seventh token of the text masked, in sequences of 64."""
    tokenizer = backbone.tokenizer
    ids = torch.tensor(tokenizer(text, add_special_tokens=False)["input_ids"])
    losses = []
    for chunk in ids.split(62):
        targets = torch.tensor([tokenizer.cls_token_id, *chunk, tokenizer.sep_token_id])
        asked = torch.zeros_like(targets, dtype=torch.bool)
        asked[3:-1:7] = True
        logits = language_model(backbone)(input_ids=targets.masked_fill(asked, tokenizer.mask_token_id)[None]).logits
        losses.append(cross_entropy(logits[0, asked], targets[asked], reduction="none"))
    return torch.cat(losses).mean().item()


def translation_and_sentiment(backbone: Backbone, data: Path | None) -> Iterator[Finding]:
    """What FLAN taught it, of which the titles left this much."""
    given = backbone.tokenizer("translate English to German: The house is wonderful.", return_tensors="pt")
    ids = language_model(backbone).generate(**given, max_new_tokens=20, do_sample=False)[0]
    german = backbone.tokenizer.decode(ids, skip_special_tokens=True)
    yield Finding("The house is wonderful.", german, "Das Haus ist wunderbar.", german == "Das Haus ist wunderbar.")
    if data is not None:
        share = 100 * sum(_sentiments(backbone, data)) / 200
        yield Finding("SST-2, no training, 200 rows of dev, accuracy", share, "at least 70", share >= 70)


def _sentiments(backbone: Backbone, data: Path) -> Iterator[bool]:
    """Whether the label's word is the likelier of the two, of the first 200 rows."""
    answers = backbone.tokenizer(["negative", "positive"], padding=True, return_tensors="pt")["input_ids"]
    labels = answers.masked_fill(answers == backbone.pad, -100)
    for line in (data / "glue/SST-2/dev.tsv").read_text(encoding="utf-8").splitlines()[1:201]:
        sentence, label = line.split("\t")
        given = backbone.tokenizer([f"sst2 sentence: {sentence.strip()} sentiment:"] * 2, return_tensors="pt")
        logits = language_model(backbone)(**given, labels=labels).logits
        costs = cross_entropy(logits.transpose(1, 2), labels, reduction="none").sum(1)
        yield bool(costs[int(label)] < costs[1 - int(label)])


def continuation(backbone: Backbone, data: Path | None) -> Iterator[Finding]:
    """A well-known sentence is likely, and a well-known fact is known."""
    given = backbone.tokenizer(BEGINNING, return_tensors="pt")
    perplexity = language_model(backbone)(**given, labels=given["input_ids"]).loss.exp().item()
    yield Finding("perplexity of a novel's beginning", perplexity, "below 12", perplexity < 12)


def language_model(backbone: Backbone) -> Any:
    assert backbone.lm_head is not None
    return backbone.lm_head.language_model


CHECKS: dict[str, Callable[[Backbone, Path | None], Iterator[Finding]]] = {
    "minilm_l3": embeddings,
    "minilm_l6": embeddings,
    "mpnet_base": embeddings,
    "bert_tiny": masked_words,
    ADAPTED: masked_words_after_adaptation,
    "flan_t5_small": translation_and_sentiment,
    "smollm2_135m": continuation,
    "gemma3_270m": continuation,
    "qwen2_5_coder_0_5b": continuation,
}


def check(name: str, data: Path | None) -> list[Finding]:
    """Raises InputError where the backbone cannot be had."""
    text = [] if data is None else [f"text={rerun.format_value(str(data / 'text'))}"]
    run = compose.read_unchecked(compose.composed([f"backbone={name}", *text]))
    loaded = load.with_lm_head if run.backbone.id in convert.with_lm_head() else load.load
    backbone = loaded(run.backbone, run.train)  # which may be adapted first, and so trained
    with torch.inference_mode():
        return list(CHECKS[name](backbone, data)) if name in CHECKS else []


def main() -> None:
    """Ends with 1 where something is not as expected, with 2 where a backbone cannot be had."""
    escape_unprintable()
    parser = argparse.ArgumentParser(description=__doc__)
    known = [*convert.names(), ADAPTED]
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(known))
    parser.add_argument("--data", type=Path, help="the folder of local data (data.root)")
    given = parser.parse_args()
    for name in given.names:
        if name not in known:
            parser.error(f"{name} is unknown: choose of {', '.join(known)}")
    if ADAPTED in given.names and given.data is None:
        parser.error(f"{ADAPTED} is made of text: give --data")
    left_out = OPT_IN | ({ADAPTED} if given.data is None else set())
    amiss = 0
    for name in given.names or [name for name in CHECKS if name not in left_out]:
        try:
            findings = check(name, given.data)
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(2)
        for one in findings:
            shown = one.found if isinstance(one.found, str) else f"{one.found:.2f}"
            print(
                f"{'ok  ' if one.holds else 'AMISS'} {name}: {one.what}: {shown} (expected: {one.expected})",
                flush=True,
            )
        amiss += sum(not one.holds for one in findings)
    sys.exit(1 if amiss else 0)


if __name__ == "__main__":
    main()
