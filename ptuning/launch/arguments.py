"""What a command was given beside overrides: `plugins=<folder>`, and Hydra's `--config-dir`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ptuning import registry
from ptuning.errors import InputError
from ptuning.launch import overrides

_SEARCHPATH = "hydra.searchpath"
_FLAGS = ("--config-dir", "-cd")


def read(arguments: Sequence[str]) -> list[str]:
    """The arguments with parts of one's own put to use: the folders of `plugins` (several with commas) are found from
    now on, and those of `--config-dir` stand in `hydra.searchpath`, so that all who compose a config see them.

    Raises InputError for a folder that is none.
    """
    rest: list[str] = []
    folders: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        flag, _, value = argument.partition("=")
        if flag == "plugins":
            for folder in value.strip("[]").split(","):
                registry.use(folder)
        elif flag in _FLAGS:
            folders.append(_config_dir(value or next(waiting, "")))
        elif flag == _SEARCHPATH:
            folders += overrides.parse(argument).value()
        else:
            rest.append(argument)
    return rest + ([f"{_SEARCHPATH}={json.dumps(folders, ensure_ascii=False)}"] if folders else [])


def _config_dir(given: str) -> str:
    folder = Path(given).expanduser().absolute()
    if not given or not folder.is_dir():
        raise InputError(f"--config-dir={given} is not a folder: give one with <group>/<name>.yaml in it.")
    return f"file://{folder}"
