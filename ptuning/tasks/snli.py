"""SNLI (Bowman et al., 2015): entailment of sentences that caption pictures. Where annotators did not agree on a label
the row has none, and is left out, as in the paper (section 2.2)."""

from __future__ import annotations

from typing import Any

from ptuning.formats.rows import Row
from ptuning.tasks.kinds.glue import glue_files
from ptuning.tasks.kinds.nli import NLI

NO_LABEL = "-"  # in the official files


class SNLI(NLI):
    name = "snli"
    folder = "SNLI"
    files = glue_files("SNLI", "json")
    leaves_out_unlabelled = True
    origin = "nlp.stanford.edu/projects/snli"
    hub = ("stanfordnlp/snli", "plain_text")

    def _label(self, row: Row) -> dict[str, Any]:
        return {"label": None} if row.get("label") == NO_LABEL else super()._label(row)
