"""P-Tuning v2 (Liu et al., 2022, section 3): learned keys and values in every chosen layer. The tables' PT-2 column.

As the authors' code: a key and a value vector per layer, position and head; normal initialisation, std 0.02; dropout
on them, elementwise and per example; an MLP reparameterization where asked for. Differs from it: depth can be any set
of layers; position ids can be kept; keys and values enter through the attention interface, so nothing is forked.

`prefix_tuning` is the same but for what it usually is (conf/method): this one has no MLP, stands in the stack alone
that reads the text, and drops some of it out.
"""

from __future__ import annotations

from ptuning.methods.prefix_tuning import PrefixTuning


class PTuningV2(PrefixTuning):
    pass
