"""Embeddings of a text's tokens; it may say what is asked. A longer text is cut to the prompt's length, a shorter one
repeated, as PEFT does it."""

from __future__ import annotations

from itertools import cycle, islice

from pydantic import Field
from torch import Tensor

from ptuning.errors import InputError
from ptuning.prompts.inits.base import Init


class Text(Init):
    class Config(Init.Config):
        text: str = Field(min_length=1, description="what it starts from; cut or repeated to the prompt's length")

    config: Config
    kinds = ("input",)

    def input_prompt(self, length: int) -> Tensor:
        backbone = self.context.backbone
        ids = backbone.tokenizer(self.config.text, add_special_tokens=False)["input_ids"]
        if not ids:
            raise InputError(f"prompt.init.text={self.config.text!r} has no tokens: give it words.")
        return self.context.embeddings(list(islice(cycle(ids), length)))
