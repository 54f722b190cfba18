"""Write docs/reference.md: every key of a run, from the schemas that check them and the files of conf/ that set them.

`python -m experiments.reference`, or `make reference`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from omegaconf import DictConfig, OmegaConf
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ptuning import methods, registry, tasks
from ptuning.config import RunConfig, SourceConfig
from ptuning.files import write_atomic
from ptuning.launch import compose
from ptuning.prompts import inits, reparameterizations

PAGE = Path(__file__).parents[1] / "docs/reference.md"
INTRODUCTION = """# Every key of a run

Made by `make reference` from the schemas that check a run's keys and from the files of `conf/`. *Default* is what
`python -m experiments.run` uses by itself; a method's own defaults stand with the method. An unknown key is refused,
with the keys that are allowed in its place.
"""

Row = tuple[str, str, str, str]  # key, allowed, default, meaning


def page() -> str:
    """The whole page."""
    plain = compose.composed([])
    parts = [INTRODUCTION, _groups(), "## Keys of every run\n", _table(_rows(RunConfig, plain))]
    for name in registry.names("ptuning.methods"):
        parts += _method(name)
    for group, package in (("init", inits), ("reparameterization", reparameterizations)):
        for name in registry.names(package.__name__):
            defaults = OmegaConf.load(compose.CONF / group / f"{name}.yaml")
            parts += [
                f"## Keys of `{group}={name}`\n",
                _table(_rows(package.load(name).Config, defaults, f"prompt.{group}.")),
            ]
    parts += ["## Keys of a source\n", _table(_rows(SourceConfig, None, "sources.<name>."))]
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
    return [title, _table(_rows(schema, compose.composed([f"method={name}"]).prompt, "prompt."))]


def _rows(schema: type[BaseModel], defaults: Any, prefix: str = "") -> list[Row]:
    """A row a key; keys of a node below stand with its name before them."""
    rows: list[Row] = []
    for name, field in schema.model_fields.items():
        default = defaults.get(name) if isinstance(defaults, DictConfig) else None
        nested = _schema(field.annotation)
        if name == "prompt" and not prefix:
            continue  # the method's own
        if nested is not None and default:
            rows += _rows(nested, default, f"{prefix}{name}.")
        else:
            rows.append((f"`{prefix}{name}`", _allowed(field), _shown(default), _meaning(field)))
    return rows


def _schema(annotation: Any) -> type[BaseModel] | None:
    """The first schema in an annotation."""
    found = (
        one for one in (annotation, *get_args(annotation)) if isinstance(one, type) and issubclass(one, BaseModel)
    )
    return next(found, None)


def _allowed(field: FieldInfo) -> str:
    """The values that a field takes: its choices, or its type and bounds."""
    bounds = [str(bound) for bound in field.metadata if not hasattr(bound, "as_before")]
    shown = [_type(field.annotation), *(_bound(bound) for bound in bounds)]
    return ", ".join(one for one in shown if one)


def _bound(text: str) -> str:
    """`Ge(ge=1)` as `>= 1`."""
    found = re.fullmatch(r"\w+\((ge|gt|le|lt)=(.+)\)", text)
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    return f"{signs[found[1]]} {found[2]}" if found else ""


def _type(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(annotation))
    if get_origin(annotation) in (Union, UnionType):
        return " or ".join(_type(one) for one in get_args(annotation))
    names = {NoneType: "`null`", bool: "`true`, `false`", str: "text", int: "integer", float: "number", Path: "path"}
    if annotation in names:
        return names[annotation]
    return str(getattr(annotation, "__name__", annotation)) if get_origin(annotation) is None else "keys and values"


def _shown(value: Any) -> str:
    if isinstance(value, DictConfig) and not value:
        return "`{}`"
    return "`null`" if value is None else f"`{str(value).lower() if isinstance(value, bool) else value}`"


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
    write_atomic(PAGE, page())
    print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
