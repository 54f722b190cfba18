"""PEFT's folders: a trained prompt as `PeftModel.from_pretrained` reads it, and one that PEFT has trained, for us.

Both ways a prompt is folded, as PEFT keeps it too: what produced it in training stays behind. A method says what it is
called there (`Method.peft_type`), a head what it does there and how transformers calls its modules (`Head.peft_task`,
`Head.transformers_names`). Nothing of PEFT is needed to write or to read.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)

from ptuning import heads, methods, registry
from ptuning.backbones import load as backbones
from ptuning.backbones.backbone import Backbone
from ptuning.config import RunConfig
from ptuning.errors import InputError
from ptuning.files import write_atomic
from ptuning.methods.base import PromptMethod, folded_config
from ptuning.parsed import Run
from ptuning.records import weights
from ptuning.records.run_record import backbone_of
from ptuning.run import prepare_backbone
from ptuning.sharing import folder, origin
from ptuning.sharing.folder import About
from ptuning.training.adapter import Adapter

CONFIG, WEIGHTS, BASE = "adapter_config.json", "adapter_model.safetensors", "base_model"
CLASSES: Mapping[str, Any] = {  # PEFT's task types, and transformers' classes for them
    "SEQ_CLS": AutoModelForSequenceClassification,
    "TOKEN_CLS": AutoModelForTokenClassification,
    "QUESTION_ANS": AutoModelForQuestionAnswering,
    "CAUSAL_LM": AutoModelForCausalLM,
}
_PREFIX = "base_model."  # before the names of transformers' modules in PEFT's files
State = dict[str, Tensor]


def check(adapter: Adapter, backbone: Backbone) -> None:
    """Raise InputError where PEFT has no prompt that computes what the adapter does, naming what it is."""
    config, method, head = adapter.config, adapter.method, adapter.head
    prompt = config.prompt or {}
    if methods.trains_backbone(config):
        raise _refused(f"method={config.method}, which trains the backbone")
    if method.peft_type is None or not isinstance(method, PromptMethod):
        raise _refused(f"method={config.method}")
    if prompt.get("double_embedding"):
        raise _refused("prompt.double_embedding=true")
    if prompt["placement"] != "prefix":
        raise _refused(f"prompt.placement={prompt['placement']}: its prompts stand in front alone")
    if prompt["positions"] != "shift":
        raise _refused(f"prompt.positions={prompt['positions']}: its prompts shift them")
    if head.peft_task is None:
        raise _refused(f"head={heads.name_of(type(head))}")
    if backbone.architecture == "encoder_decoder":
        raise _refused("an encoder-decoder, whose encoder and cross sites PEFT's prompts do not reach as ours do")
    if method.kind == "deep" and len(method.sites) < backbone.layers:
        raise _refused(f"prompt.layers={prompt['layers']}: its prefixes are at all layers")
    if method.kind == "input" and head.peft_task != "CAUSAL_LM":
        raise _refused("an input prompt with a head that reads tokens: behind it PEFT's classes read a virtual token")
    _check_model(adapter, backbone)


def _check_model(adapter: Adapter, backbone: Backbone) -> None:
    kind, head = backbone.model.config.model_type, adapter.head
    if head.peft_task == "CAUSAL_LM":
        if backbone.architecture != "decoder":
            raise _refused("a masked language model, for which it has no task type")
        return
    if kind not in head.transformers_names:
        known = ", ".join(head.transformers_names)
        raise _refused(f"a head of weights on model_type={kind}: it is known how it stands in {known} alone")
    state = head.state_dict()
    for own in head.transformers_names[kind]:
        if not any(name.startswith(own) for name in state):
            raise _refused(
                f"backbone.pooler={adapter.config.backbone.pooler}: transformers' class of {kind} has a pooler before "
                "its classifier; train with backbone.pooler=frozen, trained or random for it"
            )


def _refused(what: str) -> InputError:
    return InputError(f"PEFT has no counterpart for {what}: share it as save_pretrained writes it.")


def write(
    adapter: Adapter,
    reparameterization: Mapping[str, Any],
    backbone: Backbone,
    base: str,
    to: Path,
    revision: str | None = None,
) -> Path:
    """Write a folder for PEFT: of a folded adapter, whose prompt was trained with that `reparameterization`, on a
    model that PEFT finds under `base`, a hub id (and there at that `revision`) or a folder. Raises InputError as
    `check` does."""
    check(adapter, backbone)
    method, head = adapter.method, adapter.head
    assert isinstance(method, PromptMethod)
    prompt = method.folded()["prompt"].cpu().float().contiguous()
    names = _names(adapter, backbone)
    heads, width = (method.sites[0].kv_heads, method.sites[0].head_dim) if method.sites else (1, backbone.embedding)
    said = {
        "peft_type": method.peft_type,
        "task_type": head.peft_task,
        "base_model_name_or_path": base,
        "revision": revision,
        "inference_mode": True,
        "num_virtual_tokens": len(prompt),
        "token_dim": heads * width,
        "num_transformer_submodules": 1,
        "num_attention_heads": heads if method.sites else backbone.model.config.num_attention_heads,
        "num_layers": backbone.layers,
        "modules_to_save": _modules(names, backbone) or None,
        **method.peft_keys(reparameterization, heads * width),
    }
    to.mkdir(parents=True, exist_ok=True)
    save_file({"prompt_embeddings": prompt, **_head_state(adapter, names)}, to / WEIGHTS, {"format": "pt"})
    write_atomic(to / CONFIG, json.dumps(said, indent=2) + "\n")
    write_atomic(to / "README.md", _card(adapter, said))
    return to


def _card(adapter: Adapter, said: Mapping[str, Any]) -> str:
    """How PEFT loads it."""
    outputs = _outputs(adapter)
    labels = "" if outputs is None else f", num_labels={outputs}"
    at = "" if said["revision"] is None else f", revision={said['revision']!r}"
    kind = CLASSES[said["task_type"]].__name__
    answers = f"The labels, in their order: {', '.join(adapter.task.labels)}.\n" if adapter.task.labels else ""
    return f"""---
library_name: peft
---
# {said["peft_type"]} for {adapter.task.name}

```python
from peft import PeftModel
from transformers import {kind}

base = {kind}.from_pretrained({said["base_model_name_or_path"]!r}{at}{labels})
model = PeftModel.from_pretrained(base, "<this folder>").eval()
```

{answers}"""


def _outputs(adapter: Adapter) -> int | None:
    """The numbers that its head gives; None of a head without weights."""
    last = adapter.head.state_dict().get("linear.weight")
    return None if last is None else len(last)


def _names(adapter: Adapter, backbone: Backbone) -> Mapping[str, str]:
    """What a head's modules are called by transformers: their prefixes by ours; none of a head without weights."""
    return adapter.head.transformers_names.get(backbone.model.config.model_type, {})


def _modules(names: Mapping[str, str], backbone: Backbone) -> list[str]:
    """The modules that PEFT keeps beside a prompt: those of transformers' class that are not in its backbone by their
    first name, the others by their last."""
    inside = f"{backbone.model.base_model_prefix}."
    paths = [theirs.removesuffix(".").split(".") for theirs in names.values()]
    return sorted({path[-1] if f"{path[0]}." == inside else path[0] for path in paths})


def _head_state(adapter: Adapter, names: Mapping[str, str]) -> State:
    """The head's tensors by PEFT's names. A linear layer without a bias has one there, of zeros."""
    state = adapter.head.state_dict()
    found: State = {}
    for own, theirs in names.items():
        part = {name.removeprefix(own): value for name, value in state.items() if name.startswith(own)}
        if set(part) == {"weight"}:
            part["bias"] = torch.zeros(len(part["weight"]))
        found |= {f"{_PREFIX}{theirs}{name}": value.cpu().float().contiguous() for name, value in part.items()}
    return found


def write_base(adapter: Adapter, backbone: Backbone, to: Path) -> Path:
    """Write the model that PEFT puts the prompt on: of transformers' class for the head's task, with the backbone's
    weights and tokenizer. Raises InputError as `check` does."""
    check(adapter, backbone)
    labels = dict(enumerate(map(str, adapter.task.labels)))
    outputs = _outputs(adapter)
    model = backbones.whole(adapter.config.backbone, CLASSES[str(adapter.head.peft_task)], outputs)
    if outputs == len(labels):
        model.config.id2label, model.config.label2id = labels, {label: index for index, label in labels.items()}
    model.save_pretrained(to)
    backbone.tokenizer.save_pretrained(to)
    return to


@dataclass(frozen=True)
class Given:
    """What a folder of PEFT's holds: its config, and its tensors."""

    folder: Path
    config: Mapping[str, Any]
    state: State

    @property
    def overrides(self) -> list[str]:
        """The keys of a run that the prompt is of; of the methods that PEFT calls so the first."""
        kinds = {name: methods.load(name) for name in registry.names("ptuning.methods")}
        found = [name for name, kind in kinds.items() if kind.peft_type == self.config["peft_type"]]
        if not found:
            known = sorted({str(kind.peft_type) for kind in kinds.values()} - {"None"})
            raise InputError(
                f"{self.folder}: peft_type={self.config['peft_type']} is no prompt that is known here: give one of "
                f"{', '.join(known)}."
            )
        return [
            f"method={found[0]}", f"prompt.length={self.config['num_virtual_tokens']}", "prompt.placement=prefix",
            "prompt.positions=shift", "reparameterization=none",
        ]  # fmt: skip


def read(place: Path) -> Given:
    """Raises InputError for a folder that holds no prompt of PEFT's, or one of several stacks."""
    try:
        config = json.loads((place / CONFIG).read_text(encoding="utf-8"))
        state = load_file(place / WEIGHTS)
        rows = config["num_virtual_tokens"]
        prompt, submodules = state["prompt_embeddings"], config.get("num_transformer_submodules")
        config["peft_type"]
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        said = " ".join(str(error).split())[:200]
        raise InputError(
            f"{place} holds no prompt that PEFT has saved ({said}): give a folder with {CONFIG} and {WEIGHTS}."
        ) from None
    if submodules not in (None, 1):
        raise InputError(f"{place}: num_transformer_submodules={submodules} is of an encoder-decoder: give another.")
    if prompt.dim() != 2 or len(prompt) != rows:
        raise InputError(f"{place}: prompt_embeddings is {list(prompt.shape)}, and num_virtual_tokens={rows}.")
    return Given(place, config, state)


def fill(adapter: Adapter, backbone: Backbone, given: Given) -> Adapter:
    """Put PEFT's weights in an adapter of such a run. Raises InputError as `check` does, and where they do not fit:
    they are of another task, or of a backbone of another shape."""
    check(adapter, backbone)
    method, head = adapter.method, adapter.head
    if (method.peft_type, head.peft_task) != (given.config["peft_type"], given.config.get("task_type")):
        raise InputError(
            f"{given.folder} is {given.config['peft_type']} for {given.config.get('task_type')}, and this run is "
            f"{method.peft_type} for {head.peft_task}: choose another method, task or head."
        )
    theirs = {"prompt": given.state["prompt_embeddings"].float()}
    _check_shapes(given, {"prompt_embeddings": method.folded()["prompt"]})
    method.load_folded(theirs)
    names, state = _names(adapter, backbone), head.state_dict()
    wanted = {
        f"{_PREFIX}{name.replace(own, there, 1)}": name
        for own, there in names.items()
        for name in state
        if name.startswith(own)
    }
    kept = {there: own for there, own in wanted.items() if there in given.state or not own.startswith("pooler.")}
    _check_shapes(given, {there: state[own] for there, own in kept.items()})
    head.load_state_dict(state | {own: given.state[there].float() for there, own in kept.items()})
    return adapter.eval()


def _check_shapes(given: Given, wanted: Mapping[str, Tensor]) -> None:
    for name, tensor in wanted.items():
        there = given.state.get(name)
        if there is None or there.shape != tensor.shape:
            shown = "absent" if there is None else list(there.shape)
            raise InputError(
                f"{given.folder}: {name} is {shown} there, and {list(tensor.shape)} in this run: choose the backbone "
                "and the task that it was trained on."
            )


def save(given: Given, run: RunConfig, to: Path) -> Path:
    """Write PEFT's prompt as `save_pretrained` writes ours: `run` says the task, the head and the backbone that it is
    of. Raises InputError as `fill` does."""
    run = run.model_copy(update={"prompt": folded_config(run.prompt)})
    parsed = Run.parse(run)
    backbone = prepare_backbone(parsed)
    adapter = fill(Adapter(parsed, run.single.name, backbone), backbone, given)
    content = backbone_of(parsed, backbone)
    about = About(
        id="peft", origin=origin.of(run.backbone), task=adapter.task.name, head=heads.name_of(type(adapter.head)),
        labels=list(adapter.task.labels), score=None,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        name = f"{adapter.task.name}-{run.backbone.name}-{run.method}-peft.safetensors"
        file = weights.write(Path(scratch) / name, run, weights.state_of(adapter, backbone), content)
        return folder.write(to, file, about, run.backbone, dict(content), False)
