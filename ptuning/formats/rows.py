"""What every reader returns: the rows of a file, each with its place ("file:line", say), which opens any error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]
Rows = list[tuple[str, Row]]
