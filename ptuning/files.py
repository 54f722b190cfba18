"""Files that are either whole or not there, and the hash that tells."""

import hashlib
import os
import tempfile
from pathlib import Path


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write `data` to `path` so that a reader or a crash meets the old file or the new one, never a part.

    Text is written as UTF-8. The folder must exist.
    """
    content = data.encode() if isinstance(data, str) else data
    # The same folder, because a rename is atomic only within one file system.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    """The process's umask: `mkstemp` makes private files, but these are to be as readable as any other."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
