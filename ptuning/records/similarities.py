"""How alike trained prompts of one backbone are, on disk: a file a set of prompts in results/similarities, from which
tables and figures are made where the prompts themselves are not. `analysis.prompt_similarities` makes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError, model_validator

from ptuning.config import SimilarityConfig
from ptuning.errors import InputError
from ptuning.files import write_atomic
from ptuning.records.identity import hashed_id
from ptuning.records.provenance import provenance

MEND = "delete it to have it made again, or restore it"


class Compared(BaseModel):
    """A trained prompt; `record` is the file name of its run's."""

    model_config = ConfigDict(frozen=True)

    id: str
    step: str | int
    record: str


class Similarities(BaseModel):
    """Of N prompts, by a metric's name `[N][N]`; `backbone` is its content."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["similarities"] = "similarities"
    backbone: dict[str, Any]
    prompts: list[Compared]
    metrics: dict[str, list[list[FiniteFloat]]]

    @model_validator(mode="after")
    def _every_pair_is_there(self) -> Similarities:
        size = len(self.prompts)
        for name, matrix in self.metrics.items():
            if len(matrix) != size or any(len(row) != size for row in matrix):
                raise ValueError(f"{name} is not of {size} prompts")
        return self

    def between(self, metric: str, one: str, other: str) -> float:
        """How alike the prompts of two runs are, by their ids."""
        ids = [prompt.id for prompt in self.prompts]
        return self.metrics[metric][ids.index(one)][ids.index(other)]


def path(config: SimilarityConfig) -> Path:
    """Where they are or will be: which prompts they are of stands in the name, in whatever order."""
    prompts = sorted([one.id, str(one.step)] for one in config.prompts)
    name = f"{config.backbone.name}-{len(prompts)}-prompts-{hashed_id({'prompts': prompts})}.json"
    return config.runtime.results / "similarities" / name


def find(config: SimilarityConfig) -> Similarities | None:
    """Those of the prompts of `config`; None where they were not compared. Raises InputError for a file that is
    damaged or of other prompts."""
    file = path(config)
    if not file.is_file():
        return None
    try:
        found = Similarities.model_validate(json.loads(file.read_bytes()))
    except (ValueError, ValidationError, RecursionError):
        raise InputError(f"{file} holds no similarities of prompts: {MEND}.") from None
    if {(one.id, one.step) for one in found.prompts} != {(one.id, one.step) for one in config.prompts}:
        raise InputError(f"{file} is of other prompts than its name says: {MEND}.")
    return found


def write(
    config: SimilarityConfig,
    prompts: Sequence[Compared],
    metrics: Mapping[str, list[list[float]]],
    backbone: Mapping[str, Any],
) -> Similarities:
    """Write what was found of `prompts`, in their order, on a backbone of that content."""
    found = Similarities(prompts=list(prompts), metrics=dict(metrics), backbone=dict(backbone))
    file = path(config)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file, json.dumps(found.model_dump() | provenance(), indent=1, allow_nan=False) + "\n")
    return found
