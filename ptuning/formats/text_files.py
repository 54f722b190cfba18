"""Text files in UTF-8: where every reader has its lines from, and the refusal of files that are something else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ptuning.errors import InputError

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_HEAD = 4096  # bytes that tell what a file is
_OTHERS = {  # how a file that is no text in UTF-8 begins -> what it is, and what is to be done
    b"\x1f\x8b": ("is packed with gzip", "unpack it"),
    b"PK\x03\x04": ("is a zip archive", "unpack it"),
    b"BZh": ("is packed with bzip2", "unpack it"),
    b"\xfd7zXZ\x00": ("is packed with xz", "unpack it"),
    b"(\xb5/\xfd": ("is packed with zstd", "unpack it"),
    b"PAR1": ("is a Parquet file", "put the official file there"),
    b"\xff\xfe": ("is in UTF-16 or UTF-32", "save it as UTF-8"),
    b"\xfe\xff": ("is in UTF-16", "save it as UTF-8"),
    b"\x00\x00\xfe\xff": ("is in UTF-32", "save it as UTF-8"),
    b"version https://git-lfs": ("is a pointer of Git LFS, not the file itself", "fetch the file (git lfs pull)"),
}


def lines(path: Path, wanted: str) -> Iterator[tuple[str, str]]:
    """The lines without their ends, each with its place ("file:line"), and without a byte-order mark.

    Lines end with \\n or \\r\\n, or with \\r in a file that has no other end; nothing else ends one, as words may hold
    U+2028 and the like. Raises InputError for a file that is something else than text in UTF-8 (`wanted`, in words).
    """
    for number, line in enumerate(_split(path, wanted), 1):
        where = f"{path}:{number}"
        try:
            text = line.rstrip(b"\r\n").decode()
        except UnicodeDecodeError as error:
            raise _not_utf8(where, error) from None
        if "\r" in text:
            raise InputError(
                f"{where}: a carriage return stands inside the line: give all lines of the file the same end."
            )
        yield where, text


def content(path: Path, wanted: str) -> str:
    """The whole text, without a byte-order mark. Raises InputError as `lines` does."""
    with _open(path, wanted) as file:
        found = file.read()
    try:
        return found.decode()
    except UnicodeDecodeError as error:
        raise _not_utf8(f"{path}:{found.count(10, 0, error.start) + 1}", error) from None


def _split(path: Path, wanted: str) -> Iterator[bytes]:
    with _open(path, wanted) as file:
        first = file.readline()
        if b"\r" in first and not first.endswith(b"\n"):  # the whole file has no \n
            yield from first.removesuffix(b"\r").split(b"\r")
        elif first:
            yield first
        yield from file


def _open(path: Path, wanted: str) -> BinaryIO:
    """The file, behind its byte-order mark."""
    try:
        file = path.open("rb")
        head = file.peek(_HEAD)[:_HEAD]
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}): {wanted} is wanted there, correct the path or its rights."
        ) from None
    found = next((one for begin, one in _OTHERS.items() if head.startswith(begin)), None)
    if found is None and head.count(0) > len(head) // 4:
        found = "is in UTF-16, or no text at all", "save it as UTF-8"
    if found is not None:
        file.close()
        raise InputError(f"{path} {found[0]}, and {wanted} is wanted, as text in UTF-8: {found[1]}.")
    if head.startswith(_BYTE_ORDER_MARK):
        file.read(len(_BYTE_ORDER_MARK))
    return file


def _not_utf8(where: str, error: UnicodeDecodeError) -> InputError:
    return InputError(f"{where}: not valid UTF-8 (the byte {error.object[error.start]:#04x}): save the file as UTF-8.")
