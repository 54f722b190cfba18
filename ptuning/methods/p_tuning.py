"""P-Tuning (Liu et al., 2021, arXiv:2103.10385, section 3): an input prompt that a prompt encoder produces, through
which its rows depend on each other; the encoder is dropped after training.

Differs from `prompt_tuning` in what it is used with: a prompt encoder by default (`reparameterization=lstm`; the
authors' MLP and none can be had), and a backbone that is frozen (the paper's LAMA) or trains with the prompt at a
rate of its own (the paper's SuperGLUE: `train.backbone=true`, `+train.lrs.backbone=1e-5` beside 1e-4 for the prompt).
Differs from the authors' code: position ids of tokens right of the prompt can be kept; the loss, the optimizer and the
schedule are the run's own keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ptuning.methods.base import InputPromptMethod


class PTuning(InputPromptMethod):
    peft_type = "P_TUNING"

    def peft_keys(self, reparameterization: Mapping[str, Any], width: int) -> dict[str, Any]:
        """Its encoder by kind and size, and the size by itself where there was none."""
        name = str(reparameterization["name"]).upper()
        return {
            "encoder_reparameterization_type": name if name in ("MLP", "LSTM") else "MLP",
            "encoder_hidden_size": reparameterization.get("hidden") or width,
            "encoder_num_layers": reparameterization.get("layers") or 2,
            "encoder_dropout": reparameterization.get("dropout") or 0.0,
        }
