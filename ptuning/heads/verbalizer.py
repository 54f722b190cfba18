"""Verbalizer: the backbone's own language-model head says a label's word in a template (PET, Schick and Schütze, 2021,
section 3; P-Tuning, Liu et al., 2021, section 3.2; Prompt Tuning, Lester et al., 2021, section 2).

It answers at a mask (encoders), as the next token (decoders), or as the decoder's first (encoder-decoders): see
`ptuning.data.answer_places`. It has no weights of its own. A label's score is

* for one word of one token, its log-probability;
* for several words of one token each, the mean of their log-probabilities (P-Tuning's is that of their logits, which
  comes to the same: labels differ by as much);
* for a word of several tokens, the mean of its tokens' log-probabilities, each at its own place, in one pass. Examples
  are a sequence a label then, with as many places as its word has tokens. (PET fills them one after another, in the
  order of confidence.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from ptuning.config import NOT_HASHED, RunConfig, Schema
from ptuning.data.answer_places import Masked
from ptuning.data.encoded import IGNORED, Encoded
from ptuning.data.templates import Template
from ptuning.errors import InputError
from ptuning.heads.base import HeadContext, LanguageModelHead, answer_place, parse_template
from ptuning.tasks.base import AnyTask
from ptuning.tasks.kinds.examples import Example


class VerbalizerKeys(Schema):
    pattern: Annotated[str | None, NOT_HASHED] = Field(
        default=None, description="which of the task's templates `template` and `words` are; null: the first"
    )
    template: str | None = Field(description="the text that an example becomes; null where the task has none")
    words: dict[str, str | list[str]] = Field(
        description="what says a label: a word, several words, or a field of the example; its own name, where it has "
        "none"
    )
    loss: Literal["labels", "vocabulary"] = Field(
        description="what the gold word competes with: the other labels' words, or the whole vocabulary"
    )
    z_loss: float = Field(ge=0, description="weight of the squared log-sum over the vocabulary (T5's)")


class Verbalizer(LanguageModelHead):
    """Scores `[B, labels]`."""

    Keys = VerbalizerKeys
    ids: Tensor
    shares: Tensor
    also_answers = ("classification", "choice")

    def __init__(self, context: HeadContext) -> None:
        super().__init__(context)
        self.keys = _keys(context.config)
        self.labels = len(context.labels)
        _check_labels(self.keys, context.task)
        words = LabelWords(self.keys, context.labels, context.tokenizer, _place(context))
        if words.are_single_tokens:
            ids, shares = words.table()
            self.register_buffer("ids", ids, persistent=False)
            self.register_buffer("shares", shares, persistent=False)

    @classmethod
    def check(cls, config: RunConfig, task: AnyTask) -> None:
        keys = _keys(config)
        if keys.template is None:
            raise InputError(_no_template(config, keys.pattern))
        words = chain.from_iterable([one] if isinstance(one, str) else one for one in keys.words.values())
        named = [("head.template", str(keys.template)), *(("head.words", word) for word in words)]
        for key, text in named:
            template = parse_template(text, key, task.name, task.template_fields)
            if key == "head.words" and any(not part.is_text for part in template.parts):
                raise InputError(f"head.words={text!r} has a special place in it: words are text, or fields.")
        if task.labels:  # else they are its data's
            _check_labels(keys, task)

    @classmethod
    def rows(cls, config: RunConfig) -> int:
        return _template(config).rows

    @classmethod
    def carries_over(cls, labels: Sequence[str], others: Sequence[str]) -> bool:
        """Labels are words, those of the task that is answered, and have no weights of their own."""
        return True

    def forward(
        self, hidden: Tensor, real: Tensor, dropout_mask: Tensor | None = None, answers: Tensor | None = None
    ) -> Tensor:
        """Of each label its score and the mean square of the vocabulary's log-sum where it is said, `[B, labels, 2]`;
        `hidden` `[B, 1, H]`, or `[B x labels, K, H]` where `answers` `[B x labels, K]` are scored."""
        logits = self.backbone[0].logits(hidden).float()  # [B, K, V]
        total = logits.logsumexp(dim=-1)  # [B, K]
        if answers is None:
            found = logits[:, 0][:, self.ids] * self.shares  # [B, labels, words]
            score = found.sum(dim=-1) - total
            return torch.stack([score, total.square().expand_as(score)], dim=-1)
        said = answers != IGNORED
        found = logits.gather(2, answers.clamp(min=0)[..., None])[..., 0] - total
        means = [(one * said).sum(dim=1) / said.sum(dim=1) for one in (found, total.square())]
        return torch.stack(means, dim=-1).view(-1, self.labels, 2)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        scores, squares = logits.unbind(dim=-1)
        if self.keys.loss == "labels":
            loss = functional.cross_entropy(scores, targets[:, 0], reduction="sum")
        else:
            loss = -scores.gather(1, targets).sum()
        return loss + self.keys.z_loss * squares.gather(1, targets).sum() if self.keys.z_loss else loss

    def predictions(self, logits: Tensor, lengths: np.ndarray) -> list[np.ndarray]:
        return super().predictions(logits[..., 0], lengths)

    @classmethod
    def encode(cls, context: HeadContext, examples: Sequence[Example]) -> Encoded:
        answered_at, labels = _place(context), len(context.labels)
        words = LabelWords(_keys(context.config), context.labels, context.tokenizer, answered_at)
        texts = [example.texts for example in examples]
        if words.are_single_tokens:
            choices, answers = 1, [[0]] * len(texts)  # whichever it is, it has one place
        else:
            choices, answers = labels, [ids for text in texts for ids in words.of(text)]
            texts = [text for text in texts for _ in range(labels)]
        targets = np.array([example.label for example in examples])
        own = None if words.are_single_tokens else answers
        return answered_at.ask(texts, answers).encoded(targets, choices, own)

    @classmethod
    def collect(
        cls, context: HeadContext, examples: Sequence[Example], encoded: Encoded, predictions: Sequence[np.ndarray]
    ) -> np.ndarray:
        """The examples' scores `[N, labels]`."""
        return np.stack(predictions)


class LabelWords:
    """What says each label, in the backbone's tokens."""

    def __init__(self, keys: VerbalizerKeys, labels: Sequence[str], tokenizer: Any, place: Masked) -> None:
        """Raises InputError where a label cannot be said, or two are said alike."""
        given = [keys.words.get(str(label), str(label)) for label in labels]
        self.tokenizer, self.space = tokenizer, place.opens_with_space
        self.words = [
            [Template.parse(word, "head.words") for word in ([one] if isinstance(one, str) else one)] for one in given
        ]
        self.has_fields = any(word.fields for one in self.words for word in one)
        self.tokens: list[list[list[int]]] = []  # of each word of each label
        if not self.has_fields:
            self.tokens = [[self._tokens(word, {}) for word in one] for one in self.words]
            _check_distinct([ids for one in self.tokens for ids in one], given)
        self.are_single_tokens = not self.has_fields and all(len(ids) == 1 for one in self.tokens for ids in one)
        if not self.are_single_tokens and any(len(one) != 1 for one in self.words):
            several = next(one for one in given if not isinstance(one, str))
            raise InputError(
                f"head.words has {several}, several words for a label, and not all words are one token each in this "
                "backbone's vocabulary: give each label one word, or words of one token."
            )

    def of(self, texts: Mapping[str, str]) -> list[list[int]]:
        """The tokens of each label's word for one example."""
        found = (
            [self._tokens(word, texts) for (word,) in self.words]
            if self.has_fields
            else [one for (one,) in self.tokens]
        )
        if self.has_fields:
            _check_distinct(found, [_written(word, texts) for (word,) in self.words])
        return found

    def table(self) -> tuple[Tensor, Tensor]:
        """The token of each word, `[labels, words]`, and its share in its label's mean, 0 where there is none."""
        most = max(map(len, self.tokens))
        ids = torch.tensor([[*(one for (one,) in own), *[0] * (most - len(own))] for own in self.tokens])
        shares = [[1 / len(own)] * len(own) + [0.0] * (most - len(own)) for own in self.tokens]
        return ids, torch.tensor(shares)

    def _tokens(self, word: Template, texts: Mapping[str, str]) -> list[int]:
        text = _written(word, texts)
        ids = self.tokenizer(f"{' ' * self.space}{text}", add_special_tokens=False, verbose=False)["input_ids"]
        if not text or not ids or self.tokenizer.unk_token_id in ids:
            raise InputError(
                f"head.words has {text!r}, which this backbone's vocabulary cannot say: choose another word for it."
            )
        return list(ids)


def _written(word: Template, texts: Mapping[str, str]) -> str:
    return "".join(part.written(texts) for part in word.parts).strip()


def _check_distinct(tokens: Sequence[Sequence[int]], words: Sequence[Any]) -> None:
    if len({tuple(ids) for ids in tokens}) < len(tokens):
        shown = ", ".join(str(word) for word in words)
        raise InputError(
            f"head.words says two labels alike in this backbone's vocabulary ({shown[:100]}): choose others."
        )


def _check_labels(keys: VerbalizerKeys, task: AnyTask) -> None:
    """Raise InputError for words of what is no label."""
    if strange := [label for label in keys.words if label not in map(str, task.labels)]:
        raise InputError(
            f"head.words.{strange[0]} is no label of task.name={task.name}: they are {', '.join(task.labels)}."
        )


def _no_template(config: RunConfig, pattern: str | None) -> str:
    names = ", ".join(config.single.templates)
    if pattern is not None and names:
        return f"head.pattern={pattern} is no template of task.name={config.single.name}: choose one of {names}."
    return (
        f"head.template is not set, and task.name={config.single.name} has no template of its own: write one, such as "
        "head.template=\"'{first} It was <mask> .'\", or choose head=auto."
    )


def _template(config: RunConfig) -> Template:
    return Template.parse(str(_keys(config).template), "head.template")


def _keys(config: RunConfig) -> VerbalizerKeys:
    return VerbalizerKeys.model_validate(config.head.keys)


def _place(context: HeadContext) -> Masked:
    return answer_place(context, _template(context.config))
