"""What can be said of a backbone without its weights: how many layers it has, and where a prompt can stand in it."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import torch
from torch import nn
from transformers import AutoModel, PreTrainedConfig, PreTrainedModel

from ptuning.backbones import families
from ptuning.backbones.encoder import Encoder
from ptuning.backbones.encoder_decoder import EncoderDecoder
from ptuning.errors import InputError
from ptuning.prompts.placement import Layout


@dataclass(frozen=True)
class Shape:
    config: PreTrainedConfig
    positions: int  # that a sequence can have
    takes_positions: bool  # whether position ids can be stated; else a token's place is its index

    @property
    def layers(self) -> int:
        return int(self.config.num_hidden_layers)

    def check(self, layout: Layout, max_length: int) -> None:
        """Raise InputError where the family cannot place a prompt as `layout` says, or prompt and text could pass the
        end of its position table."""
        family, allowed = self.config.model_type, ["shift", "keep"]
        if not self.takes_positions:
            allowed = ["shift"] if layout.inserted else ["keep"]
        if layout.length and layout.positions not in allowed:
            raise InputError(
                f"prompt.positions={layout.positions} is refused: backbone family {family!r} takes no position ids, "
                f"so that a token's position is its index; set prompt.positions={allowed[0]}."
            )
        within = layout.inserted and layout.placement != "prefix"  # so that its rows part the text's tokens
        if (
            within
            and layout.positions == "keep"
            and families.counts_columns(self.config, max_length + layout.inserted)
        ):
            raise InputError(
                f"prompt.positions=keep is refused with prompt.placement={layout.placement}: backbone family "
                f"{family!r} counts the tokens between two of the text, and the prompt's are among them; set "
                "prompt.positions=shift, or prompt.placement=prefix."
            )
        layout.check(max_length, self.positions)


def of_network(network: Encoder, first_position: int) -> Shape:
    """That of a model, whose first token has the position id `first_position`."""
    config = network.model.config
    positions = getattr(config, "max_position_embeddings", None) or sys.maxsize
    return Shape(config, positions - first_position, network.takes_positions)


def of_config(config: PreTrainedConfig) -> Shape:
    """That of the model that `config` describes, of which no weights are made. Raises whatever transformers does where
    it describes none."""
    with torch.device("meta"):
        model = AutoModel.from_config(config)
    network = (EncoderDecoder if config.is_encoder_decoder else Encoder)(model)
    return of_network(network, _padding_positions(network.body) if network.takes_positions else 0)


def _padding_positions(body: PreTrainedModel) -> int:
    """How many entries at the beginning of its position table are no token's: as many as there are ids up to that of
    padding, where the table has one for padding (RoBERTa)."""
    tables = (module for name, module in body.named_modules() if name.endswith("position_embeddings"))
    paddings = [table.padding_idx for table in tables if isinstance(table, nn.Embedding)]
    return next((padding + 1 for padding in paddings if padding is not None), 0)
