"""One page of everything in results/, in which every number and every point leads to the runs behind it.

    python -m experiments.site              # results/{tables,figures,benchmarks,runs} -> results/report/index.html

The page is one file that needs no network. Its numbers come from the files of results/ alone (the commands that
make a run again from conf/ too): the same files, the same bytes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from experiments.output import escape_unprintable
from experiments.site import page
from ptuning.errors import InputError


def main() -> None:
    escape_unprintable()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results"), help="default: results")
    try:
        print(f"written: {page.make(parser.parse_args().results)}")
    except InputError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
