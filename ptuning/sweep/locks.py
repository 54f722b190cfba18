"""Who trains which run: a lock on a file beside the records, which the system releases when its holder dies.

Worker processes, launches side by side, and the tasks of a cluster's job array share a sweep by nothing else.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from ptuning.errors import InputError
from ptuning.parsed import Run


class RunLocks:
    """The locks on runs that this process holds."""

    def __init__(self) -> None:
        self.held: dict[Path, FileLock] = {}

    @classmethod
    def check(cls, run: Run) -> None:
        """Raise InputError where locks, and so records, cannot be written."""
        locks = cls()
        if locks.acquire(run):
            locks.release(run)

    def acquire(self, run: Run) -> bool:
        """Lock a run; False where another process has it. Raises InputError where no lock can be made."""
        file = _file(run)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(file)
            lock.acquire(timeout=0)
        except Timeout:
            return False
        except (OSError, NotImplementedError) as error:
            raise InputError(
                f"runtime.results={run.config.runtime.results} cannot be used ({error}): give a folder that can be "
                "written and locked."
            ) from None
        self.held[file] = lock
        return True

    def release(self, run: Run) -> None:
        """Let others have a run, or see that it has ended."""
        lock = self.held.pop(_file(run), None)
        if lock is not None:
            with suppress(OSError):  # in a folder that has become read-only the file stays, unlocked
                _file(run).unlink(missing_ok=True)  # whoever waits for it looks for the record before it starts
            lock.release()

    def release_all(self) -> None:
        """Let go of every lock that is held here."""
        for file in list(self.held):
            self.held.pop(file).release()


def _file(run: Run) -> Path:
    return run.config.runtime.results / "runs" / ".claims" / f"{run.id}.lock"
