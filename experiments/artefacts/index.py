"""What tells the runs in results/runs apart, in words: `python -m experiments.artefacts.index` writes its INDEX.md.

A line a record, by task, backbone and method. What most runs of a group have is said once, above them, and a line only
says what its run does otherwise.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from experiments.artefacts import methods
from experiments.output import escape_unprintable
from ptuning.errors import InputError
from ptuning.files import write_atomic
from ptuning.launch import rerun
from ptuning.records import store
from ptuning.records.record import Record, always, choose_line, kind, place

HEAD = """# Runs

{count} records, a line each: what the run does otherwise than most of its group, and what it scored on the development
set. Made by `make index`. `python -m experiments.explain <table or figure> <words>` tells all of a run.
"""


def text(found: Mapping[Path, Record]) -> str:
    """The file's content, for records by their paths below results/runs."""
    tasks: dict[str, dict[tuple[str, str], dict[Path, Record]]] = {}
    for file, record in sorted(found.items(), key=lambda one: one[0].name):
        config = record["config"]
        groups = tasks.setdefault(config["task"]["name"], {})
        groups.setdefault((config["backbone"]["name"], _how(record)), {})[file] = record
    lines = [HEAD.format(count=len(found))]
    for task, groups in sorted(tasks.items()):
        lines.append(f"## {task}\n")
        for (backbone, method), group in groups.items():
            lines += [*_group(f"{backbone}, {method}", group), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _how(record: Record) -> str:
    """The method of a run as tables call it, or how an evaluation makes answers of trained prompts."""
    config = record["config"]
    if kind(record) == "evaluation":
        return str(config["rule"])
    return methods.of(config).label


def _group(title: str, group: Mapping[Path, Record]) -> Iterator[str]:
    """Runs of one task, backbone and method: a heading with what is usual, and a line each."""
    settings = {file: dict(_flat(record["config"])) for file, record in group.items()}
    keys = dict.fromkeys(key for one in settings.values() for key in one if key != "seed")
    usual = {key: _most_common([one.get(key) for one in settings.values()]) for key in keys}
    differing = [key for key in keys if any(one.get(key) != usual[key] for one in settings.values())]
    common = ", ".join(_words(key, usual[key]) for key in differing)
    yield f"### {title}\n"
    if common:
        yield f"{len(group)} runs, with {common} where nothing else is said.\n"
    for file, one in settings.items():
        others = [_words(key, one.get(key)) for key in differing if one.get(key) != usual[key]]
        seed = [f"seed {one['seed']}"] if "seed" in one else []
        words = ", ".join([*seed, *others]) or file.stem
        yield f"* [{words}]({file}): {_score(group[file])}"


def _flat(node: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield above + key, value


def _most_common(values: list[Any]) -> Any:
    """The first of those that occur most often."""
    (found, _), *_ = Counter(json.dumps(value) for value in values).most_common()
    return json.loads(found)


def _words(key: str, value: Any) -> str:
    """`train.batch_size` of 16 is `batch size 16`; of a source run, `source batch size 16`."""
    *above, name = key.split(".")
    if above[-1:] in (["init"], ["reparameterization"]):  # `init std 0.02`, `reparameterization mlp`
        name = above[-1] if name == "name" else f"{above[-1]} {name}"
    source = "source " if above[:1] == ["sources"] else ""
    return f"{source}{name.replace('_', ' ')} {rerun.format_value(value)}"


def _score(record: Record) -> str:
    if kind(record) == "evaluation":
        return f"{record['metric']} {record['score']:.1f}, of {len(record['prompts'])} prompts"
    chosen = choose_line(record, record["config"]["selection"])
    if chosen is None:
        return str(record["status"])
    return f"{record['metric']} {chosen['dev'][record['metric']]:.1f}{always(chosen)}, {place(record, chosen)}"


def main() -> None:
    escape_unprintable()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results"), help="default: results")
    runs = parser.parse_args().results / "runs"
    try:
        found = {file.relative_to(runs): record for file, record in store.read_all(runs.parent)}
        if not found:
            raise InputError(f"{runs} has no record: train a run first.")
        content = text(found)
    except InputError as error:
        sys.exit(f"error: {error}")
    write_atomic(runs / "INDEX.md", content)
    print(f"written: {runs / 'INDEX.md'}")


if __name__ == "__main__":
    main()
