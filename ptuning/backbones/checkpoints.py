"""Checkpoints, from the hub or a folder: read without running code that they bring along, and refused where they are
no plain, whole and finite model with a tokenizer that fits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import CONFIG_MAPPING, AutoConfig, AutoTokenizer, PreTrainedConfig, PreTrainedModel
from transformers.utils import find_adapter_config_file, logging

from ptuning.backbones import dropout, families, tokenizers
from ptuning.config import BackboneConfig
from ptuning.errors import InputError

PLAIN = "config.json, model.safetensors, tokenizer.json and tokenizer_config.json"
LAYERS = 1000  # more than any model has


def read(
    config: BackboneConfig, source: str, rate: float, attention: str, kind: type[Any]
) -> tuple[PreTrainedModel, Any, set[str]]:
    """A model of transformers' auto class `kind` from the folder or hub id `source`, its tokenizer, and the weights
    that the checkpoint lacks. Raises InputError where it cannot be read, or is not what it should be."""
    where, known = f"backbone.id={config.id}", {"revision": config.revision, "trust_remote_code": False}
    settings = stated(config, source)
    dropout.set_rate(settings, rate)
    implementation = families.implementation(settings, attention)
    with _refusing(f"{where}: its weights cannot be read", "load the checkpoint anew, or choose another"):
        model, report = kind.from_pretrained(
            source,
            config=settings,
            attn_implementation=implementation,
            dtype=torch.float32,
            output_loading_info=True,
            **known,
        )
    _check_finite(model, where)
    with _refusing(f"{where}: its tokenizer cannot be read", tokenizers.FIX):
        tokenizer = AutoTokenizer.from_pretrained(source, **known)
        tokenizer("A text, and", "a second one")  # some are found broken only when they are used
    tokenizers.check(tokenizer, model, where)
    return model, tokenizer, set(report["missing_keys"])


def stated(config: BackboneConfig, source: str) -> PreTrainedConfig:
    """The config of the checkpoint in `source`. Raises InputError where it is of no model that can be read."""
    where = f"backbone.id={config.id}"
    logging.disable_progress_bar()
    logging.set_verbosity_error()  # missing weights are checked by our callers, not left to a warning
    _check_kind(_content(config, source), source, config.revision, where)
    with _refusing(f"{where}: transformers makes nothing of config.json", "correct it, or load the folder anew"):
        return AutoConfig.from_pretrained(source, revision=config.revision, trust_remote_code=False)


def _content(config: BackboneConfig, source: str) -> dict[str, Any]:
    """What config.json says. Raises InputError where there is none, or it is no JSON object."""
    where = f"backbone.id={config.id}"
    if Path(source).is_dir():
        what, fix = f"{where}: there is no config.json that can be read", f"give a folder with {PLAIN}"
    else:
        what = f"{where}: the Hugging Face hub or folder gives no such model"
        fix = "check the id and the network, or use one of the package index (backbone=minilm_l6)"
    with _refusing(what, fix):
        content, _ = PreTrainedConfig.get_config_dict(source, revision=config.revision)
        if not isinstance(content.get("model_type"), str):
            raise ValueError("it has no model_type")
    return content


def _check_kind(content: dict[str, Any], source: str, revision: str, where: str) -> None:
    """Raise InputError for a checkpoint whose weights are not those of a model that transformers has itself."""
    if content.get("quantization_config") is not None:
        raise InputError(
            f"{where}: the checkpoint is quantised (quantization_config in its config.json), and gradients need plain "
            "weights: give the model that it was made from."
        )
    if content["model_type"] not in CONFIG_MAPPING:
        own = (
            "brings code of its own, which is never run" if "auto_map" in content else "is of no family that there is"
        )
        raise InputError(
            f"{where}: model_type={content['model_type']} {own}: choose a model of a family that transformers has "
            "(bert, roberta, ...)."
        )
    for key, value in content.items():
        if "layer" in key and isinstance(value, int) and value > LAYERS:  # they would be made, one after another
            raise InputError(f"{where}: {key}={value} is refused: at most {LAYERS}; correct config.json.")
    with _refusing(f"{where}: its files cannot be listed", "check the id and the network"):
        adapter = find_adapter_config_file(source, revision=revision)
    if adapter is not None:
        raise InputError(
            f"{where}: the checkpoint is an adapter of another model (adapter_config.json): give that model, or merge "
            "the two and save what comes out."
        )


def _check_finite(model: nn.Module, where: str) -> None:
    for name, weight in model.named_parameters():
        if not torch.isfinite(weight).all():
            raise InputError(f"{where}: the weight {name} is not finite: load the checkpoint anew, or choose another.")


@contextmanager
def _refusing(what: str, fix: str) -> Iterator[None]:
    """Whatever transformers and its parsers raise on files that others made, as one sentence."""
    try:
        yield
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(f"{what} ({lines[0].strip()[:300].rstrip('.: ')}): {fix}.") from error
