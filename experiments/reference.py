"""Write docs/reference.md: every key of a run, from the schemas that check them and the files of conf/ that set them.

`python -m experiments.reference`, or `make reference`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from omegaconf import Container, DictConfig, OmegaConf
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from experiments.output import escape_unprintable
from ptuning import heads, methods, registry, tasks
from ptuning.config import AdaptationConfig, EvaluateConfig, RunConfig, SourceConfig, TargetConfig
from ptuning.files import write_atomic
from ptuning.launch import compose, rerun
from ptuning.prompts import inits, reparameterizations

PAGE = Path(__file__).parents[1] / "docs/reference.md"
INTRODUCTION = """# Every key of a run

Made by `make reference` from the schemas that check a run's keys and from the files of `conf/`. *Default* is what
`python -m experiments.run` uses by itself; a method's own defaults stand with the method. An unknown key is refused,
with the key that is nearest, or those that are allowed.
"""

Row = tuple[str, str, str, str]  # key, allowed, default, meaning
REQUIRED, FOLLOWS = object(), object()  # in the place of a default: none; what other keys make of it
TYPES = {NoneType: "`null`", bool: "`true`, `false`", str: "text", int: "integer", float: "number", Path: "path"}


def page() -> str:
    """The whole page."""
    plain = compose.composed([])
    parts = [INTRODUCTION, _groups(), "## Keys of every run\n", _table(rows(RunConfig, plain))]
    for name in registry.names("ptuning.methods"):
        parts += _method(name)
    for name in registry.names("ptuning.heads"):
        parts += _head(name)
    for group, package in (("init", inits), ("reparameterization", reparameterizations)):
        for name in registry.names(package.__name__):
            defaults = OmegaConf.load(compose.CONF / group / f"{name}.yaml")
            parts += [
                f"## Keys of `{group}={name}`\n",
                _table(rows(package.load(name).Config, defaults, f"prompt.{group}.")),
            ]
    parts += ["## Keys of an adapted backbone\n", _table(_adaptation_rows(plain))]
    parts += ["## Keys of a source\n", _table(rows(SourceConfig, None, "sources.<name>."))]
    parts += ["## Keys of evaluations\n", _table(_evaluation_rows(plain))]
    parts += ["## Keys of a sweep\n", _table(_sweep_rows())]
    for name in registry.names("ptuning.tasks.custom"):
        options = tasks.find_kind(name).Options
        parts += [f"## Options of `task.kind={name}`\n", _table(rows(options, None, "task.options."))]
    parts += ["## Options of tasks\n", "What they mean stands in the tasks' files in `conf/task/`.\n", *_options()]
    return "\n".join(parts)


def _groups() -> str:
    """The groups of conf/ and their files."""
    lines = []
    for folder in sorted(path for path in compose.CONF.iterdir() if path.is_dir() and path.name != "hydra"):
        names = sorted(str(file.relative_to(folder).with_suffix("")) for file in folder.rglob("*.yaml"))
        chosen = [f"`{name}`" for name in names if folder.name != "paper" or "/" not in name]
        lines.append(f"* `{folder.name}=` {', '.join(chosen)}")
    return "## Groups\n\n" + "\n".join(lines) + "\n"


def _method(name: str) -> list[str]:
    schema = methods.load(name).Prompt
    title = f"## Keys of `method={name}`\n"
    if schema is None:
        return [title, "It has no `prompt.` keys.\n"]
    return [title, _table(rows(schema, compose.composed([f"method={name}"]).prompt, "prompt."))]


def _head(name: str) -> list[str]:
    keys = heads.load(name).Keys
    if keys is None:
        return []
    defaults = OmegaConf.load(compose.CONF / "head" / f"{name}.yaml")
    return [f"## Keys of `head={name}`\n", _table(rows(keys, defaults, "head."))]


def _adaptation_rows(plain: DictConfig) -> list[Row]:
    """What `backbone.adaptation` has, and the key that its text follows in files of conf/."""
    meaning = "plain text that the adapted backbones of conf/backbone/ are made of; null: the folder text of data.root"
    text = ("`text`", "text or `null`", _shown(plain.text), meaning)
    return [*rows(AdaptationConfig, None, "backbone.adaptation."), text]


def _evaluation_rows(plain: DictConfig) -> list[Row]:
    """What `experiments.evaluate` reads beside the keys of runs."""
    return [
        *rows(EvaluateConfig, plain.evaluate, "evaluate."),
        *rows(TargetConfig, None, "evaluate.targets.<name>."),
    ]


def _sweep_rows() -> list[Row]:
    """What no schema of a run has."""
    launcher = OmegaConf.load(compose.CONF / "hydra/launcher/packed.yaml")
    small = OmegaConf.to_container(OmegaConf.load(compose.CONF / "profile/small.yaml").sweep.budget)
    budget = ", ".join(f"`{key}`" for key in sorted(set(_leaves(small))))
    return [
        (
            "`hydra.launcher.devices`", f"`auto` or {_type(list[str])}", _shown(launcher.devices),
            "auto: every GPU of this machine, or its CPU; [cuda:0,cuda:1]: a worker process on each",
        ),
        (
            "`sweep.budget.<method>.<backbone>.<task>`", budget, _shown({}),
            "of `profile=small`: what its runs have instead of the method's epochs and all of the data; the method as "
            "it is chosen (`mpt_2`), source_epochs of the run that it starts from",
        ),
    ]  # fmt: skip


def _leaves(node: Any) -> Iterator[str]:
    """The keys of the innermost nodes."""
    for key, value in node.items():
        yield from _leaves(value) if isinstance(value, Mapping) else [key]


def rows(schema: type[BaseModel], defaults: Any, prefix: str = "") -> list[Row]:
    """A row a key; keys of a node below stand with its name before them, where it can be one of several schemas those
    of each. `defaults`: of conf/; the schema's own stand for what is not there."""
    found: dict[str, Row] = {}
    for name, field in schema.model_fields.items():
        if name == "prompt" and not prefix:
            continue  # the method's own
        default = _default(field, name, defaults)
        below = [row for one in _schemas(field.annotation) for row in rows(one, default, f"{prefix}{name}.")]
        for row in below or [(f"`{prefix}{name}`", _allowed(field), _shown(default), _meaning(field))]:
            found.setdefault(row[0], row)
    return list(found.values())


def _default(field: FieldInfo, name: str, defaults: Any) -> Any:
    """A key's default; `REQUIRED` where it has none, `FOLLOWS` where it is another with each task."""
    if isinstance(defaults, DictConfig) and name in defaults:
        alone = defaults._get_root() is defaults  # a file by itself, in which other keys are not there to follow
        follows = field.exclude or (alone and OmegaConf.is_interpolation(defaults, name))
        return FOLLOWS if follows else defaults[name]
    return REQUIRED if field.is_required() else field.get_default(call_default_factory=True)


def _members(annotation: Any) -> list[Any]:
    """What it can be, without the notes in an annotation."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [member for one in get_args(annotation) for member in _members(one)]
    return [annotation]


def _schemas(annotation: Any) -> list[type[BaseModel]]:
    """The schemas that a node has; none where it can be something else, such as null."""
    members = _members(annotation)
    return members if all(map(_is_schema, members)) else []


def _is_schema(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _allowed(field: FieldInfo) -> str:
    """The values that a field takes: its choices, or its type and bounds."""
    return ", ".join([_type(field.annotation), *_bounds(field)])


def _bounds(field: FieldInfo) -> list[str]:
    """`Ge(ge=1)` as `≥ 1`."""
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    found = (re.fullmatch(r"\w+\((ge|gt|le|lt)=(.+)\)", str(one)) for one in field.metadata)
    return [f"{signs[bound[1]]} {bound[2]}" for bound in found if bound]


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in arguments)
    if origin is Annotated:
        notes = [bound for note in arguments[1:] if isinstance(note, FieldInfo) for bound in _bounds(note)]
        return " ".join([_type(arguments[0]), *notes])
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(map(_type, arguments)))
    if origin is list:
        return f"list of {_type(arguments[0])}"
    if origin is dict or _is_schema(annotation):
        return "keys and values"
    return TYPES[annotation]


def _shown(value: Any) -> str:
    if value is REQUIRED:
        return "must be set"
    if value is FOLLOWS:
        return "the task's"
    plain = OmegaConf.to_container(value) if isinstance(value, Container) else value
    return f"`{value if isinstance(value, str | Path) else rerun.format_value(plain)}`"


def _meaning(field: FieldInfo) -> str:
    return (field.description or "").replace("|", "\\|")


def _options() -> Iterator[str]:
    """A line a task that has any: its options and their defaults."""
    for name in registry.names("ptuning.tasks"):
        options = OmegaConf.load(compose.CONF / "task" / f"{name}.yaml").options
        names = inspect.signature(type(tasks.load(name))).parameters
        if names:
            shown = ", ".join(f"`{option}` ({_shown(options.get(option))})" for option in names)
            yield f"* `task={name}`: {shown}"


def _table(rows: Sequence[Row]) -> str:
    lines = ["| key | allowed | default | meaning |", "| --- | --- | --- | --- |"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def main() -> None:
    escape_unprintable()
    write_atomic(PAGE, page())
    print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
