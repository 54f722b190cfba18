"""What tables and figures share: they are made from records alone, and say where each number is from.

An artefact is one small file of experiments/papers/<paper>/ or experiments/ablations/, and its sweep one of
conf/experiment/. Beside what a reader looks at it leaves a sidecar.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pandas as pd
from hydra.core.override_parser.overrides_parser import OverridesParser

from experiments.artefacts import names, sidecar
from experiments.artefacts.sidecar import Frame, Place, Sidecar
from experiments.output import escape_unprintable
from ptuning.config import RunConfig
from ptuning.errors import InputError
from ptuning.files import write_atomic
from ptuning.launch import compose
from ptuning.launch.environment import PLACES
from ptuning.records import matching, store


@dataclass(frozen=True)
class Output:
    """What an artefact comes to: `text` to print, `files` by their ending, and the frames of text with their cells."""

    text: str
    files: Mapping[str, str | bytes]
    frames: Sequence[pd.DataFrame]
    places: Sequence[Place]
    notes: Sequence[str]


class Artefact(ABC):
    """A table or a figure. `experiment` is that of conf/experiment/ whose runs it shows: `p_tuning_v2/table2`."""

    kind: ClassVar[str]  # the folder below results/
    experiment: str
    title: str
    caption: str
    rule: str = "best_dev"  # the paper's rule

    @abstractmethod
    def build(self, runs: Sequence[RunConfig], stem: str) -> Output:
        """The artefact of `runs`; `stem` is what it is called among all of them, in links to its numbers."""

    def make(self, runs: Sequence[RunConfig], stem: str, overrides: Sequence[str]) -> Output:
        """As `build`; `overrides` are those that ask for the runs."""
        return self.build(runs, stem)

    @property
    def name(self) -> str:
        """What its files are called."""
        return self.experiment.rpartition("/")[2]

    @property
    def folder(self) -> Path:
        """Where they are, below the folder of results."""
        return Path(self.kind, self.experiment).parent

    def runs(self, overrides: Sequence[str]) -> list[RunConfig]:
        """Those that it is made from. Raises InputError."""
        return compose.expand([f"experiment={self.experiment}", *overrides])

    def write(self, overrides: Sequence[str], results: Path | None = None) -> tuple[str, list[Path]]:
        """Make it from the runs that `overrides` ask for; its text, and the files written. Raises InputError, also
        where none of those runs is there: what was made before stays."""
        where = [] if results is None else [f"runtime.results={json.dumps(str(results))}"]
        return self._write(self.runs([*overrides, *where]), overrides, where)

    def _write(
        self, runs: Sequence[RunConfig], overrides: Sequence[str], where: Sequence[str] = ()
    ) -> tuple[str, list[Path]]:
        folder = runs[0].runtime.results / self.folder
        profile = _profile(overrides)
        suffix = "" if profile == "laptop" else f"_{profile}"
        stem = self.name + suffix
        self._check_records(runs, overrides, folder / f"{stem}{sidecar.ENDING}")
        output = self.make(runs, names.called(self.experiment) + suffix, [*overrides, *where])
        folder.mkdir(parents=True, exist_ok=True)
        files: dict[str, str | bytes] = {**output.files, "records.json": self._sidecar(output, overrides)}
        for ending, content in files.items():
            write_atomic(folder / f"{stem}.{ending}", content)
        return output.text, [folder / f"{stem}.{ending}" for ending in files]

    def _check_records(self, runs: Sequence[RunConfig], overrides: Sequence[str], before: Path) -> None:
        """Raises InputError where a record was made from another backbone than is here by that name, and where none of
        the runs has one; `before` is the sidecar that is there, if any."""
        found = [(run, record) for run in runs if (record := store.find(run)) is not None]
        for run, record in found:
            matching.check_backbone(run, record)
        if found:
            return
        asked = shlex.join([f"experiment={self.experiment}", *overrides])
        raise InputError(
            f"none of the {len(runs)} runs of {asked} is in {runs[0].runtime.results / 'runs'}: train them with "
            f"python -m experiments.run -m {asked}, or ask for runs that are there{_hint(before, overrides)}."
        )

    def _unchecked(self, runs: Sequence[RunConfig]) -> list[str]:
        """Sentences on backbones that records could not be compared with."""
        return matching.not_here(runs)

    def _sidecar(self, output: Output, overrides: Sequence[str]) -> str:
        frames = [Frame(columns=list(f.columns), rows=f.astype(str).values.tolist()) for f in output.frames]
        content = Sidecar(
            name=self.experiment, title=self.title, caption=self.caption, overrides=_portable(overrides),
            rule=self.rule, notes=list(output.notes), frames=frames, cells=list(output.places),
        )  # fmt: skip
        return json.dumps(content.model_dump(), indent=1, ensure_ascii=False) + "\n"

    def main(self) -> None:
        escape_unprintable()
        description = f"{self.title}, made from records: results/{self.folder}/{self.name}.*"
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("overrides", nargs="*", help="which runs, as for experiments.run: profile=small seed=11")
        overrides = parser.parse_args().overrides
        try:
            runs = self.runs(overrides)
            text, files = self._write(runs, overrides)
            unchecked = self._unchecked(runs)
        except InputError as error:
            sys.exit(f"error: {error}")
        print(text)
        for sentence in unchecked:
            print(sentence)
        print("written: " + ", ".join(map(str, files)))


def _hint(before: Path, overrides: Sequence[str]) -> str:
    """What the artefact that is there was made with, if that is something else."""
    try:
        made = sidecar.read(before).overrides if before.exists() else []
    except InputError:
        return ""
    return f" ({before} was made with {shlex.join(made)})" if made not in ([], _portable(overrides)) else ""


def _portable(overrides: Sequence[str]) -> list[str]:
    """The overrides as they hold for others: without where data, results and machines are."""
    keys = [OverridesParser.create().parse_override(override).key_or_group for override in overrides]
    return [
        f'{key}="<folder>"' if key in PLACES else override
        for key, override in zip(keys, overrides, strict=True)
        if key.partition(".")[0] not in ("runtime", "hydra") and not key.startswith("hydra/")
    ]


def _profile(overrides: Sequence[str]) -> str:
    chosen = [OverridesParser.create().parse_override(override) for override in overrides]
    return next((str(o.value()) for o in reversed(chosen) if o.key_or_group == "profile"), "laptop")
