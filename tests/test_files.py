"""Files that are whole or not there."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ptuning.files import remove_abandoned, sha256, write_atomic


def test_text_and_bytes_are_written_over_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_atomic(path, b"old")
    write_atomic(path, "é\n")
    assert path.read_bytes() == b"\xc3\xa9\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "record.json"
    write_atomic(path, "old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_leaves_is_removed_and_what_is_being_written_is_not(tmp_path: Path) -> None:
    """The writer removes what is abandoned while it writes, and its own file stays; then it is killed."""
    code = (
        "import os, pathlib, sys; from ptuning import files; "
        "folder = pathlib.Path(sys.argv[1]); "
        "os.fsync = lambda _: (files.remove_abandoned(folder), print(len(list(folder.iterdir())), flush=True), "
        "os.kill(os.getpid(), 9)); "
        "files.write_atomic(folder / 'record.json', 'x')"
    )
    (tmp_path / "record.json").write_text("old")
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, check=False)
    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, b"2\n"), killed.stderr
    assert len(list(tmp_path.iterdir())) == 2
    remove_abandoned(tmp_path)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]


def test_a_file_that_is_taken_for_abandoned_before_it_is_locked_is_made_anew(tmp_path: Path, monkeypatch) -> None:
    flock, swept = fcntl.flock, []

    def late(file: object, how: int) -> None:
        if not swept:  # the other process comes just before
            swept.append(True)
            remove_abandoned(tmp_path)
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    write_atomic(tmp_path / "record.json", "new")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["new"]


def test_where_there_are_no_locks_only_old_files_are_removed(tmp_path: Path, monkeypatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    new, old = tmp_path / ".a.json.x.partial", tmp_path / ".b.json.x.partial"
    new.touch()
    old.touch()
    os.utime(old, (time.time() - 90_000,) * 2)
    remove_abandoned(tmp_path)
    write_atomic(tmp_path / "record.json", "")
    assert sorted(file.name for file in tmp_path.iterdir()) == [new.name, "record.json"]


def test_sha256(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    assert sha256(path) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
