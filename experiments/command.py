"""The command `ptuning` of an installed project: `ptuning run …` is `python -m experiments.run …`, from any folder."""

from __future__ import annotations

import ast
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import ptuning
from ptuning.sweep.stopping import end_at_once

MODULES = {
    "run": "experiments.run",
    "status": "experiments.status",
    "evaluate": "experiments.evaluate",
    "explain": "experiments.explain",
    "answer": "experiments.answer",
    "peft": "experiments.peft",
    "table": "experiments.sweep_table",
}


def main() -> None:
    """Hand the arguments to the command that the first of them names."""
    end_at_once()  # the imports take seconds
    name, *rest = sys.argv[1:] or ["--help"]
    if name == "--version":
        print(f"ptuning {ptuning.__version__}")
    elif name in ("-h", "--help"):
        print(usage())
    elif name not in known():
        sys.exit(f"error: ptuning {name} is unknown: choose one of {', '.join(known())}.")
    else:
        sys.argv = [f"ptuning {name}", *rest]
        import_module(MODULES[name]).main()


def known() -> list[str]:
    """The commands whose modules there are."""
    return [name for name, module in MODULES.items() if find_spec(module) is not None]


def usage() -> str:
    """Each command, and the first line of what its module says of itself."""
    lines = [f"  ptuning {name:10} {_said(MODULES[name])}" for name in known()]
    return "\n".join(["Learn a prompt for a frozen backbone, and record what comes out.", "", *lines, "", _MORE])


_MORE = "`ptuning <command> --help` says more, `ptuning --version` which version this is."


def _said(module: str) -> str:
    """Without importing it, which takes seconds."""
    spec = find_spec(module)
    assert spec is not None and spec.origin is not None
    return (ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))) or "").split("\n")[0]
