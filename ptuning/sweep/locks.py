"""Who trains which run: a lock on a file beside the records, which the system gives back when its holder dies.

Worker processes, launches side by side, and the tasks of a cluster's job array share a sweep by nothing else.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from ptuning.config import RunConfig
from ptuning.errors import InputError
from ptuning.records.identity import run_id


class RunLocks:
    """The runs that this process has claimed."""

    def __init__(self) -> None:
        self.held: dict[Path, FileLock] = {}

    @classmethod
    def check(cls, config: RunConfig) -> None:
        """Raise InputError where claims, and so records, cannot be written."""
        claims = cls()
        if claims.take(config):
            claims.release(config)

    def take(self, config: RunConfig) -> bool:
        """Claim a run; False where another process has it. Raises InputError where no claim can be made."""
        file = _file(config)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(file)
            lock.acquire(timeout=0)
        except Timeout:
            return False
        except (OSError, NotImplementedError) as error:
            raise InputError(
                f"runtime.results={config.runtime.results} cannot be used ({error}): give a folder that can be "
                "written and locked."
            ) from None
        self.held[file] = lock
        return True

    def has(self, config: RunConfig) -> bool:
        return _file(config) in self.held

    def release(self, config: RunConfig) -> None:
        """Give a run back, or up because it has ended."""
        lock = self.held.pop(_file(config), None)
        if lock is not None:
            with suppress(OSError):  # in a folder that has become read-only the file stays, unlocked
                _file(config).unlink(missing_ok=True)  # whoever waits for it looks for the record before it starts
            lock.release()

    def release_all(self) -> None:
        for file in list(self.held):
            self.held.pop(file).release()


def _file(config: RunConfig) -> Path:
    return config.runtime.results / "runs" / ".claims" / f"{run_id(config)}.lock"
