"""Tables of cells as Markdown and LaTeX."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd


def markdown(table: pd.DataFrame, notes: Sequence[str]) -> str:
    """A table as Markdown, its notes below it, a line each."""
    lines = [table.to_markdown(index=False, disable_numparse=True), *([""] if notes else [])]
    return "\n".join([*lines, *(f"{note}  " for note in notes)]) + "\n"


def bold(text: str) -> str:
    """Marked to be bold, as Markdown has it; `latex` knows it."""
    return f"**{text}**"


def latex(table: pd.DataFrame, caption: str, notes: Sequence[str], label: str | None = None) -> str:
    """A booktabs table, which \\ref{tab:<label>} names; needs \\usepackage{booktabs, graphicx}."""
    named = "" if label is None else f"\\label{{tab:{label}}}\n"
    escaped = table.map(_tex).rename(columns=_tex)
    body = escaped.style.hide(axis="index").to_latex(hrules=True, column_format="ll" + "r" * (len(table.columns) - 2))
    below = " ".join(_tex(note) for note in notes)
    return (
        f"\\begin{{table*}}\n\\caption{{{_tex(caption)}}}\n{named}\\resizebox{{\\textwidth}}{{!}}{{%\n{body}}}\n"
        f"\\par\\smallskip\\footnotesize {below}\n\\end{{table*}}\n"
    )


_TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "†": r"$^\dagger$", "‡": r"$^\ddagger$",
    "ˢ": r"$^{s}$", "ᵘ": r"$^{u}$", "ᵈ": r"$^{d}$", "ᶜ": r"$^{c}$", "`": "",
}  # fmt: skip


def _tex(text: object) -> str:
    escaped = re.sub("|".join(map(re.escape, _TEX)), lambda found: _TEX[found[0]], str(text)).replace("--", "{-}{-}")
    return re.sub(r"\*\*(.+?)\*\*", r"\\textbf{\1}", escaped)
