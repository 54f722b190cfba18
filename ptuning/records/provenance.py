"""What a record was made with: versions, machine, commit."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

CODE = ("ptuning", "experiments", "conf")  # what makes a checkout dirty, files that git does not know included


@cache
def provenance() -> dict[str, Any]:
    """Versions, machine and code behind a run."""
    packages = ("torch", "transformers", "datasets", "tokenizers", "numpy")
    return {
        "versions": {"python": platform.python_version()} | {package: version(package) for package in packages},
        "machine": {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()},
        "git": _commit(),
    }


def _commit() -> dict[str, Any]:
    """That of this code, and whether it has changed since; None where it is installed, be it in a folder that is
    somebody's own repository."""
    if _git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return {"commit": None, "dirty": None}
    changes = _git("status", "--porcelain", "-uall", "--", *(f":/{folder}" for folder in CODE))
    return {"commit": _git("rev-parse", "HEAD"), "dirty": None if changes is None else bool(changes)}


def _git(*arguments: str) -> str | None:
    """What git answers; None where there is no git, or no repository."""
    here = Path(__file__).parent
    try:
        answer = subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None
