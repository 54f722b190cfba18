"""From results/benchmarks/*.json to a table and a plot each: `python -m experiments.benchmark.report`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.artefacts import canvas, style
from experiments.benchmark import contestants, curves
from experiments.output import escape_unprintable
from ptuning.files import write_atomic


@dataclass(frozen=True)
class Kind:
    """A kind of result: what it is about, the module that measures it, and how it is shown."""

    title: str
    module: str
    table: Callable[[Mapping[str, Any]], str]
    plot: Callable[[Mapping[str, Any]], Any]


KINDS = {
    "contestants": Kind("throughput", "experiments.benchmark", contestants.table, contestants.plot),
    "lengths": Kind("cost of prompt length", "experiments.benchmark.prompt_length", curves.table, curves.plot),
}


def kind(result: Mapping[str, Any]) -> Kind:
    """Raises KeyError for one that there is not."""
    return KINDS[result.get("kind", "contestants")]  # the first results do not say: there was one kind


def write(file: Path, result: Mapping[str, Any]) -> str:
    """Write a result, and its table and plot beside it; the table. The folder must exist."""
    write_atomic(file, json.dumps(result, indent=1) + "\n")
    return make(file)


def make(file: Path) -> str:
    """Write the table and the plot beside `file`, the same bytes each time; the table."""
    result = json.loads(file.read_text())
    shown = kind(result)
    text = shown.table(result)
    with style.styled():
        drawn = canvas.rendered(shown.plot(result))
    for ending, content in {"md": text, **drawn}.items():
        write_atomic(file.with_suffix(f".{ending}"), content)
    return text


def main() -> None:
    escape_unprintable()
    for file in sorted(Path("results/benchmarks").glob("*.json")):
        print(make(file))


if __name__ == "__main__":
    main()
