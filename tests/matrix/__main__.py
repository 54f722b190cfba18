"""Runs in which any three parts that there are meet, in a random order, and docs/matrix.md, which says what became of
them.

`python -m tests.matrix`, or `make matrix`; `--minutes 10` stops after so long.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch
import transformers
from tqdm import tqdm

from ptuning.files import write_atomic
from tests.matrix import cases
from tests.matrix.covering import Case
from tests.matrix.outcomes import Outcome, attempt

PAGE = Path(__file__).parents[2] / "docs/matrix.md"
INTRODUCTION = """# What goes with what

Any method, init, reparameterization, placement, positions, head and family go together, or are refused in a sentence
before anything trains. Each case below is a tiny run on a random backbone. Where it trained, this held: only the
prompt and the head changed (the backbone bit for bit as it was, unless the method trains it); every row of the prompt,
at every prompted site, got gradient; with its prompt masked the backbone was the plain one (where positions are kept);
packed with another run its loss, scores and predictions were those of the run alone; saved and loaded it predicted the
same. `make test` tries any two values together, `make matrix` any three, and writes this page.
"""


def attempts(wanted: Sequence[Case], minutes: float, processes: int) -> Iterator[Outcome]:
    """What became of the cases, of those that end in time."""
    end = time.monotonic() + 60 * minutes
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for outcome in tqdm(pool.imap_unordered(attempt, wanted), total=len(wanted), unit="case", dynamic_ncols=True):
            yield outcome
            if time.monotonic() > end:
                return


def page(outcomes: Sequence[Outcome], total: int) -> str:
    """The whole page."""
    found = Counter(outcome.status for outcome in outcomes)
    made = (
        f"Made {datetime.now(UTC):%Y-%m-%d} with Python {platform.python_version()}, torch {torch.__version__}, "
        f"transformers {transformers.__version__}: {len(outcomes)} of {total} cases"
        f"{'' if len(outcomes) == total else ', drawn at random'}; {found['trained']} trained, "
        f"{found['refused']} were refused, {found['failed']} failed.\n"
    )
    parts = [INTRODUCTION, made, _values(outcomes), "## Refusals\n", _sentences(outcomes, "refused")]
    if found["failed"]:
        rows = [(" ".join(one.case.values()), _plain(one.sentence)) for one in outcomes if one.status == "failed"]
        parts += ["## Failures\n", _table(("case", "what failed"), rows)]
    return "\n".join(parts)


def _values(outcomes: Sequence[Outcome]) -> str:
    rows = [
        (name, f"`{value}`", *_counts(outcome for outcome in outcomes if outcome.case.get(name) == value))
        for name, value in dict.fromkeys(one for outcome in outcomes for one in sorted(outcome.case.items()))
    ]
    return _table(("what", "value", "trained", "refused", "failed"), sorted(rows))


def _counts(outcomes: Iterable[Outcome]) -> list[str]:
    found = Counter(outcome.status for outcome in outcomes)
    return [str(found[status]) for status in ("trained", "refused", "failed")]


def _sentences(outcomes: Sequence[Outcome], status: str) -> str:
    found = Counter(outcome.sentence for outcome in outcomes if outcome.status == status)
    return _table(("sentence", "cases"), [(_plain(sentence), str(count)) for sentence, count in found.most_common()])


def _plain(sentence: str) -> str:
    return " ".join(sentence.split()).replace("|", "\\|")


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so long (default: never)")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    wanted = cases.meeting(3)
    random.Random(0).shuffle(wanted)
    outcomes = list(attempts(wanted, arguments.minutes, arguments.processes))
    write_atomic(PAGE, page(outcomes, len(wanted)))
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    raise SystemExit(f"{len(failed)} cases failed: see {PAGE}." if failed else 0)


if __name__ == "__main__":
    main()
