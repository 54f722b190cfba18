"""What entry points print."""

from __future__ import annotations

import io
import sys


def escape_unprintable() -> None:
    """Let standard output take any text: what its encoding does not have is escaped, as it is for standard error."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a notebook's is none, and takes all
        sys.stdout.reconfigure(errors="backslashreplace")
