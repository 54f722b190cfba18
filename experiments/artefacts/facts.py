"""What a record tells, ready to be shown: sections of names and values in a fixed order, and its learning curve.

What a record lacks (an older one, one whose run diverged, or an evaluation's) is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ptuning.launch import rerun
from ptuning.records.record import Record, choose_line, kind, place, short

Fact = tuple[str, str]  # name, value
Section = tuple[str, list[Fact]]  # heading, facts


@dataclass(frozen=True)
class Point:
    """An evaluation in a learning curve, after so many epochs, scores in percent. `tests`: on the test sets that were
    scored then."""

    epoch: float
    loss: float
    dev: float
    tests: Mapping[str, float]
    chosen: bool


def curve(record: Record, rule: str | None = None) -> list[Point]:
    """The record's metric, evaluation by evaluation, with the one that the selection rule (None: the run's own)
    chooses."""
    if kind(record) == "evaluation":
        return []
    metric = record["metric"]
    chosen = choose_line(record, rule or record["config"]["selection"])
    return [
        Point(
            epoch=one["epoch"],
            loss=float("nan") if one.get("loss") is None else one["loss"],
            dev=one["dev"][metric],
            tests={name: scores[metric] for name, scores in one.get("tests", {}).items() if metric in scores},
            chosen=one is chosen,
        )
        for one in record["history"]
    ]


def sections(record: Record, rule: str | None = None) -> list[Section]:
    """All that the record tells but its curve, scored in the epoch that the rule (None: the run's own) chooses."""
    if kind(record) == "evaluation":
        return _evaluation(record)
    found = [
        ("Score", _score(record, rule or record["config"]["selection"])),
        ("Data", _data(record)),
        ("Backbone", _backbone(record)),
        ("Method", _method(record)),
        ("Training", [("train", _pairs(record["config"]["train"])), ("seed", str(record["config"]["seed"]))]),
        ("Source runs", _source_runs(record)),
        ("Cost", _cost(record.get("speed", {}))),
        ("Made with", _provenance(record)),
    ]
    return [(heading, facts) for heading, facts in found if facts]


def _evaluation(record: Record) -> list[Section]:
    """Of a score made from trained prompts: by what rule, and from which runs, each with the step taken."""
    scores = {"dev": record["scores"]["dev"], **record["scores"].get("tests", {})}
    sources = [("run", f"{one['record']}, step {one['step']}") for one in record["prompts"]]
    alone = {f"{key} of its prompts on dev": record[key]["dev"] for key in ("mean", "best") if len(sources) > 1}
    found = [
        ("Score", [(name, _scores(values, record["metric"])) for name, values in (scores | alone).items()]),
        ("Data", _data(record)),
        ("Backbone", _backbone(record)),
        ("Evaluation", [("rule", record["config"]["rule"]), ("head", _pairs(record["config"]["head"])), *sources]),
        ("Made with", _provenance(record)),
    ]
    return [(heading, facts) for heading, facts in found if facts]


def _score(record: Record, rule: str) -> list[Fact]:
    facts = [("status", record["status"].replace("_", " "))]
    at = choose_line(record, rule)
    if at is None:
        last = short(record["history"][-1]["epoch"]) if record["history"] else 0
        return [*facts, ("chosen", f"no epoch: loss or answers were not finite after epoch {last}")]
    facts.append(("chosen", f"{place(record, at)}, by {rule}"))
    if at.get("constant") is not None:
        facts.append(("answers", f"{at['constant']!r} to all dev examples: its score says nothing of what was learnt"))
    sets = {"dev": at["dev"], **at.get("tests", {})}
    return [*facts, *((name, _scores(scores, record["metric"])) for name, scores in sets.items())]


def _scores(scores: Mapping[str, float], metric: str) -> str:
    """The metric that chooses comes first."""
    ordered = sorted(scores, key=lambda name: name != metric)
    return ", ".join(f"{name} {scores[name]:.1f}" for name in ordered)


def _data(record: Record) -> list[Fact]:
    task, config, used = record["config"]["task"], record["config"]["data"], record.get("data")
    options = {key: value for key, value in config.items() if key != "source" and value is not None}
    facts = [("task", _task(task)), ("source", " ".join([config["source"], _pairs(options)]).strip())]
    if used is None:
        return facts
    if not used.get("sets"):
        return [*facts, ("examples", _examples(used)), ("fingerprint", used["fingerprint"][:16])]
    sets = [(name, f"{_examples(one)}; fingerprint {one['fingerprint'][:16]}") for name, one in used["sets"].items()]
    return [*facts, *sets, ("all", f"{_examples(used)}; fingerprint {used['fingerprint'][:16]}")]


def _task(task: Mapping[str, Any]) -> str:
    if "tasks" in task:
        return f"{task['name']}, a mixture of {', '.join(task['tasks'])}; " + _pairs(_only(task, "cap", "temperature"))
    return " ".join([f"{task['name']}, {_pairs(_only(task, 'max_length'))}", _pairs(task["options"])]).strip()


def _examples(data: Mapping[str, Any]) -> str:
    trained = {"training": data["train_examples"]} if "train_examples" in data else {}
    counts = trained | {"dev": data["dev_examples"], **data.get("test_examples", {})}
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def _backbone(record: Record) -> list[Fact]:
    config, content = record["config"]["backbone"], record.get("backbone", {})
    used = {name: _pairs(value) if isinstance(value, dict) else str(value) for name, value in content.items()}
    source = _pairs(_only(config, "source", "id", "revision", "pooler"))
    return [("name", config["name"]), ("from", source), *used.items()]


def _method(record: Record) -> list[Fact]:
    config, parameters = record["config"], record.get("parameters")
    facts = [("method", config["method"])]
    if config["prompt"]:
        facts.append(("prompt", _pairs(config["prompt"])))
    if parameters is None:
        return facts
    trained, share = parameters["trained"], f"{100 * parameters['share']:.3g} %"
    return [*facts, ("trained", f"{trained:,} of {parameters['total']:,} parameters, {share}")]


def _source_runs(record: Record) -> list[Fact]:
    sources = record["config"].get("sources", {})
    facts = [("record", record["parent"])] if record.get("parent") else []
    for name, one in sources.items():
        facts.append(("task", source(name, one)))
        changed = one.get("train")
        facts.append(("train", f"as this run, but {_pairs(changed)}" if changed else "as this run"))
    return facts


def source(name: str, config: Mapping[str, Any]) -> str:
    """What a source run is called: its task, or its id, or else the name that the run has for it."""
    task = config.get("task")
    return _task(task) if task else config.get("id") or name


def _cost(speed: Mapping[str, Any]) -> list[Fact]:
    shown = {
        "speed": ("examples_per_second", "{:.1f} examples/s"),
        "time": ("seconds", "{:.0f} s"),
        "peak memory": ("peak_memory_mb", "{:.0f} MB"),
        "lanes": ("lanes", "{} at most, this one included"),
        "device": ("device", "{}"),
    }
    return [(name, form.format(speed[key])) for name, (key, form) in shown.items() if speed.get(key) is not None]


def _provenance(record: Record) -> list[Fact]:
    facts = []
    if versions := record.get("versions"):
        facts.append(("versions", ", ".join(f"{name} {version}" for name, version in versions.items())))
    if machine := record.get("machine"):
        facts.append(("machine", f"{machine['system']} {machine['processor']}, {machine['cores']} cores"))
    if (git := record.get("git")) and git["commit"]:
        facts.append(("commit", git["commit"] + (", with uncommitted changes" if git["dirty"] else ", clean")))
    return facts


def _only(node: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: node[key] for key in keys if key in node}


def _pairs(node: Mapping[str, Any]) -> str:
    """`length=20 layers=all`, as overrides are written."""
    return " ".join(f"{key}={rerun.format_value(value)}" for key, value in node.items())
