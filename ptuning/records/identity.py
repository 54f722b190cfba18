"""A run's identity: a document that holds everything that can change the run's number and nothing else (not paths,
devices, lanes or W&B). The hash of it is the run's id.

It is made from the config alone: no file is read and no weights are needed, so that tables, status and `--dry` work
where backbones are not. That a record was made from the same weights is another question (`records.matching`).

The names and values in it never change, whatever configs call them later, or every record of old is lost. A field
says itself how it stands there, by `ptuning.config.Hashed` in its annotation, in the file that defines it:

    clip: float                                           under its own name, whatever its value
    bundled: Annotated[str, NOT_HASHED]                   not at all: it cannot change a number
    steps: Annotated[int | None, ADDED] = None            added when there were records: left out while it has its
                                                          default, which means "as before" and so never changes; a
                                                          record that lacks the key is read with it. What new runs
                                                          are to have by default stands in conf/, not here
    std: Annotated[float, Hashed(key="init_std")]         under another name than today's
    source: Annotated[str, Hashed(values={"pypi": "packaged"})]   with another value than today's
    init: Annotated[Normal | Uniform, Hashed(key="")]     a node whose keys stand among those of the node around it;
                                                          key="prompt" puts a node's keys under that of the root

This holds in every schema: of the run, of a method's `Prompt`, of the nodes inside those (one whose schema is found by
name is parsed to it by a validator of its field: plain mappings are hashed whole). A schema whose keys of
old have no field any more says them in `also_hashed` (`{"mlp_hidden": 512}`). A task's options are arguments of its
constructor, and are annotated there. A change of this code that can move what numbers are expected to be raises
`PROTOCOL` (of one task, its `version`). tests/records/test_identity.py recomputes the id of every known record.

Keys and values that old configs call otherwise are renamed in `records.configs.upgrade`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic.fields import FieldInfo

from ptuning import heads, methods, tasks
from ptuning.config import (
    BackboneConfig,
    EvaluationConfig,
    Hashed,
    MixtureConfig,
    Recorded,
    RunConfig,
    Schema,
    Source,
    TaskConfig,
)
from ptuning.tasks.custom.base import CustomTask

# Raised when a change of this code can move what a run's number is expected to be. One that only draws anew, such as
# another order of batches under the same seed, shows in the commit that each record names.
PROTOCOL = 1

# Of a run's config, where and how it is carried out: neither ids nor records hold it.
PLACES: Any = {"runtime": True, "data": {"root"}, "backbone": {"adaptation": {"text"}}}

Document = dict[str, Any]
_IDS: dict[str, str] = {}  # those that were made already, by what they are made from


def identity(config: Recorded) -> Document:
    """Everything about a run, or an evaluation, that can change its number, by keys that never change."""
    nodes = {"backbone": _backbone(config.backbone), "task": _task(config.task)}
    if isinstance(config, EvaluationConfig):
        return hashed(config, nodes | {"head": _named_head(config)}) | {"protocol": PROTOCOL, "kind": "evaluation"}
    head = _head(config)
    found = (
        hashed(config, nodes | {"prompt": _prompt(config), "train": _train(config)})
        | {"protocol": PROTOCOL}
        | _sources(config)
    )
    return found if head is None else found | {"head": head}


def _sources(config: RunConfig) -> Document:
    """The runs that it starts from: one alone, after its last step, as a whole; others by their ids, with the step and
    the share of each, in an order that is not that of the config: their mean has none."""
    sources = config.source_runs
    match sources:
        case []:
            return {}
        case [Source(run=RunConfig() as run, step="last")]:
            return {"parent": identity(run)}
    total = sum(one.weight for one in sources)
    found = [{"run": source_id(one), "step": one.step, "share": one.weight / total} for one in sources]
    return {"sources": sorted(found, key=lambda one: (one["run"], str(one["step"]), one["share"]))}


def source_id(source: Source) -> str:
    """The id of a source run."""
    return source.run if isinstance(source.run, str) else run_id(source.run)


def hashed(node: Schema, nodes: Mapping[str, Any] | None = None) -> Document:
    """What of a config node stands in an identity, by the keys that it has there; of the fields in `nodes`, what is
    given for them."""
    found: Document = dict(node.also_hashed)
    for name, how, default in _fields(type(node)):
        value = getattr(node, name)
        if how.counts and not (how.added and value == default):
            plain = nodes[name] if nodes and name in nodes else _plain(value, how.values)
            _put(found, node.hashed_under + name if how.key is None else how.key, plain)
    return found


def not_hashed(schema: type[Schema]) -> set[str]:
    """The fields of a schema that cannot change a number."""
    return {name for name, field in schema.model_fields.items() if not _how(field).counts}


@cache
def _fields(schema: type[Schema]) -> list[tuple[str, Hashed, Any]]:
    """A schema's fields, how each stands in an identity, and its default."""
    found = schema.model_fields.items()
    return [(name, _how(field), field.get_default(call_default_factory=True)) for name, field in found]


def _how(field: FieldInfo) -> Hashed:
    return next((one for one in field.metadata if isinstance(one, Hashed)), Hashed())


def _plain(value: Any, renamed: Mapping[Any, Any]) -> Any:
    """A value as JSON has it; strings and numbers by the name that identities have for them."""
    if isinstance(value, Schema):
        return hashed(value)
    if isinstance(value, Mapping):
        return {key: _plain(one, renamed) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, renamed) for one in value]
    return renamed.get(value, value)


def _put(document: Document, key: str, value: Any) -> None:
    """Set a dotted key; a mapping joins what stands there already."""
    first, _, rest = key.partition(".")
    if rest:
        _put(document.setdefault(first, {}), rest, value)
    elif isinstance(value, dict) and (not first or isinstance(document.get(first), dict)):
        target = document if not first else document[first]
        for name, one in value.items():
            _put(target, name, one)
    else:
        document[first] = value


def _backbone(backbone: BackboneConfig) -> Document:
    """Of a local folder the name stands for the path: records hold what is in it."""
    return {key: value for key, value in hashed(backbone).items() if key != "id" or not backbone.is_path}


def _task(task: TaskConfig | MixtureConfig) -> Document:
    """What of a task, or of a mixture's, can change a number."""
    if isinstance(task, MixtureConfig):
        return hashed(task) | {"tasks": {name: _task(one) for name, one in task.tasks.items()}}
    loaded = tasks.of(task)
    own = loaded.options if isinstance(loaded, CustomTask) else None
    options = tasks.hashed_options(loaded, task.options) if own is None else hashed(own)
    return hashed(task, {"options": options}) | {"version": loaded.version}


def _prompt(config: RunConfig) -> Document | None:
    """The `prompt` keys as the method's own schema has them."""
    prompt = methods.prompt_of(config)
    return None if prompt is None else hashed(prompt)


def _train(config: RunConfig) -> Document:
    """The `train` keys; `backbone` among them only where it is not as the method has it anyway."""
    train = config.train
    if train.backbone == methods.load(config.method).trains_backbone:
        train = train.model_copy(update={"backbone": None})
    return hashed(train)


def _head(config: RunConfig) -> Document | None:
    """The head and its keys; None where it is each task's own, as it was before there was a choice."""
    own = True
    for member in config.by_task.values():
        task = tasks.of(member.single)
        head = heads.of_run(member, task)
        own = own and head is heads.load(task.head)
    keys = heads.keys(config, head)
    own_keys = {} if keys is None else hashed(keys)
    return None if own and not own_keys else {"name": "auto" if own else config.head.name, **own_keys}


def _named_head(config: EvaluationConfig) -> Document:
    """The head and its keys."""
    keys = heads.keys(config, heads.load(config.head.name))
    return {"name": config.head.name, **({} if keys is None else hashed(keys))}


def run_id(config: Recorded) -> str:
    """Ten hexadecimal digits that name the run, or the evaluation."""
    key = f"{PROTOCOL} {config.model_dump_json(exclude=PLACES)}"
    if key not in _IDS:  # a sweep asks for the same ids over and over
        _IDS[key] = hashed_id(identity(config))
    return _IDS[key]


def hashed_id(document: Document) -> str:
    """The id that an identity makes."""
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:10]


def run_name(config: Recorded) -> str:
    """What its files are called: readable, and unique by the id at its end."""
    return f"{config.task.name}-{config.backbone.name}-{_method(config)}-{run_id(config)}"


def _method(config: Recorded) -> str:
    if isinstance(config, EvaluationConfig):
        return config.rule
    return f"{config.method}{_origin(config)}-seed{config.seed}"


def _origin(config: RunConfig) -> str:
    match config.source_runs:
        case []:
            return ""
        case [Source(run=RunConfig() as run)]:
            return f"-from-{run.task.name}"
        case [Source(run=identifier)]:
            return f"-from-{identifier}"
        case several:
            return f"-from-{len(several)}-sources"
