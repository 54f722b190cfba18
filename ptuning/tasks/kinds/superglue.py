"""The official SuperGLUE archive (Wang et al., 2019)."""

from __future__ import annotations


def superglue_files(folder: str) -> dict[str, str]:
    """Where the archive keeps a task's labelled splits, below a data root: split -> path."""
    return {"train": f"superglue/{folder}/train.jsonl", "dev": f"superglue/{folder}/val.jsonl"}
