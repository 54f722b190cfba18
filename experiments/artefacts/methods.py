"""How tables call a method and plots draw it: what `shown` in its file of conf/method/ says, and no list elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, cast

from omegaconf import OmegaConf
from pydantic import BaseModel, ConfigDict, ValidationError

from experiments.artefacts.style import Look
from ptuning.config import RunConfig
from ptuning.errors import InputError
from ptuning.launch import compose


class Shown(BaseModel):
    """A method by its `name` on the command line: its `label` in tables and legends, and its look."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    label: str
    color: str
    marker: str
    line: str

    @property
    def look(self) -> Look:
        return Look(self.color, self.marker, self.line)


def label(run: RunConfig) -> str:
    """What the papers' tables call the run's method. Raises InputError where no file says."""
    return shown(run.method, bool(run.sources)).label


def looks(labels: Iterable[str]) -> dict[str, Look]:
    """How each of the methods with these labels is drawn, once each, in their order. Raises KeyError."""
    known = {one.label: one.look for one in _all().values()}
    return {one: known[one] for one in labels}


def shown(method: str, from_stage: bool = False) -> Shown:
    """Of the method, or of the one that goes on `from_stage` with it. Raises InputError where no file says."""
    found = find(method, from_stage)
    if found is None:
        raise InputError(
            f"method {method}{' after a stage before it' if from_stage else ''} has no label: give its file in "
            "conf/method a `shown: {label: ..., color: ..., marker: ..., line: ...}`."
        )
    return found


def find(method: str, from_stage: bool) -> Shown | None:
    """As `shown`, but None where no file says."""
    return _all().get((method, from_stage))


@cache
def _all() -> dict[tuple[str, bool], Shown]:
    """By a run's method, and whether the run goes on from a stage before it."""
    files: dict[str, Any] = {f.stem: OmegaConf.load(f) for f in sorted((compose.CONF / "method").glob("*.yaml"))}
    return {
        (_method(file, files), "sources" in file): _read(name, file["shown"])
        for name, file in files.items()
        if "shown" in file
    }


def _method(file: Any, files: Mapping[str, Any]) -> str:
    """The key `method`, of the file itself or of the one that it is based on."""
    if "method" in file:
        return str(file["method"])
    (base,) = (one for one in file["defaults"] if one in files)
    return _method(files[base], files)


def _read(name: str, values: Any) -> Shown:
    try:
        return Shown.model_validate({"name": name} | cast("dict[str, Any]", OmegaConf.to_container(values)))
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"conf/method/{name}.yaml: shown.{'.'.join(map(str, first['loc']))} is refused ({first['msg']}): give "
            "label, color, marker and line, as other methods' files do."
        ) from None
