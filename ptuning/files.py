"""Files that are either whole or not there, and the hash that tells."""

import fcntl
import hashlib
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

_PARTIAL = ".partial"  # ends the names of files that are being written
_DAY = 86_400.0  # seconds


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write `data` to `path` so that a reader or a crash meets the old file or the new one, never a part.

    Text is written as UTF-8. The folder must exist.
    """
    content = data.encode() if isinstance(data, str) else data
    file, partial = _open_partial(path)
    try:
        with file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(partial, 0o666 & ~_umask())
            os.replace(partial, path)  # while it is locked
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def remove_abandoned(folder: Path) -> None:
    """Remove what killed writers have left of files in `folder`; what is being written is locked, and stays."""
    for path in folder.glob(f".*{_PARTIAL}"):
        with suppress(OSError), path.open("r+b") as file:
            if _is_abandoned(file):
                path.unlink()


def _open_partial(path: Path) -> tuple[BinaryIO, Path]:
    """A new file, locked while it is open, and its path: in the same folder, because a rename is atomic only within
    one file system."""
    while True:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:80]}.", suffix=_PARTIAL)
        file = os.fdopen(descriptor, "wb")
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.path.exists(name):  # else it was taken for abandoned before it was locked
            return file, Path(name)
        file.close()


def _is_abandoned(file: BinaryIO) -> bool:
    """Whether nobody has the file locked or, where a file system has no locks, has touched it for a day."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return time.time() - os.fstat(file.fileno()).st_mtime > _DAY
    return True


def _umask() -> int:
    """The process's umask: `mkstemp` makes private files, but these are to be as readable as any other."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
