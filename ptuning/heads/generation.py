"""Generation: the backbone's own language-model head says a whole text, token by token (Prefix-Tuning, Li and Liang,
2021, section 3.1; Prompt Tuning, Lester et al., 2021, section 2).

A decoder reads `x`, a separator, and goes on with `y`; of an encoder-decoder the encoder reads `x` and the decoder
says `y`. Training is teacher-forced, on `y` and the token that ends it alone; answers are decoded by transformers'
`generate` (`ptuning.training.generate`), greedily or with beams. It has no weights of its own.

The loss is what the released code has by default: the sum over a target's tokens, its mean over the batch's examples;
or the mean over all tokens of the batch. Differs from it: the separator is the tokenizer's own, or its end of text,
unless another is written, and targets that are too long lose their end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from pydantic import Field
from torch import Tensor

from ptuning.config import RunConfig, Schema
from ptuning.data.answer_places import Masked
from ptuning.data.encoded import IGNORED, Encoded
from ptuning.data.templates import Template
from ptuning.errors import InputError
from ptuning.heads.base import Decoding, HeadContext, LanguageModelHead, answer_place, parse_template
from ptuning.tasks.base import AnyTask
from ptuning.tasks.kinds.examples import Request


class GenerationKeys(Schema):
    template: str = Field(default="{source}", description="what is read of an example")
    separator: str = Field(default="[SEP]", description="what a decoder reads between that and what it is to say")
    max_target_length: int = Field(default=64, ge=2, description="tokens that are said at most, the end included")
    num_beams: int = Field(default=1, ge=1, description="of the search for an answer; 1: greedy")
    length_penalty: float = Field(default=1.0, description="of that search: above 0 it favours longer answers")
    loss: Literal["sum", "mean"] = Field(
        default="sum",
        description="over the tokens of a target, whose mean over examples it is then; or over all tokens",
    )


class Generation(LanguageModelHead):
    """Log-probabilities `[B, K]` of the target's tokens, 0 behind its end."""

    Keys = GenerationKeys

    def __init__(self, context: HeadContext) -> None:
        super().__init__(context)
        self.keys = _keys(context.config)
        self.decoding = Decoding(
            self.keys.max_target_length,
            self.keys.num_beams,
            self.keys.length_penalty if self.keys.num_beams > 1 else 1.0,  # of a beam search alone
            _end(context),
        )

    @classmethod
    def fields(cls, task: AnyTask) -> Sequence[str]:
        """The names of the texts that a template may have."""
        return task.template_fields

    @classmethod
    def check(cls, config: RunConfig, task: AnyTask) -> None:
        keys, fields = _keys(config), cls.fields(task)
        for key, text in (("head.template", keys.template), ("head.separator", keys.separator)):
            if parse_template(text, key, task.name, fields).count("mask"):
                raise InputError(f"{key}={text!r} has <mask>: leave it out, what is said stands behind what is read.")

    @classmethod
    def rows(cls, config: RunConfig) -> int:
        return Template.parse(_keys(config).template, "head.template").rows

    def forward(
        self, hidden: Tensor, real: Tensor, dropout_mask: Tensor | None = None, answers: Tensor | None = None
    ) -> Tensor:
        """Of `hidden` `[B, K, H]`, from which the tokens `answers` `[B, K]` are said."""
        assert answers is not None
        said = answers != IGNORED
        logits = self.backbone[0].logits(hidden[said][None])[0].float()  # [all tokens, V]
        found = logits.gather(1, answers[said][:, None])[:, 0] - logits.logsumexp(dim=-1)
        return found.new_zeros(answers.shape).masked_scatter(said, found)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        return -logits.sum()

    def weight(self, targets: Tensor) -> float:
        return len(targets) if self.keys.loss == "sum" else int((targets != IGNORED).sum())

    @classmethod
    def encode(cls, context: HeadContext, examples: Sequence[Any]) -> Encoded:
        """What is read, and what is to be said behind it: the first reference, as a word of its own where the text is
        one, and the token that ends it."""
        place, tokenizer, longest = _place(context), context.tokenizer, _keys(context.config).max_target_length
        space = " " if place.opens_with_space else ""
        requests = cls.requests(context, examples)
        targets = [space + (request.references or ("",))[0].strip() for request in requests]
        ids = tokenizer(targets, add_special_tokens=False, verbose=False)["input_ids"]
        end = _end(context)
        answers = [[*one, end][:longest] for one in ids]
        cut = sum(len(one) >= longest for one in ids)
        return _encoded(place, requests, answers, {"target": cut})

    @classmethod
    def encode_unanswered(cls, context: HeadContext, examples: Sequence[Any]) -> Encoded:
        """What is read alone, with the place from which the first token is said."""
        return _encoded(_place(context), cls.requests(context, examples), [[_end(context)]] * len(examples), {})

    @classmethod
    def texts(cls, context: HeadContext, predictions: Sequence[np.ndarray]) -> list[str]:
        return [text.strip() for text in context.tokenizer.batch_decode(list(predictions), skip_special_tokens=True)]

    @classmethod
    def collect(
        cls, context: HeadContext, examples: Sequence[Any], encoded: Encoded, predictions: Sequence[np.ndarray]
    ) -> Any:
        """The texts that were said."""
        return cls.texts(context, predictions)


def _encoded(
    place: Masked, examples: Sequence[Request], answers: Sequence[Sequence[int]], cut: dict[str, int]
) -> Encoded:
    """Of each example as many targets as its answer has tokens."""
    asked = place.ask([example.texts for example in examples], answers)
    return replace(
        asked.encoded(np.zeros(len(examples)), answers=answers),
        targets=np.array([token for answer in answers for token in answer]),
        target_starts=np.concatenate([[0], np.cumsum([len(answer) for answer in answers])]),
        cut={"text": place.filler.cut, **cut},
    )


def _place(context: HeadContext) -> Masked:
    """Raises InputError for a backbone that says nothing, or not so much."""
    keys, backbone = _keys(context.config), context.backbone
    if backbone.architecture == "encoder":
        raise InputError(
            f"head={context.config.head.name} is refused: backbone.name={context.config.backbone.name} is an encoder, "
            "which generates nothing; choose a decoder (smollm2_135m) or an encoder-decoder (flan_t5_small)."
        )
    text, room = keys.template, 0
    if backbone.architecture == "decoder":
        text, room = f"{keys.template} {keys.separator} <mask>", keys.max_target_length
        if room + 8 > context.max_length:
            raise InputError(
                f"head.max_target_length={room} leaves no room for what is read in task.max_length="
                f"{context.max_length}, which a decoder's text and answer share: set that to {room + 8} or more."
            )
    place = answer_place(context, Template.parse(text, "head.template"), room)
    most = backbone.shape.positions - len(place.opens) + 1
    if keys.max_target_length > most:
        raise InputError(
            f"head.max_target_length={keys.max_target_length} is more than this backbone's decoder has positions: set "
            f"it to {most} or less."
        )
    return place


def _end(context: HeadContext) -> int:
    """The token that ends a text. Raises InputError where the tokenizer has none."""
    tokenizer = context.tokenizer
    found = tokenizer.sep_token_id if tokenizer.eos_token_id is None else tokenizer.eos_token_id
    if found is None:
        raise InputError(
            f"head={context.config.head.name} is refused: this backbone's tokenizer has no token that ends a text; "
            "choose another one."
        )
    return int(found)


def _keys(config: RunConfig) -> GenerationKeys:
    return GenerationKeys.model_validate(config.head.keys)
