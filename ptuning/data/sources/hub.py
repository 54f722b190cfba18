"""Data sets on the Hugging Face hub."""

from __future__ import annotations

from ptuning.config import DataConfig
from ptuning.errors import InputError
from ptuning.formats.rows import Row
from ptuning.tasks.base import AnyTask


def rows(task: AnyTask, data: DataConfig) -> dict[str, list[tuple[str, Row]]]:
    """The hub's splits, as official rows.

    Raises InputError where they cannot be loaded, whatever the reason, and where a row has no label, unless the task
    leaves such out.
    """
    if task.hub is None:
        raise InputError(
            f"data.source=hub: {task.name} is not on the hub: choose data=local data.root=<folder>"
            f"{f' ({task.origin})' if task.origin else ''} or data=miniature."
        )
    return {split: _load(task, name, data.revision or task.hub_revision) for split, name in task.hub_splits.items()}


def _load(task: AnyTask, split: str, revision: str | None) -> list[tuple[str, Row]]:
    import datasets  # slow to import, and only this source needs it

    assert task.hub is not None
    data_set, configuration = task.hub
    try:
        loaded = datasets.load_dataset(data_set, configuration, split=split, revision=revision)
    except Exception as error:  # the library has no common base class: offline, unknown name, broken download, …
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"data.source=hub: {data_set} ({configuration}, {split}) could not be loaded ({reason}): mend that, or"
            " choose data=local data.root=<folder> or data=bundled."
        ) from error
    place = f"{data_set}/{configuration}/{split}"
    stored = task.hub_rows(loaded)
    if any(map(task.is_unlabelled, stored)) and not task.leaves_out_unlabelled:
        raise InputError(f"data.source=hub: {place} has a row without a label: use a labelled split.")
    return [(f"{place}:{number}", row) for number, row in enumerate(task.from_hub(stored), 1)]
