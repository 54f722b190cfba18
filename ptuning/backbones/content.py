"""What a backbone is, whatever its name or path: hashes of its weights and its tokenizer, and the part of its config
that changes the function. A record keeps them, and stands only for a backbone of the same content."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedConfig

from ptuning.backbones.dropout import HIDDEN_RATES
from ptuning.errors import InputError
from ptuning.files import write_atomic
from ptuning.pypi import cache_root

Content = dict[str, Any]

# Keys of a model's config that change nothing that it computes, or that a run sets itself.
_IMMATERIAL = {
    *HIDDEN_RATES, "_name_or_path", "architectures", "auto_map", "classifier_dropout", "classifier_dropout_prob",
    "dtype", "finetuning_task", "gradient_checkpointing", "id2label", "initializer_factor", "initializer_range",
    "label2id", "num_labels", "output_attentions", "output_hidden_states", "problem_type", "return_dict",
    "task_specific_params", "tie_word_embeddings", "torch_dtype", "torchscript", "transformers_version", "use_cache",
}  # fmt: skip
# Texts in which tokenizers differ that have the same vocabulary: case, accents, spaces, punctuation, scripts.
_PROBES = (
    "The quick brown fox jumps over 13 lazy dogs.",
    "It's Café-crème:  naïve,\tÜBER £5.00!\n don't (U.S.) e-mail@x.org",
    "日本語 русский العربية 😀 ½ ﬁ",
    "unbelievablyantidisestablishmentarian",
)


def of(model: nn.Module, tokenizer: Any, pooler: Mapping[str, Tensor] | None) -> Content:
    """The content of a loaded encoder: `pooler` is what the checkpoint has for it."""
    return {
        "fingerprint": fingerprint(model),
        "tokenizer": tokenizer_hash(tokenizer),
        "config": function_config(model.config),
        "pooler": None if pooler is None else hash_tensors(pooler),
    }


def fingerprint(model: nn.Module) -> str:
    """A hash of every weight of the encoder (name, shape, values as float32), whatever file it came from; its pooler
    and heads apart."""
    return hash_tensors(model.state_dict())


def hash_tensors(state: Mapping[str, Tensor]) -> str:
    """Sixteen hexadecimal digits of the names, shapes and values (as float32) of tensors of any shape."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def tokenizer_hash(tokenizer: Any) -> str:
    """A hash of the vocabulary, the special tokens and what becomes of a few texts: not of files or of a library's way
    to write them."""
    encoded = [tokenizer(text)["input_ids"] for text in _PROBES]
    encoded.append(tokenizer(_PROBES[0], _PROBES[1])["input_ids"])
    special = {str(name): str(token) for name, token in tokenizer.special_tokens_map.items()}
    found = [sorted(tokenizer.get_vocab().items()), sorted(special.items()), encoded]
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()[:16]


def function_config(config: PreTrainedConfig) -> dict[str, Any]:
    """What a model's config says that is not its family's default and that changes what the model computes."""
    default = json.loads(type(config)().to_json_string(use_diff=False))
    stated = json.loads(config.to_json_string(use_diff=False))
    counts = (key for key in stated if key not in _IMMATERIAL and stated[key] != default.get(key))
    return {"model_type": config.model_type} | {key: stated[key] for key in sorted(counts)}


# --- computed once for each folder


def remembered(folder: Path) -> Content | None:
    """The content of a folder's model where `remember` has kept it, whole, and no file there has changed since."""
    try:
        kept = json.loads(_memory(folder).read_text())
        whole = kept.pop("sha256") == _hash(kept) and kept["files"] == _state(folder)
        return kept["content"] if whole else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, InputError):
        return None  # there is none, or a damaged one


def remember(folder: Path, content: Content) -> None:
    """Keep the content of a folder's model, as long as its files stay as they are, in the cache folder."""
    with contextlib.suppress(OSError, InputError):  # a cache that cannot be written: it is computed again
        kept = {"folder": str(folder), "files": _state(folder), "content": content}
        file = _memory(folder)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, json.dumps(kept | {"sha256": _hash(kept)}))


def _hash(kept: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def _memory(folder: Path) -> Path:
    return cache_root() / "contents" / f"{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]}.json"


def _state(folder: Path) -> list[list[Any]]:
    """Each file's name, size and time of change."""
    files = sorted(file for file in folder.iterdir() if file.is_file())
    return [[file.name, (stat := file.stat()).st_size, stat.st_mtime_ns] for file in files]
