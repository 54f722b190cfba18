"""Fine-tuning: every weight of the backbone trains, there is no prompt. The tables' FT column."""

from __future__ import annotations

from ptuning.methods.base import Method


class FineTuning(Method):
    trains_backbone = True
