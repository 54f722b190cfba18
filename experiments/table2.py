"""Table 2 of P-Tuning v2: SuperGLUE development scores of fine-tuning, Prompt Tuning and P-Tuning v2.

    python -m experiments.run -m experiment=table2 profile=laptop     # train what is missing
    python -m experiments.table2 profile=laptop                       # records -> results/tables/table2.{md,tex,csv}

Our rows come from records alone; the paper's rows below them from results/published/.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pandas as pd
from hydra.core.override_parser.overrides_parser import OverridesParser

from ptuning import launch, report
from ptuning.config import RunConfig
from ptuning.errors import InputError
from ptuning.report import Cell

TASKS = {
    "boolq": "BoolQ acc",
    "cb": "CB acc",
    "copa": "COPA acc",
    "multirc": "MultiRC F1a",
    "record": "ReCoRD F1",
    "rte": "RTE acc",
    "wic": "WiC acc",
    "wsc": "WSC acc",
}
METHODS = {"fine_tuning": "FT", "prompt_tuning": "PT", "p_tuning_v2": "PT-2"}
RULE = "best_dev"  # the paper's rule
PUBLISHED = Path(__file__).parent.parent / "results/published/ptuning_v2_table2.csv"
CONFIDENCE = {"secondary": "ˢ", "unverified": "ᵘ", "doubtful": "ᵈ"}

Key = tuple[str, str, str]  # backbone, method, task


def our_cells(runs: Sequence[RunConfig]) -> dict[Key, Cell]:
    """One cell a (backbone, method, task), over the sweep's seeds."""
    groups: dict[Key, list[RunConfig]] = {}
    for run in runs:
        groups.setdefault((run.backbone.name, run.method, run.task.name), []).append(run)
    return {key: report.cell(group, RULE) for key, group in groups.items()}


def our_rows(cells: dict[Key, Cell]) -> list[list[str]]:
    rows = []
    backbones = dict.fromkeys(backbone for backbone, _, _ in cells)
    for backbone, method in product(backbones, METHODS):
        line = [cells.get((backbone, method, task)) for task in TASKS]
        shares = [cell.share for cell in line if cell is not None and cell.share is not None]
        share = f"{100 * sum(shares) / len(shares):.3g} %" if shares else "--"
        rows.append([backbone, METHODS[method], share, *(_shown(cell) for cell in line)])
    return rows


def _shown(cell: Cell | None) -> str:
    if cell is None:
        return ""
    if cell.source == "miniature":
        return f"{cell.text} †"
    return f"{cell.text} ‡" if cell.capped else cell.text


def published_values() -> list[dict[str, str]]:
    with PUBLISHED.open(newline="") as file:
        return list(csv.DictReader(file))


def published_rows(values: Sequence[dict[str, str]]) -> list[list[str]]:
    shown = {(v["model"], v["method"], v["task"].lower()): v["value"] + CONFIDENCE[v["confidence"]] for v in values}
    lines = dict.fromkeys((v["model"], v["method"]) for v in values)
    return [
        [f"paper: {model}", method, "", *(shown.get((model, method, task), "") for task in TASKS)]
        for model, method in lines
    ]


def notes(cells: dict[Key, Cell]) -> list[str]:
    seeds = sorted({cell.expected for cell in cells.values()})
    lines = [
        f"Dev scores in percent. Ours: mean ± sample standard deviation over {' or '.join(map(str, seeds))} seed(s), "
        f"epoch chosen by {RULE} (the paper's rule); `-- (2/3)`: runs are missing. "
        "Trained: share of all parameters, head included."
    ]
    if any(cell.source == "miniature" for cell in cells.values()):
        lines.append(
            "† a generated miniature of the task, not the real data: it shows that the pipeline learns. Chance is 50 "
            "(CB: 33; MultiRC F1a of a constant answer: 66.7)."
        )
    part = {
        (c.train_examples, c.dev_examples) for c in cells.values() if c.capped and c.source not in (None, "miniature")
    }
    if part:
        sizes = " or ".join(f"{train} training and {dev} dev examples" for train, dev in sorted(part, key=str))
        lines.append(f"‡ a part of the real data: {sizes}.")
    lines.append("Epochs: " + "; ".join(_epochs(cells, method) for method in METHODS) + ".")
    lines.append(
        "Paper: Table 2 of arXiv:2110.07602, other backbones, all data; ˢ from a secondary source, ᵘ not re-read in "
        "a source, ᵈ doubtful (results/published/README.md)."
    )
    return lines


def _epochs(cells: dict[Key, Cell], method: str) -> str:
    used: dict[int, list[str]] = {}
    for (backbone, by, task), cell in cells.items():
        if by == method and cell.records:
            used.setdefault(cell.epochs, []).append(f"{task} on {backbone}")
    if len(used) < 2:
        return f"{METHODS[method]} {next(iter(used), '--')}"
    return f"{METHODS[method]} " + ", ".join(f"{epochs} ({', '.join(where)})" for epochs, where in used.items())


def long_form(cells: dict[Key, Cell], values: Sequence[dict[str, str]]) -> str:
    """Every cell of ours and of the paper as a line of CSV."""
    ours: list[dict[str, object]] = [
        {
            "from": "ours", "model": backbone, "method": METHODS[method], "task": task, "mean": cell.mean,
            "std": cell.spread, "runs": len(cell.scores), "expected": cell.expected, "data": cell.source,
            "train_examples": cell.train_examples, "dev_examples": cell.dev_examples,
            "epochs": cell.epochs, "trained_share": cell.share,
        }
        for (backbone, method, task), cell in cells.items()
    ]  # fmt: skip
    paper: list[dict[str, object]] = [
        {
            "from": "paper", "model": v["model"], "method": v["method"], "task": v["task"].lower(),
            "mean": float(v["value"]), "confidence": v["confidence"], "source": v["source"],
        }
        for v in values
    ]  # fmt: skip
    return pd.DataFrame(ours + paper).to_csv(index=False, float_format="%.6g")


def sidecar(cells: dict[Key, Cell]) -> dict[str, object]:
    return {
        "rule": RULE,
        "cells": [
            {
                "backbone": backbone, "method": method, "task": task, "text": cell.text,
                "records": cell.records, "missing": cell.missing,
            }
            for (backbone, method, task), cell in cells.items()
        ],
    }  # fmt: skip


def make(runs: Sequence[RunConfig], folder: Path, name: str) -> tuple[str, list[Path]]:
    """Write the table of `runs` to `folder`; its Markdown, and the files written."""
    cells, values = our_cells(runs), published_values()
    columns = ["Backbone", "Method", "Trained", *TASKS.values()]
    table = pd.DataFrame(our_rows(cells) + published_rows(values), columns=columns)
    below = notes(cells)
    text = report.markdown(table, below)
    rendered = {
        "md": text,
        "tex": report.latex(table, "SuperGLUE development set (P-Tuning v2, Table 2).", below),
        "csv": long_form(cells, values),
    }
    return text, report.write(folder, name, rendered, sidecar(cells))


def main() -> None:
    overrides = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    try:
        runs = launch.expand(["experiment=table2", *overrides])
        name = "table2" if (profile := _profile(overrides)) == "laptop" else f"table2_{profile}"
        text, files = make(runs, runs[0].runtime.results / "tables", name)
    except InputError as error:
        sys.exit(f"error: {error}")
    print(text)
    print("written: " + ", ".join(map(str, files)))


def _profile(overrides: Sequence[str]) -> str:
    chosen = [OverridesParser.create().parse_override(override) for override in overrides]
    return next((str(o.value()) for o in reversed(chosen) if o.key_or_group == "profile"), "laptop")


if __name__ == "__main__":
    main()
