"""Take a trained prompt to PEFT, or one that PEFT has trained here.

    python -m experiments.peft export outputs/weights/rte-bert_large-….safetensors for_peft
    python -m experiments.peft import from_peft imported task=rte backbone=bert_large backbone.pooler=frozen

`export` takes what `ptuning.load` takes, and writes a folder for `PeftModel.from_pretrained`; a backbone that is not
on the hub is written into it. `import` writes a folder that `ptuning.load` reads; the overrides say what PEFT's does
not: the task, the head and the backbone, and the method where several are called alike there (P-Tuning v2 is the
default for prefixes). What one has and the other has not is refused, by its name.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # as a file, from which the packages beside it are not found
    sys.exit("error: call it as a module, in the repository's folder: python -m experiments.peft")

from experiments.output import escape_unprintable
from ptuning.config import RunConfig
from ptuning.errors import InputError
from ptuning.launch import arguments, compose
from ptuning.launch.overrides import key_of
from ptuning.model import Model
from ptuning.sharing import peft


def main() -> None:
    escape_unprintable()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ways = parser.add_subparsers(dest="way", required=True)
    export = ways.add_parser("export", help="a prompt of ours for PEFT")
    export.add_argument("source", help="a file of weights, a folder, a record or its run's id")
    export.add_argument("to", type=Path, help="a new folder")
    taken = ways.add_parser("import", help="a prompt of PEFT's for us")
    taken.add_argument("source", type=Path, help="a folder with adapter_config.json")
    taken.add_argument("to", type=Path, help="a new folder")
    taken.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="task, backbone, head, ...")
    given = parser.parse_args()
    try:
        if given.way == "export":
            written = Model.load(given.source).save_peft(given.to)
        else:
            found = peft.read(given.source)
            written = peft.save(found, run_of(found, arguments.read(given.overrides)), given.to)
    except InputError as error:
        sys.exit(f"error: {error}")
    print(f"written: {written}")


def run_of(given: peft.Given, overrides: Sequence[str]) -> RunConfig:
    """The run that a prompt of PEFT's would be of. Raises InputError where the overrides ask for several."""
    chosen = {key_of(override) for override in overrides}
    runs = compose.expand([*overrides, *(one for one in given.overrides if key_of(one) not in chosen)])
    if len(runs) > 1:
        raise InputError(f"{' '.join(overrides)} ask for {len(runs)} runs, and a prompt is of one: give one value.")
    return runs[0]


if __name__ == "__main__":
    main()
