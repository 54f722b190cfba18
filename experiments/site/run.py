"""A run as the page shows it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from experiments.artefacts import facts
from experiments.artefacts.parallel import in_parallel
from experiments.site import curve
from experiments.site.curve import Curve
from ptuning.errors import InputError
from ptuning.launch import rerun
from ptuning.records import store
from ptuning.records.record import Record, always, choose_line, kind, place

_SAID = {"task", "backbone", "method", "seed", "data", "data.root"}  # by the label, and by the facts about the data


@dataclass(frozen=True)
class Run:
    """A run's record, and the command that makes it again: or, where today's code has none, why."""

    stem: str
    record: Record
    command: str | None
    refusal: str | None = None

    @property
    def anchor(self) -> str:
        return f"run-{self.stem}"

    @property
    def parent(self) -> str | None:
        """The record of the run from whose prompt it starts."""
        return self.record.get("parent")

    @property
    def task(self) -> str:
        return str(self.record["config"]["task"]["name"])

    @property
    def label(self) -> str:
        config = self.record["config"]
        if kind(self.record) == "evaluation":
            return f"{self.task} · {config['backbone']['name']} · {config['rule']} of {len(config['prompts'])} prompts"
        sources = ", ".join(facts.source(name, one) for name, one in config.get("sources", {}).items())
        method = config["method"] + (f" from {sources}" if sources else "")
        return f"{self.task} · {config['backbone']['name']} · {method} · seed {config['seed']}"

    @property
    def settings(self) -> str:
        """What of its command the label does not say: what it does otherwise than conf/ has it."""
        given = shlex.split(self.command or "")[3:]
        return " ".join(one for one in given if one.partition("=")[0] not in _SAID)

    @property
    def sections(self) -> list[facts.Section]:
        return facts.sections(self.record)

    @property
    def curves(self) -> list[Curve]:
        return curve.drawn(facts.curve(self.record), self.record["metric"])

    def outcome(self, rule: str | None = None) -> str:
        """The scores in the epoch that the rule named `rule` (None: the run's own) chooses."""
        metric = self.record["metric"]
        if kind(self.record) == "evaluation":
            return f"dev {metric} {self.record['scores']['dev'][metric]:.1f}"
        chosen = choose_line(self.record, rule or self.record["config"]["selection"])
        if chosen is None:
            return str(self.record["status"])
        sets = {"dev": chosen["dev"], **chosen.get("tests", {})}
        said = ", ".join(f"{name} {metric} {scores[metric]:.1f}" for name, scores in sets.items() if metric in scores)
        return f"{said}{always(chosen)}; {place(self.record, chosen)}"


def read_all(results: Path) -> dict[str, Run]:
    """Every finished run by its record's file name, in the order of the names."""
    found = dict(store.read_all(results))
    commands = in_parallel(_command, list(found.values()))
    return {file.name: Run(file.stem, found[file], *one) for file, one in zip(found, commands, strict=True)}


def _command(record: Record) -> tuple[str | None, str | None]:
    """The command that makes the run again, or why there is none."""
    try:
        return rerun.command(record), None
    except InputError as error:
        return None, str(error)
