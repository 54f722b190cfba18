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

import sys
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field
from torch import Tensor

from ptuning.config import RunConfig, Schema
from ptuning.data.answer_places import PLACES, Masked
from ptuning.data.encoded import IGNORED, Encoded
from ptuning.data.templates import Template
from ptuning.errors import InputError
from ptuning.heads.base import Decoding, Head, HeadContext
from ptuning.seeds import Streams
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


class Generation(Head):
    """Log-probabilities `[B, K]` of the target's tokens, 0 behind its end."""

    Keys = GenerationKeys
    usual_dropout = 0.0
    has_weights = False
    needs_language_model = True

    def __init__(self, context: HeadContext) -> None:
        super().__init__(context)
        self.backbone = [context.backbone]  # in a list, since it is no part of the head
        self.keys = _keys(context.config)
        self.decoding = Decoding(
            self.keys.max_target_length,
            self.keys.num_beams,
            self.keys.length_penalty if self.keys.num_beams > 1 else 1.0,  # of a beam search alone
            _end(context),
        )

    @classmethod
    def check(cls, config: RunConfig, task: AnyTask) -> None:
        keys = _keys(config)
        for key, text in (("head.template", keys.template), ("head.separator", keys.separator)):
            template = Template.parse(text, key)
            if template.count("mask"):
                raise InputError(f"{key}={text!r} has <mask>: leave it out, what is said stands behind what is read.")
            if unknown := [field for field in template.fields if field not in task.template_fields]:
                raise InputError(
                    f"{key}={text!r} has {{{unknown[0]}}}, and examples of task.name={task.name} have "
                    f"{', '.join(task.template_fields)}: write one of those."
                )

    @classmethod
    def rows(cls, config: RunConfig) -> int:
        return Template.parse(_keys(config).template, "head.template").rows

    def dropout_mask(self, streams: Streams, step: int, sequences: int, width: int) -> Tensor | None:
        """None: what it reads goes to the backbone's own head."""
        return None

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
    def encode(cls, context: HeadContext, examples: Sequence[Request]) -> Encoded:
        """What is read, and what is to be said behind it: the first reference, as a word of its own where the text is
        one, and the token that ends it."""
        place, tokenizer, longest = _place(context), context.tokenizer, _keys(context.config).max_target_length
        space = " " if place.opens_with_space else ""
        targets = [space + (example.references or ("",))[0].strip() for example in examples]
        ids = tokenizer(targets, add_special_tokens=False, verbose=False)["input_ids"]
        end = _end(context)
        answers = [[*one, end][:longest] for one in ids]
        cut = sum(len(one) >= longest for one in ids)
        return _encoded(place, examples, answers, {"target": cut})

    @classmethod
    def encode_unanswered(cls, context: HeadContext, examples: Sequence[Request]) -> Encoded:
        """What is read alone, with the place from which the first token is said."""
        return _encoded(_place(context), examples, [[_end(context)]] * len(examples), {})

    @classmethod
    def collect(
        cls, context: HeadContext, examples: Sequence[Request], encoded: Encoded, predictions: Sequence[np.ndarray]
    ) -> list[str]:
        """The texts that were said."""
        return [text.strip() for text in context.tokenizer.batch_decode(list(predictions), skip_special_tokens=True)]


def _encoded(
    place: Masked, examples: Sequence[Request], answers: Sequence[Sequence[int]], cut: dict[str, int]
) -> Encoded:
    asked = place.ask([example.texts for example in examples], answers)
    lengths = [len(answer) for answer in answers]
    width = asked.reads.shape[1]
    return Encoded(
        tokens=np.array([token for one in asked.texts for token in one.tokens], dtype=np.int32),
        types=np.array([kind for one in asked.texts for kind in one.types], dtype=np.int8),
        starts=np.concatenate([[0], np.cumsum([len(one.tokens) for one in asked.texts])]),
        infix=np.array([one.infix for one in asked.texts]),
        targets=np.array([token for answer in answers for token in answer]),
        target_starts=np.concatenate([[0], np.cumsum(lengths)]),
        owners=np.arange(len(examples)),
        reads=asked.reads,
        rows=np.array([one.rows for one in asked.texts]) if asked.texts[0].rows else None,
        answers=np.array([[*answer, *[IGNORED] * (width - len(answer))] for answer in answers]),
        decoder=asked.decoder,
        cut={"text": place.filler.cut, **cut},
    )


def _place(context: HeadContext) -> Masked:
    """Raises InputError for a backbone that says nothing, or not so much."""
    keys, backbone = _keys(context.config), context.backbone
    config = backbone.model.config
    if backbone.architecture == "encoder":
        raise InputError(
            f"head=generation is refused: backbone.name={context.config.backbone.name} is an encoder, which generates "
            "nothing; choose a decoder (smollm2_135m) or an encoder-decoder (flan_t5_small)."
        )
    text, room = keys.template, 0
    if backbone.architecture == "decoder":
        text, room = f"{keys.template} {keys.separator} <mask>", keys.max_target_length
        if room + 8 > context.max_length:
            raise InputError(
                f"head.max_target_length={room} leaves no room for what is read in task.max_length="
                f"{context.max_length}, which a decoder's text and answer share: set that to {room + 8} or more."
            )
    start = getattr(config, "decoder_start_token_id", None)
    template = Template.parse(text, "head.template")
    place = PLACES[backbone.architecture](template, context.tokenizer, context.max_length, start, room)
    most = (getattr(config, "max_position_embeddings", None) or sys.maxsize) - len(getattr(place, "opens", [])) + 1
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
            "head=generation is refused: this backbone's tokenizer has no token that ends a text; choose another one."
        )
    return int(found)


def _keys(config: RunConfig) -> GenerationKeys:
    return GenerationKeys.model_validate(config.head.keys)
