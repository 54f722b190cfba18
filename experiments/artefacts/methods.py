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
from ptuning.launch import compose, rerun
from ptuning.records import store

FROM = " from "  # in the label of a run that starts from others: `PT-2 from cb`


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
    return of(store.dump(run)).label


def looks(labels: Iterable[str]) -> dict[str, Look]:
    """How each of the methods with these labels is drawn, once each, in their order: the same from whatever it starts.
    Raises KeyError."""
    known = {one.label: one.look for one in _files().values()}
    return {one: known[one.partition(FROM)[0]] for one in labels}


def of(config: Mapping[str, Any]) -> Shown:
    """Of a run, whose config this is: as the file says that adds the runs that it starts from, or else as the method's
    own, `from` them. Raises InputError where no file says."""
    origins = rerun.origins(config)
    file = rerun.method_file(config["method"], config["task"]["name"], origins) if origins else None
    if file is not None and file in _files():
        return _files()[file]
    own = shown(config["method"])
    return own.model_copy(update={"label": own.label + FROM + ", ".join(origins)}) if origins else own


def shown(method: str) -> Shown:
    """Of a method whose runs start from no other. Raises InputError where no file says."""
    if method not in _by_method():
        raise InputError(
            f"method {method} has no label: give its file in conf/method a `shown: {{label: ..., color: ..., "
            "marker: ..., line: ...}`."
        )
    return _by_method()[method]


@cache
def _by_method() -> dict[str, Shown]:
    """What the files say of methods that start from no other run. Raises InputError where two speak of one."""
    files, found = _loaded(), dict[str, Shown]()
    for name, one in _files().items():
        method = _method(files[name], files)
        if "sources" not in files[name]:
            if method in found:
                raise InputError(
                    f"conf/method/{found[method].name}.yaml and conf/method/{name}.yaml both say how {method} is "
                    "shown: take `shown` out of one."
                )
            found[method] = one
    return found


@cache
def _files() -> dict[str, Shown]:
    """What each file says, by its name."""
    return {name: _read(name, file["shown"]) for name, file in _loaded().items() if "shown" in file}


@cache
def _loaded() -> dict[str, Any]:
    return {file.stem: OmegaConf.load(file) for file in sorted((compose.CONF / "method").glob("*.yaml"))}


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
