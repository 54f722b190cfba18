"""What is found by its file's name: a method, a head, a task, a data source, ... There is no list to keep.

Parts of one's own stand elsewhere, in a folder laid out as this package is (`tasks/mine.py`, `methods/mine.py`, and
their YAML in `conf/task/mine.yaml`), which `use`, `plugins=<folder>` or the variable PTUNING_PLUGINS names; or in a
package that is installed and names each as an entry point of the group that it is of:

    [project.entry-points."ptuning.tasks"]
    mine = "my_package.mine"
    [project.entry-points."ptuning.conf"]
    mine = "my_package.conf"
"""

from __future__ import annotations

import os
import pkgutil
import sys
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from ptuning.errors import InputError

T = TypeVar("T")
PLUGINS = "PTUNING_PLUGINS"  # folders, as PATH has them: so that worker processes know them too


def names(package: str) -> list[str]:
    """The names that `package` has a file for, in alphabetical order; `base` holds what those files share."""
    return sorted({*_files(package), *_installed(package)})


def find(package: str, name: str, key: str) -> ModuleType:
    """The module `name` of `package`. Raises InputError, naming the config key, where there is no such file."""
    if name in _files(package):
        return import_module(f"{package}.{name}")
    if name in _installed(package):
        return import_module(_installed(package)[name].module)
    shown = name if name.isprintable() else repr(name)
    raise InputError(f"{key}={shown[:100]} is unknown: choose one of {', '.join(names(package))}.")


def find_class(package: str, name: str, base: type[T], key: str) -> type[T]:
    """The one subclass of `base` that the module `name` of `package` defines. Raises InputError as `find` does."""
    module = find(package, name, key)
    found = [
        item
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, base) and item.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise InputError(
            f"{key}={name} is refused: {module.__file__} defines {len(found)} classes of {base.__name__}, and one is "
            "wanted: give each a file of its own."
        )
    return found[0]


def _files(package: str) -> tuple[str, ...]:
    open_to_plugins(package)
    return _names(tuple(import_module(package).__path__))


@cache
def _names(folders: tuple[str, ...]) -> tuple[str, ...]:
    found = pkgutil.iter_modules(folders)
    return tuple(sorted(module.name for module in found if module.name != "base" and not module.ispkg))


@cache
def _installed(package: str) -> dict[str, EntryPoint]:
    return {one.name: one for one in entry_points(group=package)}


def use(folder: str | Path) -> None:
    """Find parts of one's own in `folder`, in this process and those that it starts. Raises InputError where it is
    none, or has no part."""
    path = Path(folder).expanduser().absolute()
    if not path.is_dir():
        raise InputError(f"plugins={folder} is not a folder: give one with tasks/, methods/, heads/, ... and conf/.")
    if not any(one.is_dir() and (one.name == "conf" or _is_ours(one.name)) for one in path.iterdir()):
        raise InputError(
            f"plugins={folder} has no part in it: lay it out as ptuning/ is (tasks/<name>.py, methods/<name>.py, "
            "heads/<name>.py), with conf/<group>/<name>.yaml beside them."
        )
    known = [str(one) for one in plugin_folders()]
    if str(path) not in known:
        _check_new(path)
    os.environ[PLUGINS] = os.pathsep.join(dict.fromkeys([*known, str(path)]))


def _check_new(folder: Path) -> None:
    """Raises InputError for a part that is called like one which is there: one of the two would never be found."""
    for own in sorted(one for one in folder.iterdir() if one.is_dir() and _is_ours(one.name)):
        package = f"{__package__}.{own.name}"
        for name in sorted({*_names((str(own),))} & {*names(package)}):
            raise InputError(
                f"plugins={folder} has {own.name}/{name}.py, and there is {package}.{name} already: call it otherwise."
            )


def _is_ours(name: str) -> bool:
    return (Path(__file__).parent / name / "__init__.py").is_file()


def plugin_folders() -> list[Path]:
    """Where parts of one's own are looked for."""
    return [Path(one) for one in os.environ.get(PLUGINS, "").split(os.pathsep) if one]


def open_to_plugins(package: str) -> None:
    """Let modules of `package` stand in the folder of the same name of plugins too. A package calls it when it is
    imported, for what worker processes are handed is unpickled by then."""
    path = sys.modules[package].__path__ if package in sys.modules else import_module(package).__path__
    for folder in plugin_folders():
        own = str(folder.joinpath(*package.split(".")[1:]))
        if own not in path:
            path.append(own)


def conf_folders() -> list[str]:
    """What Hydra's search path has beside our own conf/: the plugins' files, as it writes such places."""
    own = [f"file://{folder / 'conf'}" for folder in plugin_folders() if (folder / "conf").is_dir()]
    return own + [f"pkg://{one.value}" for one in _installed("ptuning.conf").values()]
