"""MNLI (Williams et al., 2018; GLUE section 3): entailment across genres. `dev` is the matched set, of the genres that
train has; the mismatched one, of others, is the test set `mismatched` (of local files where `data.files` names it)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ptuning.tasks.base import OFFICIAL_DEV
from ptuning.tasks.kinds.glue import glue_files
from ptuning.tasks.kinds.nli import NLI


class MNLI(NLI):
    name = "mnli"
    folder = "MNLI"
    files = glue_files("MNLI", "json")
    extra_tests: ClassVar[Sequence[str]] = ("mismatched", OFFICIAL_DEV)
    hub = ("nyu-mll/glue", "mnli")
    hub_splits: ClassVar = {"train": "train", "dev": "validation_matched", "mismatched": "validation_mismatched"}
