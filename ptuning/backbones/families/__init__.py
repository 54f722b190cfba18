"""Families whose attention does not go through transformers' attention interface: one file a family, found by its name
(`config.model_type`, `-` written `_`), that gives each layer an attention which sees the layer's prompt."""

from __future__ import annotations

import importlib
from types import ModuleType

from transformers import MODEL_MAPPING, PreTrainedConfig, PreTrainedModel

from ptuning import registry


def implementation(config: PreTrainedConfig, wanted: str) -> str:
    """The attention to load a checkpoint with: the one that is wanted, or `prompted_eager` where transformers refuses
    to load the family with another, as it does with those that its attention interface does not reach."""
    supported = getattr(MODEL_MAPPING.get(type(config), None), "_supports_sdpa", True)
    return wanted if supported else "prompted_eager"


def adapt(model: PreTrainedModel) -> None:
    """Let the model's attention take prompts where its family has a file here; leave any other model as it is.

    Raises InputError for a variant of the family that the file does not cover.
    """
    if (family := _file(model.config)) is not None:
        family.adapt(model)


def counts_columns(config: PreTrainedConfig, width: int) -> bool:
    """Whether, in sequences of `width` tokens, what a token sees of another one depends on how many stand between
    them, whatever their position ids: by a bias for each distance, or by a window."""
    window = getattr(config, "sliding_window", None)
    if window is not None and "sliding_attention" in (getattr(config, "layer_types", None) or ["sliding_attention"]):
        return width > window
    return getattr(_file(config), "COUNTS_COLUMNS", False)


def _file(config: PreTrainedConfig) -> ModuleType | None:
    name = config.model_type.replace("-", "_")
    return importlib.import_module(f"{__name__}.{name}") if name in registry.names(__name__) else None
