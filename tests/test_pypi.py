"""Files out of wheels: fetched once, always checked. pip is real, its index a folder."""

import errno
import hashlib
import logging
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ptuning import pypi
from ptuning.errors import InputError
from ptuning.files import sha256
from ptuning.pypi import Package, cache_root, members

MEMBER = "tiny-data/rows.txt"  # hyphens, as in some real archives: no name to import
CONTENT = b"one\ntwo\n"
WANTED = {MEMBER: hashlib.sha256(CONTENT).hexdigest()}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """A wheel on an index of its own, and an empty cache."""
    index = tmp_path / "index"
    index.mkdir()
    wheel = index / "tiny_data-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(MEMBER, CONTENT)
        archive.writestr("tiny_data-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-data\nVersion: 1.0\n")
        archive.writestr("tiny_data-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("tiny_data-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setenv("PTUNING_CACHE", str(tmp_path / "cache"))
    return Package("tiny-data==1.0", sha256(wheel))


@pytest.fixture
def fetches(package: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The downloads made, which are copies here: pip takes a second each time."""
    made: list[str] = []
    wheel = next((tmp_path / "index").iterdir())

    def download(package: Package, folder: Path) -> Path:
        made.append(package.requirement)
        return Path(shutil.copy(wheel, folder))

    monkeypatch.setattr(pypi, "_download", download)
    return made


def test_a_member_is_fetched_once(package: Package, fetches: list[str]) -> None:
    first = members(package, WANTED)
    assert first[MEMBER].read_bytes() == CONTENT
    assert members(package, WANTED) == first
    assert fetches == ["tiny-data==1.0"]


def test_only_the_wanted_members_are_kept(package: Package, fetches: list[str]) -> None:
    path = members(package, WANTED)[MEMBER]
    kept = [file for file in cache_root().rglob("*") if file.is_file() and file.suffix != ".lock"]
    assert kept == [path]


def test_a_damaged_member_is_fetched_again(
    package: Package, fetches: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = members(package, WANTED)[MEMBER]
    path.write_bytes(CONTENT[:3])
    caplog.clear()
    assert members(package, WANTED)[MEMBER].read_bytes() == CONTENT
    (warning,) = caplog.records
    assert warning.levelno == logging.WARNING
    assert MEMBER in warning.message and "damaged" in warning.message and "\n" not in warning.message


@pytest.mark.parametrize(
    ("wanted", "said"), [({MEMBER: "0" * 64}, "SHA-256"), ({"tiny-data/no.txt": "0" * 64}, "holds no file")]
)
def test_a_wheel_with_other_files_is_refused(
    package: Package, fetches: list[str], wanted: dict[str, str], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        members(package, wanted)
    assert not (cache_root() / "packages" / package.requirement / next(iter(wanted))).exists()


def test_a_wheel_with_another_hash_is_refused(package: Package) -> None:
    with pytest.raises(InputError, match="DO NOT MATCH"):
        members(Package(package.requirement, "0" * 64), WANTED)


def test_a_failing_pip_is_told_in_one_sentence(package: Package) -> None:
    with pytest.raises(InputError, match=r"absent==1\.0 could not be fetched \(pip: .*network access") as error:
        members(Package("absent==1.0", "0" * 64), WANTED)
    assert "\n" not in str(error.value)


def test_two_processes_fetch_once(package: Package) -> None:
    code = f"from ptuning.pypi import *; print(*members({package!r}, {WANTED!r}).values())"
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs, warnings = zip(*(process.communicate() for process in started), strict=True)
    assert outputs[0] == outputs[1]
    assert Path(outputs[0].strip()).read_bytes() == CONTENT
    assert "".join(warnings).count("fetching it") == 1


def test_a_cache_that_cannot_be_used_is_one_sentence(
    package: Package, fetches: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file in its way, a folder that cannot be written, a full disk."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PTUNING_CACHE", str(tmp_path / "file/cache"))
    with pytest.raises(
        InputError, match=r"the cache \S+/file/cache cannot be used .\S+: Not a directory.: set PTUNING"
    ):
        members(package, WANTED)
    monkeypatch.setenv("PTUNING_CACHE", str(tmp_path / "cache"))
    for code in (errno.EACCES, errno.EROFS, errno.ENOSPC):

        def fail(*_: object, code: int = code, **__: object) -> None:
            raise OSError(code, os.strerror(code), str(tmp_path / "cache/x"))

        for place in ("FileLock", "_extract"):
            with monkeypatch.context() as patch:
                patch.setattr(pypi, place, fail)
                with pytest.raises(InputError, match=f"cannot be used .*cache/x: {os.strerror(code)}.*PTUNING_CACHE"):
                    members(package, WANTED)
    assert members(package, WANTED)[MEMBER].read_bytes() == CONTENT


def test_without_a_home_the_cache_has_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTUNING_CACHE", "~nobody-of-this-name/cache")
    with pytest.raises(InputError, match=r"there is no cache folder .*: set PTUNING_CACHE to one"):
        cache_root()


def test_the_cache_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PTUNING_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_root() == Path.home() / ".cache" / "ptuning"
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_root() == Path("/x/ptuning")
    monkeypatch.setenv("PTUNING_CACHE", "/y")
    assert cache_root() == Path("/y")
