"""A backbone from the hub, a folder, a package or at random: on its device, frozen, its dropout as asked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedModel
from transformers.utils import logging

from ptuning.backbones import families, tiny
from ptuning.backbones.backbone import Backbone
from ptuning.backbones.pypi_models import convert
from ptuning.config import BackboneConfig, TrainConfig
from ptuning.errors import InputError


def load(config: BackboneConfig, train: TrainConfig, attention: str = "sdpa", device: str = "cpu") -> Backbone:
    """The backbone of `config` on `device`, frozen, in float32, with the dropout of `train`.

    Raises InputError where the checkpoint cannot be had, lacks weights, or belongs to a family that prompts do not
    reach.
    """
    model, tokenizer, missing = _pretrained(config, train.backbone_dropout, f"prompted_{attention}")
    pooler = None
    if getattr(model, "pooler", None) is not None:
        if not any(name.startswith("pooler.") for name in missing):
            pooler = {name: tensor.clone() for name, tensor in model.pooler.state_dict().items()}
        model.pooler = None
    if train.backbone_dropout == 0:
        _switch_dropout_off(model)
    return Backbone(model, tokenizer, pooler).to(device)


def _pretrained(config: BackboneConfig, dropout: float, attention: str) -> tuple[PreTrainedModel, Any, set[str]]:
    if config.source == "random":
        model, tokenizer = tiny.build(config.id, dropout, attention)
        return model, tokenizer, {"pooler.dense.weight", "pooler.dense.bias"}
    source = _folder(config)
    logging.disable_progress_bar()
    logging.set_verbosity_error()  # missing weights are checked below, not left to a warning
    try:  # trust_remote_code: where it is left open, a "yes" on stdin runs the code that a model brings along
        settings = AutoConfig.from_pretrained(source, revision=config.revision, trust_remote_code=False)
        _set_dropout(settings, dropout)
        model, report = AutoModel.from_pretrained(
            source,
            config=settings,
            attn_implementation=families.implementation(settings, attention),
            dtype=torch.float32,
            revision=config.revision,
            trust_remote_code=False,
            output_loading_info=True,
        )
        tokenizer = AutoTokenizer.from_pretrained(source, revision=config.revision, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"backbone.id={config.id}: the Hugging Face hub or folder gives no such model ({_first_line(error)}): "
            "check the id and the network, or use a packaged backbone (backbone=minilm_l6)."
        ) from error
    missing = set(report["missing_keys"])
    unexpected = sorted(name for name in missing if not name.startswith("pooler."))
    if unexpected:
        raise InputError(f"backbone.id={config.id}: the checkpoint lacks {', '.join(unexpected[:3])}: choose another.")
    return model, tokenizer, missing


def _switch_dropout_off(model: nn.Module) -> None:
    """Every dropout of the model, also where a module keeps its rate as a plain number."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for name, value in vars(module).items():
            if "dropout" in name and isinstance(value, float):
                setattr(module, name, 0.0)


def _folder(config: BackboneConfig) -> str:
    if config.source == "packaged":
        pass

        return str(convert.materialise(config.id))
    path = Path(os.path.expanduser(config.id))
    return str(path) if path.is_dir() else config.id


def _set_dropout(settings: Any, rate: float) -> None:
    """The hidden dropout, as the authors set it (`hidden_dropout_prob`); attention dropout stays the checkpoint's."""
    for key in ("hidden_dropout_prob", "dropout", "embedding_dropout", "mlp_dropout"):
        if hasattr(settings, key):
            setattr(settings, key, rate)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")
