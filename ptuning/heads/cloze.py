"""Cloze: the backbone's own language-model head fills a template's gap with one of many words (LAMA, Petroni et al.,
2019, section 4; P-Tuning, Liu et al., 2021, section 4.1).

It answers where the verbalizer does. What can be said are words of one token: the objects of the data, or all words of
the backbone's vocabulary. Examples whose own answer is no such word are left out, since they could never be right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from ptuning.config import NOT_HASHED, RunConfig, Schema
from ptuning.data.answer_places import Masked
from ptuning.data.encoded import Encoded
from ptuning.data.templates import Template
from ptuning.errors import InputError
from ptuning.heads.base import HeadContext, LanguageModelHead, answer_place, parse_template
from ptuning.tasks.base import AnyTask
from ptuning.tasks.kinds.examples import Fact
from ptuning.tasks.kinds.facts import FactTask

HAND = "hand"  # the pattern that is no template of conf/: the one that stands beside the data


class ClozeKeys(Schema):
    pattern: Annotated[str, NOT_HASHED] = Field(
        default=HAND, description="which of the task's templates `template` is; hand: the one beside the data"
    )
    template: str | None = Field(
        default=None, description="the text that a fact becomes; null: the relation's hand template"
    )
    candidates: Literal["objects", "vocabulary"] = Field(
        default="objects",
        description="what can be said: the objects of all the relation's facts, or every word of the backbone's "
        "vocabulary; in both, words of one token",
    )


class Cloze(LanguageModelHead):
    """Logits `[B, candidates]`; cross-entropy over the candidates."""

    Keys = ClozeKeys
    ids: Tensor
    left_out = "facts whose object is no candidate of one token in this backbone's vocabulary, left out"

    def __init__(self, context: HeadContext) -> None:
        super().__init__(context)
        self.register_buffer("ids", torch.tensor(list(_candidates(context))), persistent=False)

    @classmethod
    def check(cls, config: RunConfig, task: AnyTask) -> None:
        assert isinstance(task, FactTask)
        keys = _keys(config)
        if keys.template is not None:
            parse_template(keys.template, "head.template", task.name, task.template_fields)
        elif keys.pattern != HAND:
            known = ", ".join([HAND, *config.single.templates])
            raise InputError(
                f"head.pattern={keys.pattern} is no template of task.name={task.name}: choose one of {known}."
            )
        elif not task.has_hand_template:
            raise InputError(_no_hand_template(config))

    @classmethod
    def rows(cls, config: RunConfig) -> int:
        template = _keys(config).template
        return 0 if template is None else Template.parse(template, "head.template").rows

    @classmethod
    def needs_data(cls, config: RunConfig) -> bool:
        """For the objects of all facts, and for the hand template beside them."""
        keys = _keys(config)
        return keys.candidates == "objects" or keys.template is None

    @classmethod
    def carries_over(cls, labels: Sequence[str], others: Sequence[str]) -> bool:
        """Candidates are words, and have no weights of their own."""
        return True

    @classmethod
    def asked(cls, context: HeadContext, examples: Sequence[Fact]) -> list[Fact]:
        """Those whose object is a candidate."""
        candidates = _candidates(context)
        return [one for one, token in zip(examples, _objects(context, examples), strict=True) if token in candidates]

    @classmethod
    def encode(cls, context: HeadContext, examples: Sequence[Fact]) -> Encoded:
        places: dict[int | None, int] = {token: place for place, token in enumerate(_candidates(context))}
        targets = np.array([places.get(token, 0) for token in _objects(context, examples)])  # 0 of questions too
        return _place(context).ask([one.texts for one in examples], [[0]] * len(examples)).encoded(targets)

    def forward(self, hidden: Tensor, real: Tensor, dropout_mask: Tensor | None = None) -> Tensor:
        """Logits of the candidates `[B, candidates]`, of the hidden states where they would be said, `[B, 1, H]`."""
        return self.backbone[0].logits(hidden)[:, 0, self.ids].float()

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(logits, targets[:, 0], reduction="sum")

    def predictions(self, logits: Tensor, lengths: np.ndarray) -> list[np.ndarray]:
        """Of each item the number of its likeliest candidate, `[1]`."""
        best = logits.argmax(dim=-1).float()
        finite = logits.isfinite().all(dim=-1)
        return super().predictions(torch.where(finite, best, torch.nan)[:, None], lengths)

    @classmethod
    def collect(
        cls, context: HeadContext, examples: Sequence[Fact], encoded: Encoded, predictions: Sequence[np.ndarray]
    ) -> list[str]:
        """What is said of each fact: as its own object is written where that is what is said, since words that differ
        in their letters' case alone may be one token."""
        candidates = _candidates(context)
        tokens = list(candidates)
        said = [tokens[int(one[0])] for one in predictions]
        own = _objects(context, examples)
        return [
            str(example.object) if token == mine else candidates[token]
            for example, token, mine in zip(examples, said, own, strict=True)
        ]


def _candidates(context: HeadContext) -> Mapping[int, str]:
    """The tokens that can be said, ascending, and the word that each is. Raises InputError where there are none."""
    space = _place(context).opens_with_space
    if _keys(context.config).candidates == "vocabulary":
        return _vocabulary(context.tokenizer, space)
    return _of_one_token(context.tokenizer, context.data.answers, space)


@lru_cache(maxsize=8)
def _vocabulary(tokenizer: Any, space: bool) -> Mapping[int, str]:
    """The words of a vocabulary: the tokens that are what their own text is cut into."""
    special = set(tokenizer.all_special_ids)
    ids = [one for one in range(len(tokenizer)) if one not in special]
    texts = [text.strip() for text in tokenizer.batch_decode([[one] for one in ids])]
    texts = [text for text in texts if any(map(str.isalnum, text))]
    return _of_one_token(tokenizer, tuple(dict.fromkeys(texts)), space)


@lru_cache(maxsize=128)
def _of_one_token(tokenizer: Any, words: tuple[str, ...], space: bool) -> Mapping[int, str]:
    found = zip(_single_tokens(tokenizer, words, space), words, strict=True)
    return dict(sorted({token: word for token, word in found if token is not None}.items()))


def _objects(context: HeadContext, examples: Sequence[Fact]) -> list[int | None]:
    """The token that each fact's object is; None where it is of several, or not known."""
    return _single_tokens(context.tokenizer, [one.object or "" for one in examples], _place(context).opens_with_space)


def _single_tokens(tokenizer: Any, words: Sequence[str], space: bool) -> list[int | None]:
    """Of each word its token, None where it is of none, of several, or not in the vocabulary."""
    if not words:
        return []
    texts = [f"{' ' * space}{word}" if word else "" for word in words]
    found = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
    return [ids[0] if len(ids) == 1 and ids[0] != tokenizer.unk_token_id else None for ids in found]


def _place(context: HeadContext) -> Masked:
    keys = _keys(context.config)
    template = context.data.train[0].template if keys.template is None else keys.template
    if template is None:
        raise InputError(_no_hand_template(context.config))
    return answer_place(context, Template.parse(template, "head.template"))


def _no_hand_template(config: RunConfig) -> str:
    return (
        f"head.template is not set, and task.name={config.single.name} has no hand template of such facts "
        f"({_options(config)}): write one, such as head=cloze head.template=\"'{{subject}} is a <mask> .'\", or "
        f"choose head=cloze head.pattern={' or '.join(config.single.templates)}."
    )


def _options(config: RunConfig) -> str:
    return ", ".join(f"task.options.{key}={value}" for key, value in config.single.options.items())


def _keys(config: RunConfig) -> ClozeKeys:
    return ClozeKeys.model_validate(config.head.keys)
