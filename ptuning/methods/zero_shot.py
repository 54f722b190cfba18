"""Nothing trains: the backbone as it is answers by a hand template, once (Petroni et al., 2019, section 4)."""

from __future__ import annotations

from ptuning.config import RunConfig
from ptuning.errors import InputError
from ptuning.methods.base import Method


class ZeroShot(Method):
    @classmethod
    def check(cls, config: RunConfig) -> None:
        super().check(config)
        if config.train.steps != 0 or config.train.backbone:
            raise InputError(
                f"method={config.method} trains nothing: set train.epochs=null train.steps=0, and leave out "
                "train.backbone."
            )
