"""The weights that a run trained, as safetensors: the prompt without its reparameterization, the head, and the
backbone where the method trains it. The header holds the run's config and the content of the backbone that it was
trained on, so that a prompt never answers, or is gone on with, on another; the labels, where they are the data's; and
checksums of what it says and of the tensors, which older files lack."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ptuning import methods
from ptuning.backbones.backbone import Backbone
from ptuning.backbones.content import Content
from ptuning.config import (
    BackboneConfig,
    MixtureConfig,
    RunConfig,
    RuntimeConfig,
    Source,
    TrainedPrompt,
    parse,
)
from ptuning.errors import InputError
from ptuning.files import write_atomic
from ptuning.methods.base import folded_config
from ptuning.parsed import Run
from ptuning.prompts.inits.base import SourcePrompt
from ptuning.records import configs, matching, store
from ptuning.records.identity import run_name
from ptuning.records.record import Record, last_step
from ptuning.training import epoch_selection
from ptuning.training.adapter import Adapter
from ptuning.training.lanes import LaneTask

State = dict[str, Tensor]
Step = int | str  # how many, `last` or `best`
GIVE = "give a file that runtime.save=true has written"
AGAIN = "give a whole copy, or remove it and train the run again"


@dataclass(frozen=True)
class Header:
    """What a file says of itself: the config of its run, in today's form; the content of the backbone that this was
    trained on, empty where an older file does not hold it; the names of its tensors; and the labels that its task has
    of its data, none where they are its own."""

    config: Mapping[str, Any]
    backbone: Content
    tensors: Sequence[str]
    labels: Sequence[str] = ()


def trained_state(lane_tasks: Sequence[LaneTask], backbone: Backbone) -> State:
    """The prompt (folded), the head (of a mixture one a set, by its name), and the backbone where the method trains
    it; copied to the CPU."""
    heads = {"head." if len(lane_tasks) == 1 else f"head.{one.name}.": one.adapter.head for one in lane_tasks}
    return _on_cpu(_state(lane_tasks[0].adapter, heads, backbone))


def state_of(adapter: Adapter, backbone: Backbone) -> State:
    """What a file of an adapter holds: as `trained_state`."""
    return _on_cpu(_state(adapter, {"head.": adapter.head}, backbone))


def _on_cpu(state: State) -> State:
    return {key: value.detach().to("cpu", copy=True).contiguous() for key, value in state.items()}


def _state(adapter: Adapter, heads: Mapping[str, nn.Module], backbone: Backbone) -> State:
    """The tensors of a file, by their names there; `heads` by the prefix of theirs."""
    state = {f"prompt.{key}": value for key, value in adapter.method.folded().items()}
    for prefix, head in heads.items():
        state |= {f"{prefix}{key}": value for key, value in head.state_dict().items()}
    if methods.trains_backbone(adapter.config):
        state |= {f"backbone.{key}": value for key, value in backbone.weights().items()}
    return state


def path(run: RunConfig, step: Step | None = None) -> Path:
    """Where a run's weights are kept: all that it trained, as of the epoch that it is reported by, or with `step`, in
    a folder of their own, its prompt alone as of then (`runtime.keep_steps`)."""
    if step is None:
        return run.runtime.weights / f"{run_name(run)}.safetensors"
    return _steps(run.runtime) / f"{run_name(run)}-step-{step}.safetensors"


def _steps(runtime: RuntimeConfig) -> Path:
    """The folder of prompts that answer nothing, having no head: apart from the files that are given to answer."""
    return runtime.weights / "steps"


def write(file: Path, run: RunConfig, state: State, backbone: Mapping[str, Any], labels: Sequence[str] = ()) -> Path:
    """Write `state` atomically; the header holds the config, and what the run's record says of the `backbone` and of
    the `labels` of its data."""
    return _write(file, store.dump(run), state, backbone, labels)


def copy(file: Path, to: Path, backbone: BackboneConfig, content: Content) -> Path:
    """Write the weights of a file to another one, whose backbone is found as `backbone` says, and has that content.
    Raises InputError where the file is not as `write` wrote it."""
    header = read_header(file)
    config = dict(header.config) | {"backbone": backbone.model_dump(mode="json")}
    return _write(to, config, load_state(file), content, header.labels)


def _write(
    file: Path, config: Mapping[str, Any], state: State, backbone: Mapping[str, Any], labels: Sequence[str]
) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {key: value for key, value in backbone.items() if key in matching.COMPARED}
    said = {"config": json.dumps(config), "backbone": json.dumps(content)}
    said |= {"labels": json.dumps(list(labels))} if labels else {}
    header = {"format": "pt", **said, "said_sha256": _hash_said(said), "tensors_sha256": _hash_tensors(state)}
    write_atomic(file, save(state, header))
    return file


def _hash_said(said: Mapping[str, str]) -> str:
    found = [said.get("config"), said.get("backbone"), *([said["labels"]] if "labels" in said else [])]
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()


def _hash_tensors(state: State) -> str:
    """Of their names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def read_header(file: Path) -> Header:
    """Raises InputError for a file that `write` has not written, or whose header is no longer as it wrote it."""
    if not file.is_file():
        raise InputError(f"{file} does not exist: train with runtime.save=true to keep a run's weights.")
    with _open(file) as stored:
        said, names = stored.metadata() or {}, list(stored.keys())
    if said.get("said_sha256", _hash_said(said)) != _hash_said(said):
        raise InputError(f"{file} is damaged (its header has another checksum): {AGAIN}.")
    try:
        config = configs.upgrade(json.loads(said["config"]))
        content = _content(json.loads(said.get("backbone", "{}")))
        labels = [str(label) for label in json.loads(said.get("labels", "[]"))]
        BackboneConfig.model_validate(config["backbone"])
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):  # of JSON that says something else
        raise InputError(f"{file} holds no run's weights (its header has no run's config): {GIVE}.") from None
    return Header(config, content, names, labels)


@contextmanager
def _open(file: Path) -> Iterator[Any]:
    """Raises InputError for a file that is not whole, and for one of another kind."""
    try:
        with safe_open(file, "pt") as stored:
            yield stored
    except (SafetensorError, OSError) as error:
        said = " ".join(str(error).split())[:200]
        raise InputError(f"{file} holds no run's weights ({said}): {GIVE}.") from None


def _content(stored: Any) -> Content:
    """Raises ValueError for what is no backbone's content."""
    hashes = {key: value for key, value in stored.items() if key != "config"}
    if not isinstance(stored.get("config", {}), dict) or not all(
        value is None or (isinstance(value, str) and value.isalnum()) for value in hashes.values()
    ):
        raise ValueError("no backbone's content")
    return dict(stored)


def read_config(file: Path, runtime: RuntimeConfig) -> RunConfig:
    """The run whose weights `write` saved, in the form in which they load: without reparameterization.

    Raises InputError for any other file, and for one that holds a prompt alone.
    """
    folded = read_run(file, runtime)
    has_head = any(name.startswith("head.") for name in read_header(file).tensors)
    if not has_head and any(head.has_weights for head in Run.parse(folded).heads.values()):
        raise InputError(f"{file} holds the prompt of one of the run's steps, without a head to answer with: {GIVE}.")
    return folded


def read_run(file: Path, runtime: RuntimeConfig) -> RunConfig:
    """As `read_config`, of a file that may hold a prompt alone. Raises InputError for any other file."""
    run = parse(RunConfig, {**read_header(file).config, "sources": {}, "runtime": runtime}, str(file))
    return run.model_copy(update={"prompt": folded_config(run.prompt)})


def trained_file(prompt: TrainedPrompt, runtime: RuntimeConfig) -> Path:
    """Where what a run has trained is kept, as it was after a step: all that it has trained (`runtime.save`), else its
    prompt alone (`runtime.keep_steps`). Raises InputError where there is none."""
    for file in sorted(runtime.weights.glob(f"*-{prompt.id}.safetensors")):
        if saved_step(parse(RunConfig, {**read_header(file).config, "runtime": runtime}, str(file))) == prompt.step:
            return file
    kept = sorted(_steps(runtime).glob(f"*-{prompt.id}-step-{prompt.step}.safetensors"))
    if not kept:
        raise InputError(
            f"the run {prompt.id} has no weights of step={prompt.step} in runtime.weights={runtime.weights}: train it "
            "with runtime.save=true, or say where they are."
        )
    return kept[0]


def saved_step(run: RunConfig) -> Literal["last", "best"]:
    """When what `runtime.save` keeps was trained: after the evaluation that the run is reported by."""
    return "last" if epoch_selection.rule(run.selection) is epoch_selection.last else "best"


def load(file: Path, run: RunConfig, backbone: Backbone) -> Adapter:
    """The adapter whose weights `write` saved, ready to predict; what it is stands in the file, where and how it runs
    in `run`.

    Raises InputError where the file is missing, damaged or not the run's, or was trained on another backbone.
    """
    folded = read_config(file, run.runtime)
    here = run.backbone.model_copy(update={"pooler": folded.backbone.pooler})  # which is the head's
    return load_for(file, folded.model_copy(update={"backbone": here}), backbone)


def load_for(file: Path, folded: RunConfig, backbone: Backbone) -> Adapter:
    """As `load`, for the task and the head's keys of `folded`, which may be others than those of `read_config`. Raises
    InputError as that does, and for a file of a mixture."""
    if isinstance(folded.task, MixtureConfig):
        raise InputError(f"{file} is of the mixture {folded.task.name}: give a run on one task that started from it.")
    check_backbone(file, folded.backbone, backbone)
    state = load_state(file)
    adapter = Adapter(_labelled(file, Run.parse(folded)), folded.task.name, backbone)
    check_backbone(file, folded.backbone, backbone)  # whose language-model head may have been loaded with it
    _check_fits(file, state, _state(adapter, {"head.": adapter.head}, backbone))
    adapter.method.load_folded(_part(state, "prompt.", backbone.device))
    adapter.head.load_state_dict(_part(state, "head.", backbone.device))
    if methods.trains_backbone(folded):
        backbone.load_weights(_part(state, "backbone.", backbone.device))
    return adapter.eval()


def _labelled(file: Path, run: Run) -> Run:
    """The run, with the labels of the file's data where its task has none of its own."""
    (name, task), labels = next(iter(run.tasks.items())), read_header(file).labels
    return run.answering({name: task.with_labels(labels)}) if labels and not task.labels else run


def _check_fits(file: Path, state: State, wanted: State) -> None:
    """Raise InputError where the file's tensors are not those that the run which it names has."""
    for name in sorted({*state, *wanted}):
        there, here = (_shown(of.get(name)) for of in (state, wanted))
        if there != here:
            raise InputError(
                f"{file}: the tensor {name} is {there} there, and {here} in the run that the file names: {GIVE}."
            )


def _shown(tensor: Tensor | None) -> str:
    return "absent" if tensor is None else f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"


def check_backbone(file: Path, config: BackboneConfig, backbone: Backbone) -> None:
    """Raise InputError where the file's weights were trained on another backbone than the one that `config` names.

    Its content decides; of an older file, which does not hold it, the name.
    """
    header = read_header(file)
    there, name = header.backbone, header.config["backbone"]["name"]
    differing = matching.difference(there, backbone.content)
    if differing is not None:
        raise InputError(
            f"{file} was trained on another backbone (backbone.name={name}) than the one that is called "
            f"backbone.name={config.name} here (backbone.id={config.id}), {differing}; load the other, or train anew "
            "on this one under another backbone.name."
        )
    if not there and name != config.name:
        raise InputError(f"{file} was trained on backbone.name={name}, not on {config.name}: load that one for it.")


def source_file(source: Source, runtime: RuntimeConfig) -> Path:
    """Where a source's prompt is. Raises InputError where there is none."""
    if isinstance(source.run, RunConfig):
        file = path(source.run, source.step)
        if file.exists():
            return file
        _check_reached(source, store.find(source.run))
        raise InputError(
            f"the source {source.name} left no prompt of step={source.step}: see what became of "
            f"{run_name(source.run)}."
        )
    pattern = f"*-{source.run}-step-{source.step}.safetensors"
    found = sorted(_steps(runtime).glob(pattern))
    if not found:
        _check_reached(source, store.find_id(runtime.results, source.run))
        raise InputError(
            f"sources.{source.name}.id={source.run} has no {pattern} in {_steps(runtime)}: check the id and "
            f"runtime.weights, or train that run with runtime.keep_steps=[{source.step}]."
        )
    return found[0]


def _check_reached(source: Source, record: Record | None) -> None:
    """Raise InputError where the source's record says that it stopped before the step that is asked for."""
    reached = None if record is None else last_step(record)
    if reached is not None and isinstance(source.step, int) and reached < source.step:
        raise InputError(
            f"sources.{source.name}.step={source.step} was never taken: that run stopped at step {reached}; set an "
            "earlier one, last or best."
        )


def sources(run: RunConfig, backbone: Backbone) -> list[SourcePrompt]:
    """The prompts that a run starts from. Raises InputError where one is not there, or is of another backbone."""
    found = []
    for one in run.source_runs:
        file = source_file(one, run.runtime)
        check_backbone(file, run.backbone, backbone)
        found.append(SourcePrompt(one.name, load_prompt(file), one.weight))
    return found


def load_state(file: Path) -> State:
    """All tensors of a file that `write` has written. Raises InputError where they are no longer as it wrote them."""
    with _open(file) as stored:
        said = stored.metadata() or {}
        state = {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118 (not a dict)
    if "tensors_sha256" in said and said["tensors_sha256"] != _hash_tensors(state):
        raise InputError(f"{file} is damaged (its tensors have another checksum): {AGAIN}.")
    for name, tensor in state.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor.float()).all():
            raise InputError(f"{file} is damaged (the tensor {name} is not finite): {AGAIN}.")
    return state


def load_prompt(file: Path) -> Tensor:
    """`[P, W]`, float32. Raises InputError where the file holds none."""
    prompt = load_state(file).get("prompt.prompt")
    if prompt is None or prompt.dtype != torch.float32 or prompt.dim() != 2:
        raise InputError(
            f"{file} holds no prompt to start from (prompt.prompt is {_shown(prompt)}, and should be float32 of two "
            "dimensions): give a run that trained one."
        )
    return prompt


def _part(state: State, prefix: str, device: torch.device) -> State:
    return {key.removeprefix(prefix): value.to(device) for key, value in state.items() if key.startswith(prefix)}
