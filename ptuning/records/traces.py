"""Texts of errors as they are kept: without where on a machine, and whose, things lie."""

from __future__ import annotations

import os
import re
import sysconfig
from pathlib import Path

_CHECKOUT = Path(__file__).parents[2]
_INSTALLED = ("stdlib", "purelib", "platlib")  # of the folders that Python tells of


def without_places(text: str) -> str:
    """With paths in the checkout, the working directory and the folders of installed packages relative to these, and
    those in the home directory below `~`."""
    for place, name in sorted(_places().items(), key=lambda one: -len(one[0])):
        inside, itself = ("~/", "~") if name == "~" else ("", name)
        text = re.sub(re.escape(place) + r"/(?=[\w.-])", inside, text)
        text = re.sub(re.escape(place) + r"(?![\w.-])", itself, text)
    return text


def _places() -> dict[str, str]:
    """Folders, with links and without, and what is said in their place."""
    named = {Path(folder): "site-packages" for key, folder in sysconfig.get_paths().items() if key in _INSTALLED}
    named |= {Path(os.path.expanduser("~")): "~", Path.cwd(): ".", _CHECKOUT: "."}
    return {str(one): name for folder, name in named.items() for one in (folder, folder.resolve()) if one != Path("/")}
