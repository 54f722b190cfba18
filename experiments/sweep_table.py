"""A table of the runs that are there, of any sweep: means and spreads over seeds.

    python -m experiments.sweep_table task=mytask by=prompt.length,train.lr
    python -m experiments.sweep_table task=mytask method=prompt_tuning,p_tuning_v2 by=method,train.lr best=method
    python -m experiments.sweep_table task=mytask by=method,prompt.length --csv table.csv --plot lengths.pdf

`key=value,value` chooses runs by their config, whose keys docs/reference.md has (`task`, `backbone` and `method` are
names); `by=` says what makes a row: without it, whatever the runs differ in beside their seeds. The best of each
column is bold; `-- (2/3)` is a gap: a seed of three is missing. `best=method` chooses for each method the row with the
best dev scores by `pick=` (mean_dev, median_dev), and shows its test scores. Further: `split=` (dev, test, …),
`metric=`, and `rule=`, which epoch a run is reported by (best_dev, last).
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

if not __package__:  # as a file, from which the packages beside it are not found
    sys.exit("error: call it as a module, in the repository's folder: python -m experiments.sweep_table")

from experiments.artefacts import sweep_plot
from experiments.output import escape_unprintable
from ptuning.analysis import rendering
from ptuning.analysis.sweep_table import Entry, SweepTable
from ptuning.errors import InputError
from ptuning.files import write_atomic
from ptuning.launch import overrides
from ptuning.records import store
from ptuning.records.record import kind
from ptuning.records.settings import differing, said, settings
from ptuning.training import epoch_selection

LISTS = ("by", "best")  # of keys
SINGLES = {"pick": "mean_dev", "rule": "best_dev", "split": None, "metric": None}


def table(given: Sequence[str], results: Path) -> SweepTable:
    """The table that is asked for. Raises InputError for a key or value that no run has."""
    asked = {overrides.key_of(one): overrides.choices_of(one) for one in given}
    options = {key: _single(key, asked.get(key), default) for key, default in SINGLES.items()}
    epoch_selection.rule(str(options["rule"]))
    runs = [record for _, record in store.read_all(results) if kind(record) == "run"]
    entries = [Entry(settings(record["config"]), record) for record in runs]
    chosen = {key: values for key, values in asked.items() if key not in (*LISTS, *SINGLES)}
    for key, values in chosen.items():
        entries = _filtered(entries, key, values)
    if not entries:
        raise InputError(f"{results / 'runs'} has no record of a run: train one, or name another folder by --results.")
    by = asked.get("by") or rows_of(entries)
    for key in (*by, *asked.get("best", [])):
        _check_key(entries, key)
    return SweepTable(entries, by, str(options["rule"]), options["split"], options["metric"])


def rows_of(entries: Sequence[Entry]) -> list[str]:
    """What makes a row where nothing is said: whatever the runs differ in, tasks apart, which are columns."""
    return [key for key in differing([entry.settings for entry in entries]) if key != "task"] or ["method"]


def _single(key: str, values: Sequence[str] | None, default: str | None) -> str | None:
    if values is not None and len(values) != 1:
        raise InputError(f"{key}={','.join(values)} is refused: give one value.")
    return values[0] if values else default


def _filtered(entries: Sequence[Entry], key: str, values: Sequence[str]) -> list[Entry]:
    """Those whose setting is one of `values`. Raises InputError where none is."""
    _check_key(entries, key)
    found = [entry for entry in entries if any(_is(entry.settings.get(key), value) for value in values)]
    if not found:
        there = sorted({said(entry.settings.get(key)) for entry in entries})
        raise InputError(f"{key}={','.join(values)} is of no run here: those have {', '.join(there)[:300]}.")
    return found


def _check_key(entries: Sequence[Entry], key: str) -> None:
    known = dict.fromkeys(name for entry in entries for name in entry.settings)
    if key not in known:
        near = difflib.get_close_matches(key, known, 3)
        raise InputError(f"no run here has the key {key}: {f'did you mean {near[0]}' if near else 'correct it'}.")


def _is(value: object, wanted: str) -> bool:
    """Whether a setting is what an override says: `1e-3` is 0.001."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(wanted) == value
        except ValueError:
            return False
    return wanted in (said(value), str(value)) or (value is None and wanted == "null")


def text(found: SweepTable, best: Sequence[str] = (), pick: str = "mean_dev") -> str:
    """As Markdown, with what was chosen below it."""
    parts = [rendering.markdown(found.frame(rendering.bold), _notes(found))]
    if best:
        parts.append(f"\nBest by {pick}:\n\n{rendering.markdown(found.best_frame(best, pick), [])}")
    return "".join(parts)


def _notes(found: SweepTable) -> list[str]:
    seeds = sorted({found.expected(column.task) for column in found.columns})
    several = f"mean ± sample standard deviation over {' or '.join(map(str, seeds))} seeds"
    return [f"In percent; {several if max(seeds, default=1) > 1 else 'of one seed'}, epoch chosen by {found.rule}."]


def main() -> None:
    escape_unprintable()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("choices", nargs="*", metavar="KEY=VALUE")
    parser.add_argument("--results", type=Path, default=Path("results"), help="the folder of records: results")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write every cell as a line")
    parser.add_argument("--tex", type=Path, metavar="FILE", help="write the table in LaTeX (booktabs)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw it: .png, .pdf or .svg")
    given = parser.parse_intermixed_args()
    try:
        found = table(given.choices, given.results)
        asked = {overrides.key_of(one): overrides.choices_of(one) for one in given.choices}
        print(text(found, asked.get("best", []), *asked.get("pick", [])), end="")
        _write(found, {"csv": given.csv, "tex": given.tex, "plot": given.plot})
    except InputError as error:
        sys.exit(f"error: {error}")


def _write(found: SweepTable, files: Mapping[str, Path | None]) -> None:
    """Raises InputError for a file that cannot be written."""
    for what, file in files.items():
        if file is not None:
            try:
                write_atomic(file, _content(found, what, file))
            except OSError as error:
                raise InputError(
                    f"--{what}: {file} cannot be written ({error.strerror}): name another file."
                ) from None
            print(f"written: {file}", file=sys.stderr)


def _content(found: SweepTable, what: str, file: Path) -> str | bytes:
    if what == "csv":
        return found.long_form().to_csv(index=False, float_format="%.6g")
    if what == "tex":
        return rendering.latex(found.frame(rendering.bold), "Runs.", _notes(found), label=file.stem)
    return sweep_plot.drawn(found, file.suffix)


if __name__ == "__main__":
    main()
