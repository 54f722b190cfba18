"""Remake tables and figures from records: `python -m experiments.artefacts.remake results/figures results/tables`.

Each is made anew as it was asked for the last time: its sidecar keeps the overrides. Nothing is trained.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path

from tqdm import tqdm

from experiments.artefacts import names
from experiments.artefacts.artefact import Artefact
from experiments.artefacts.parallel import in_parallel
from experiments.output import escape_unprintable
from ptuning.errors import InputError


def artefact(experiment: str) -> Artefact:
    """The table or figure of an experiment (`p_tuning_v2/table2`). Raises InputError where there is none."""
    name = names.module(experiment)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError:
        raise InputError(f"{experiment} is no table or figure: there is no module {name}.") from None
    found = [one for one in vars(module).values() if isinstance(one, Artefact) and one.experiment == experiment]
    if not found:
        raise InputError(f"{name} makes no table or figure of the experiment {experiment}.")
    return found[0]


def remake(sidecar: Path) -> list[Path]:
    """Make again what `sidecar` stands beside, in the same results folder; the files written. Raises InputError."""
    try:
        content = json.loads(sidecar.read_text())
        experiment, overrides = content["name"], content["overrides"]
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{sidecar} does not say what it is of: make it again by its own command.") from None
    _, files = artefact(experiment).write(overrides, results=sidecar.parents[2])
    return files


def _tried(sidecar: Path) -> tuple[str | None, str | None]:
    """The files written, or why there are none."""
    try:
        endings = ",".join(file.name.partition(".")[2] for file in remake(sidecar))
    except InputError as error:
        return None, str(error)
    return f"{sidecar.parent / sidecar.name.partition('.')[0]}.{{{endings}}}", None


def main() -> None:
    escape_unprintable()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, help="folders with tables or figures, and their sidecars")
    sidecars = [file for folder in parser.parse_args().folders for file in sorted(folder.rglob("*.records.json"))]
    errors = []
    outcomes = in_parallel(_tried, sidecars)
    for written, error in tqdm(outcomes, total=len(sidecars), unit="artefact", dynamic_ncols=True):
        tqdm.write(written or f"error: {error}")
        errors += [error] if error else []
    if errors:
        sys.exit(f"{len(errors)} of {len(sidecars)} could not be made again; see above.")


if __name__ == "__main__":
    main()
