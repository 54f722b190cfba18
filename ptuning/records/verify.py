"""Whether a record is what it says it is, told from the record alone: its id is that of its config, its file's name
ends in its id, its score is the one that its history gives by its rule, and its share of right answers its accuracy.

Every record that is read is checked so: one that was copied to another name, or edited, stands for no run. What it was
made from is another question (`records.matching`). A run that diverged has no score.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise, product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from ptuning.config import LARGEST, EvaluationConfig, Recorded, RuntimeConfig, parse
from ptuning.errors import InputError
from ptuning.records import configs
from ptuning.records.identity import PROTOCOL, Document, hashed_id, identity, run_id
from ptuning.records.record import Record, best_scores, choose_line, kind, mean_scores
from ptuning.training.epoch_selection import stopped_after

Scores = dict[str, FiniteFloat]
Count = Annotated[int, Field(ge=0, le=LARGEST)]
_ANY_RUNTIME = RuntimeConfig.model_construct()  # type: ignore[call-arg]  # records do not hold it, nor do ids
_MEND = "delete it to have it made again, or restore it"
_OTHERS = "where a part of your own made it, name its folder (PTUNING_PLUGINS), else delete it"


class OutdatedRecord(InputError):
    """A record that is whole, and was made by code whose numbers do not compare with today's."""


class _Shape(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class _Line(_Shape):
    epoch: FiniteFloat
    step: int | None = None
    loss: FiniteFloat | None = None
    dev: Scores
    tests: dict[str, Scores] = {}
    right: str = Field(default="", pattern="^[01]*$")


class _Selection(_Shape):
    rule: str
    epoch: FiniteFloat | None


class _Data(_Shape):
    fingerprint: str
    train_examples: Count = 0
    dev_examples: Count
    test_examples: dict[str, Count] = {}
    counts: dict[str, dict[str, Count]] = {}
    sets: dict[str, _Data] = {}


class _Parameters(_Shape):
    trained: Count
    total: Count
    share: FiniteFloat


class _Speed(_Shape):
    examples_per_second: FiniteFloat | None = None
    seconds: FiniteFloat | None = None
    peak_memory_mb: FiniteFloat | None = None


class _Machine(_Shape):
    system: str
    processor: str
    cores: Count | None


class _Git(_Shape):
    commit: str | None
    dirty: bool | None


class _MadeWith(_Shape):
    """What records tell beside their scores, each of them where it is there: the first ones lack some."""

    data: _Data | None = None
    backbone: dict[str, Any] = {}
    versions: dict[str, Any] = {}
    machine: _Machine | None = None
    git: _Git | None = None


class _Run(_MadeWith):
    """What a run's record has at least, beside its config."""

    id: str = Field(pattern="^[0-9a-f]{10}$")
    status: Literal["finished", "stopped_early", "diverged"]
    config: dict[str, Any]
    metric: str
    history: list[_Line]
    score: FiniteFloat | None
    selection: _Selection | None = None
    parameters: _Parameters | None = None
    speed: _Speed = _Speed()
    parent: str | None = None


class _EvaluationScores(_Shape):
    dev: Scores
    tests: dict[str, Scores]
    right: str = Field(default="", pattern="^[01]*$")


class _Prompt(_Shape):
    id: str
    step: str | int
    record: str
    scores: _EvaluationScores


class _Evaluation(_MadeWith):
    id: str = Field(pattern="^[0-9a-f]{10}$")
    status: Literal["finished"]
    config: dict[str, Any]
    metric: str
    scores: _EvaluationScores
    mean: _EvaluationScores
    best: _EvaluationScores
    prompts: list[_Prompt]
    score: FiniteFloat


_SHAPES: dict[str, type[_Shape]] = {"run": _Run, "evaluation": _Evaluation}


def upgraded(stored: Any, file: Path) -> Record:
    """A record as it was read from `file`, its config in today's form. Raises InputError where it is none."""
    shape = _SHAPES.get(str(stored.get("kind", "run"))) if isinstance(stored, dict) else None
    if shape is None:
        raise InputError(f"{file} is not a record of a run or evaluation: {_MEND}.")
    try:
        shape.model_validate(stored)
    except ValidationError as error:
        raise InputError(f"{file} is not a record of a run or evaluation ({_first(error)}): {_MEND}.") from None
    try:
        return {**stored, "config": configs.upgrade(stored["config"])}
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError(f"{file} is not a record of a run or evaluation (its config is of none): {_MEND}.") from None


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(map(str, first["loc"]))
    return f"{key} is missing" if first["type"] == "missing" else f"{key}: {first['msg'].lower()}"


def check(record: Record, file: Path) -> None:
    """Raise InputError where an `upgraded` record of `file` is not what it says it is, and OutdatedRecord where older
    code made it, which is named."""
    _check_id(record, file)
    if record["status"] == "diverged":
        _check_diverged(record, file)
        return
    if kind(record) == "evaluation":
        _check_evaluation(record, file)
        return
    if not record["history"]:
        raise InputError(f"{file} has no history and a status of {record['status']}: {_MEND}.")
    for line in record["history"]:
        _check_step(record, line, file)
        _check_metric(record, line, file)
        _check_right(record, line, file)
    _check_ending(record, file)
    _check_selection(record, file)


def _check_id(record: Record, file: Path) -> None:
    config = config_of(record, file)
    try:
        made = run_id(config)
    except InputError as error:
        raise InputError(f"{file} is of a run that today's code does not have ({_bare(error)}): {_OTHERS}.") from None
    if not file.stem.endswith(f"-{record['id']}"):
        raise InputError(f"{file} holds the record {record['id']}, and is called otherwise: rename it, or delete it.")
    if record["id"] != made:
        code = _older_code(record, config)
        if code is not None:
            raise OutdatedRecord(f"{file} was made under {code}: make it again, or leave it out of what is compared.")
        raise InputError(f"{file} has the id {record['id']}, and its config the id {made}: it was edited; {_MEND}.")


def config_of(record: Record, file: Path) -> Recorded:
    """The config of an `upgraded` record. Raises InputError where today's code has no such."""
    try:
        if kind(record) == "evaluation":
            return parse(EvaluationConfig, record["config"] | {"runtime": _ANY_RUNTIME})
        return configs.parse_run(record["config"], _ANY_RUNTIME)
    except InputError as error:
        raise InputError(f"{file} is of a run that today's code does not have ({_bare(error)}): {_OTHERS}.") from None


def _bare(error: InputError) -> str:
    return str(error).rstrip(".")


def _older_code(record: Record, config: Recorded) -> str | None:
    """The protocol and the task's version that give the record's id, if others than today's do."""
    today = identity(config)
    stored = record.get("identity")
    if isinstance(stored, dict) and _is_whole(stored, record["id"]) and _timeless(stored) == _timeless(today):
        return _versions(stored, today)
    newest = today["task"].get("version", 0)
    for protocol, version in product(range(PROTOCOL + 1), range(newest + 1)):
        older = today | {"protocol": protocol, "task": today["task"] | {"version": version}}
        if "parent" in older:
            older["parent"] = older["parent"] | {"protocol": protocol}
        if hashed_id(older) == record["id"]:
            return _versions(older, today)
    return None


def _is_whole(stored: Document, identifier: str) -> bool:
    return hashed_id(stored) == identifier


def _timeless(node: Any) -> Any:
    """An identity without the versions of the code that stand in it."""
    if isinstance(node, Mapping):
        return {key: _timeless(one) for key, one in node.items() if key not in ("protocol", "version")}
    return [_timeless(one) for one in node] if isinstance(node, list) else node


def _versions(older: Document, today: Document) -> str:
    said = []
    if older.get("protocol") != today["protocol"]:
        said.append(f"protocol {older.get('protocol')} (today's is {today['protocol']})")
    name, there, here = today["task"]["name"], older["task"].get("version"), today["task"].get("version")
    if there != here:
        said.append(f"version {there} of the task {name} (today's is {here})")
    return " and ".join(said) or "other versions of the tasks that it starts from"


def _check_metric(record: Record, line: Record, file: Path) -> None:
    if record["metric"] not in line["dev"]:
        raise InputError(f"{file} has no {record['metric']}, its metric, on dev in {_place(line)}: {_MEND}.")


def _check_diverged(record: Record, file: Path) -> None:
    """It has no score, and was last evaluated before its end: when it diverged, no line was written."""
    if record["score"] is not None or (record.get("selection") or {}).get("epoch") is not None:
        raise InputError(f"{file} has a score and a status of diverged: it was edited; {_MEND}.")
    for line in record["history"]:
        _check_step(record, line, file)
        _check_metric(record, line, file)
    _check_ending(record, file)
    if any(_is_at_end(record, line) for line in record["history"]):
        raise InputError(f"{file} has a history to its end and a status of diverged: it was edited; {_MEND}.")


def _is_at_end(record: Record, line: Record) -> bool:
    train = record["config"]["train"]
    key, end = ("epoch", train["epochs"]) if train.get("steps") is None else ("step", train["steps"])
    return bool(line[key] >= end)


def _check_ending(record: Record, file: Path) -> None:
    """Its history is in order, and ends where `train.patience` ends a run if that is what its status says, or at the
    end where it is finished."""
    epochs = [line["epoch"] for line in record["history"]]
    if any(later <= earlier for earlier, later in pairwise(epochs)):
        raise InputError(f"{file} has a history that is not in the order of its epochs: it was edited; {_MEND}.")
    patience = record["config"]["train"].get("patience")
    last = stopped_after([line["dev"][record["metric"]] for line in record["history"]], patience)
    if last != (len(epochs) if record["status"] == "stopped_early" else None):
        raise InputError(
            f"{file} has a status of {record['status']}, and train.patience={patience} ends its history "
            f"{'nowhere' if last is None else f'after {last} of {len(epochs)} evaluations'}: it was edited; {_MEND}."
        )
    if record["status"] == "finished" and not _is_at_end(record, record["history"][-1]):
        raise InputError(f"{file} has a status of finished and no end to its history: it was edited; {_MEND}.")


def _check_step(record: Record, line: Record, file: Path) -> None:
    """A run of so many steps is told by them."""
    if record["config"]["train"].get("steps") is not None and line.get("step") is None:
        raise InputError(f"{file} has no step in {_place(line)}: {_MEND}.")


def _place(line: Record) -> str:
    return f"epoch {line['epoch']:g}" if "epoch" in line else "its scores"


def _check_evaluation(record: Record, file: Path) -> None:
    """Its prompts are those of its config, and `mean` and `best` are made of their scores."""
    for line in (record["scores"], *(one["scores"] for one in record["prompts"])):
        _check_metric(record, line, file)
    _check_right(record, record["scores"], file)
    _check_score(record, record["scores"]["dev"][record["metric"]], file)
    prompts = record["prompts"]
    if [{"id": one["id"], "step": one["step"]} for one in prompts] != record["config"]["prompts"]:
        raise InputError(f"{file} has other prompts than its config: it was edited; {_MEND}.")
    if len({(*one["scores"]["dev"], *sorted(one["scores"]["tests"])) for one in prompts}) > 1:
        raise InputError(f"{file} has other scores of one prompt than of another: it was edited; {_MEND}.")
    for key, made in (("mean", mean_scores(prompts)), ("best", best_scores(prompts, record["metric"]))):
        if record[key] != made:
            raise InputError(f"{file} has a {key} that is not that of its prompts' scores: it was edited; {_MEND}.")


def _check_right(record: Record, line: Record, file: Path) -> None:
    """Where it says which dev examples were answered rightly."""
    right, accuracy = line.get("right"), line["dev"].get("accuracy")
    if right and accuracy is not None:
        share = 100 * right.count("1") / len(right)
        if not math.isclose(share, accuracy, rel_tol=1e-9, abs_tol=1e-9):
            raise InputError(
                f"{file} has an accuracy of {accuracy:g} in {_place(line)}, and {share:g} percent of right answers: "
                f"it was edited; {_MEND}."
            )


def _check_selection(record: Record, file: Path) -> None:
    selection = record.get("selection") or {"rule": record["config"].get("selection", "best_dev")}
    line = choose_line(record, selection["rule"])
    assert line is not None
    _check_score(record, line["dev"][record["metric"]], file)
    if "epoch" in selection and selection["epoch"] != line["epoch"]:
        raise InputError(
            f"{file} is reported by epoch {selection['epoch']}, and {selection['rule']} chooses epoch "
            f"{line['epoch']:g} of its history: it was edited; {_MEND}."
        )


def _check_score(record: Record, found: float, file: Path) -> None:
    if record["score"] != found:
        raise InputError(
            f"{file} has the score {record['score']}, and {found} where it is from: it was edited; {_MEND}."
        )
