"""Damaged records are refused in a sentence that names the file, or read as they stand, with the number they had, and
reported. `N=` makes more of them than the default."""

from __future__ import annotations

import json
import random
from pathlib import Path

from experiments.artefacts import index
from experiments.site.page import page
from ptuning.errors import InputError
from ptuning.records import store, verify
from ptuning.records.record import choose_epoch
from tests.damage import NUMBER, damaged, is_sentence, mutated, within_limits
from tests.records.test_identity import COMMITTED

FILES = sorted(COMMITTED.rglob("*.json"))


def number(record):
    return record["id"], record["score"], record["status"], choose_epoch(record, "best_dev")


def check(file: Path, whole) -> bool:
    """Whether it is read; else it is refused. Raises where neither is done well."""
    try:
        ((found, record),) = store.read_all(file.parents[1])
    except InputError as error:
        assert is_sentence(error) and file.name in str(error), str(error)
        return False
    assert found == file
    assert number(record) == number(whole)
    assert record == verify.upgraded(json.loads(file.read_text()), file)
    try:
        index.text({Path(file.name): record})
        page(file.parents[1])
    except InputError as error:
        assert is_sentence(error), str(error)
    return True


def test_a_damaged_record_is_refused_or_read_as_it_stands(tmp_path):
    (tmp_path / "runs").mkdir()
    outcomes = set()
    for seed in range(max(NUMBER, 60)):
        draw = random.Random(seed)
        original = draw.choice(FILES)
        content, file = original.read_bytes(), tmp_path / "runs" / original.name
        structured = draw.random() < 0.6
        file.write_bytes(
            json.dumps(mutated(json.loads(content), draw)).encode() if structured else damaged(content, draw)
        )
        try:
            with within_limits():
                outcomes.add(check(file, store.read(original)))
        except Exception as error:
            raise AssertionError(f"seed {seed}, {original.name}: {type(error).__name__}: {error}") from error
        file.unlink()
    assert outcomes == {True, False}
