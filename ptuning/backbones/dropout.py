"""The backbone's own dropout: off, or at a rate for the hidden states."""

from __future__ import annotations

from typing import Any

from torch import nn

from ptuning.errors import InputError

# What families call the rate of their hidden states. Attention's own keeps the checkpoint's, as in the authors' code
# (T5 has one rate for all).
HIDDEN_RATES = (
    "hidden_dropout_prob", "dropout", "embedding_dropout", "mlp_dropout", "resid_pdrop", "embd_pdrop", "dropout_rate",
)  # fmt: skip


def set_rate(config: Any, rate: float) -> None:
    """Write `rate` into a model's config. Raises InputError where it has no key for it, unless the rate is 0."""
    keys = [key for key in HIDDEN_RATES if hasattr(config, key)]
    if rate and not keys:
        raise InputError(
            f"train.backbone_dropout={rate} is refused: backbone family {config.model_type!r} has no dropout of its "
            "hidden states that could be set; set train.backbone_dropout=0."
        )
    for key in keys:
        setattr(config, key, rate)


def switch_off(model: nn.Module) -> None:
    """Every dropout of the model, of layers too, also where a module keeps its rate as a plain number."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for name, value in vars(module).items():
            if ("dropout" in name or name == "layerdrop") and isinstance(value, float):
                setattr(module, name, 0.0)
