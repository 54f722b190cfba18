"""Sweeps that are killed, stopped by signals, and launched side by side, compared with one that nothing disturbs.

A launch is a forked process, and so are its workers: none of them imports anything, so that many fit in a test.
`python -m tests.sweep.disturbances 100` (`make kill-test N=100`) kills 100 times; what it prints, as JSON, is what was
wrong and what was done.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from pathlib import Path

import psutil
import torch
from safetensors.torch import load_file

from experiments import run
from ptuning.sweep import pool, stopping

SWEEP = [
    "backbone=tiny_bert", "data=miniature", "task=cb", "data.train_rows=16", "data.dev_rows=8", "seed=1,2",
    "train.epochs=2,5,12", "train.batch_size=4", "runtime.wandb=disabled", "runtime.progress=false",
    "runtime.tokens_per_pass=600", "runtime.save=true", "runtime.device=cpu",
]  # fmt: skip
RUNS = 6
PATIENCE = 240.0  # seconds until something hangs
GIVEN_UP = "the worker that trained it alone was killed"  # a run whose workers were killed twice in one launch
TIMES = {"speed", "git", "versions", "machine"}  # of a record: how long it took, and with what


class Launch:
    """A launch of the sweep in a process group of its own."""

    def __init__(self, folder: Path, devices: str = "[cpu,cpu]") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.said = Path(tempfile.mkstemp(dir=folder, prefix="said-")[1])
        self.ended: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            _be_a_launch(folder, devices, self.said)
        os.setpgid(self.pid, self.pid)  # by whichever of the two comes first

    def status(self) -> int | None:
        """Its exit status, negative where a signal killed it; None while it goes on."""
        if self.ended is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.ended = os.waitstatus_to_exitcode(status) if pid else None
        return self.ended

    def has_ended_within(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while self.status() is None and time.monotonic() < end:
            time.sleep(0.01)
        return self.status() is not None

    def signal_group(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def workers(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.pid).children()
        except psutil.NoSuchProcess:
            return []

    def group_is_gone(self) -> bool:
        """Whether no process of it is left, also none that lost its parent."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self.status()  # a dead one is to be taken note of
            if not any(_group(process) == self.pid for process in psutil.process_iter()):
                return True
            time.sleep(0.1)
        return False

    def words(self) -> str:
        return self.said.read_text(errors="replace")

    def lines(self) -> list[str]:
        """Without the table that a sweep ends with, and what stands below it."""
        return self.words().partition("\n\n|")[0].splitlines()


def _group(process: psutil.Process) -> int | None:
    try:
        return None if process.status() == psutil.STATUS_ZOMBIE else os.getpgid(process.pid)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return None


def _be_a_launch(folder: Path, devices: str, said: Path) -> None:
    """As `python -m experiments.run` is. Does not return."""
    status: object = 1
    try:
        os.setpgid(0, 0)
        stopping.end_at_once()
        with said.open("w") as words:
            os.dup2(words.fileno(), 1)
            os.dup2(words.fileno(), 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        where = [f"runtime.results={folder}", f"runtime.weights={folder}/weights", f"hydra.sweep.dir={folder}/hydra"]
        sys.argv = ["run.py", "-m", *SWEEP, *where, f"hydra.launcher.devices={devices}"]
        try:
            run.main()
            status = 0
        except SystemExit as end:
            status = end.code or 0
            if isinstance(status, str):
                print(status, file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status if isinstance(status, int) else 1)


def records(folder: Path) -> dict[str, dict]:
    return {file.name: json.loads(file.read_text()) for file in sorted((folder / "runs").glob("*.json"))}


def stamps(folder: Path) -> dict[str, int]:
    """When each record was written; what is said of a failed run is written at each of its failures."""
    found = (folder / "runs").glob("*.json")
    return {file.name: file.stat().st_mtime_ns for file in found if not file.name.endswith(".failed.json")}


def differences(folder: Path, undisturbed: Path) -> list[str]:
    """In what a sweep's outcome is not that of the undisturbed one, times and float rounding aside."""
    got, wanted = records(folder), records(undisturbed)
    found = [f"{folder.name}: {name} is there in one alone" for name in got.keys() ^ wanted.keys()]
    for name in got.keys() & wanted.keys():
        found += [f"{folder.name}: {name}: {key}" for key in _differing(got[name], wanted[name])]
        one, other = (
            load_file(where / "weights" / f"{Path(name).stem}.safetensors") for where in (folder, undisturbed)
        )
        if one.keys() != other.keys() or not all(torch.allclose(one[key], other[key], atol=1e-2) for key in one):
            found.append(f"{folder.name}: {name}: weights")
    partial = [str(file) for file in folder.rglob("*.partial")]
    return found + [f"left behind: {file}" for file in partial]


def _differing(one: dict, other: dict) -> list[str]:
    plain = one.keys() - TIMES - {"history"}
    found = [key for key in plain if one[key] != other.get(key)]
    for line, same in zip(one["history"], other["history"], strict=True):
        close = abs(line["loss"] - same["loss"]) <= 1e-2 * abs(same["loss"])
        if not close or (line["step"], line["dev"]) != (same["step"], same["dev"]):
            found.append(f"history at step {line['step']}")
    return found


class Disturbances:
    """All that is done to sweeps below `folder`; `problems`: what went wrong."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.random = folder, random.Random(seed)
        self.undisturbed = folder / "undisturbed"
        self.problems: list[str] = []
        began = time.monotonic()
        launch = Launch(self.undisturbed)
        assert launch.has_ended_within(PATIENCE) and launch.status() == 0, launch.words()
        assert len(records(self.undisturbed)) == RUNS
        self.seconds = time.monotonic() - began

    def kill(self, times: int) -> dict[str, object]:
        """Kill as often, all processes of a launch, the launch without its workers, or a worker, at random moments,
        and launch again until all is done; as often as it takes."""
        kills, sweeps = dict.fromkeys(("all", "launch", "worker"), 0), 0
        while sum(kills.values()) < times:
            sweeps += 1
            self._killed_sweep(self.folder / f"killed-{sweeps}", times, kills)
        return {"kills": kills, "sweeps": sweeps}

    def _killed_sweep(self, folder: Path, times: int, kills: dict[str, int]) -> None:
        before: dict[str, int] = {}
        launches = [Launch(folder)]
        while sum(kills.values()) < times:
            launch = launches[-1]
            if launch.has_ended_within(self.random.uniform(0, self.seconds * 0.7)):
                break
            how = self._kill_some(launch)
            kills[how] += 1
            if how != "worker":
                assert launch.has_ended_within(PATIENCE)
                before = self._written_once(folder, before)
                launches.append(Launch(folder))
        if launches[-1].has_ended_within(PATIENCE) and GIVEN_UP in launches[-1].words():
            launches.append(Launch(folder))  # which tries again
        if not launches[-1].has_ended_within(PATIENCE):
            self.problems.append(f"{folder.name} hangs")
            launches[-1].signal_group(signal.SIGKILL)
        self._written_once(folder, before)
        self._check_end(folder, launches)

    def _kill_some(self, launch: Launch) -> str:
        how = self.random.choice(["all", "launch", "worker"])
        workers = launch.workers()
        if how == "worker" and workers:
            with suppress(psutil.NoSuchProcess):
                self.random.choice(workers).kill()
            return how
        if how == "launch":
            os.kill(launch.pid, signal.SIGKILL)
            return how
        launch.signal_group(signal.SIGKILL)
        return "all"

    def _written_once(self, folder: Path, before: dict[str, int]) -> dict[str, int]:
        """Note where a record is no longer what it was; when each was written."""
        now = stamps(folder)
        self.problems += [f"{folder.name}: {name} was made again" for name in before if before[name] != now.get(name)]
        return now

    def _check_end(self, folder: Path, launches: list[Launch]) -> None:
        if launches[-1].status() != 0:
            self.problems.append(f"{folder.name} ended with {launches[-1].status()}: {launches[-1].words()}")
        self.problems += [f"{folder.name}: a process is left" for launch in launches if not launch.group_is_gone()]
        self.problems += [f"{folder.name}: {one.words()}" for one in launches if "Traceback" in one.words()]
        self.problems += differences(folder, self.undisturbed)

    def stop(self, numbers: list[int]) -> dict[str, object]:
        """Send each signal to all processes of a launch, as a terminal does, at a random moment; then go on."""
        folder, statuses = self.folder / "stopped", []
        for number in numbers:
            launch = Launch(folder)
            launch.has_ended_within(self.random.uniform(0.1, self.seconds * 0.5))
            launch.signal_group(number)
            if not launch.has_ended_within(PATIENCE):
                self.problems.append(f"{signal.Signals(number).name} did not end it: {launch.words()}")
                launch.signal_group(signal.SIGKILL)
            statuses.append(launch.status())
            lines = [line for line in launch.lines() if " dev " not in line and "waiting" not in line]
            if launch.status() not in (0, 128 + number) or len(lines) > 1:
                self.problems.append(f"after {signal.Signals(number).name}: {launch.status()}, {launch.words()}")
            if not launch.group_is_gone():
                self.problems.append(f"after {signal.Signals(number).name} a process is left")
        launch = Launch(folder)
        launch.has_ended_within(PATIENCE)
        self._check_end(folder, [launch])
        return {"statuses": statuses}

    def side_by_side(self, launches: int, devices: str) -> dict[str, object]:
        """So many launches at once: every run is trained by one of them."""
        folder = self.folder / f"{launches}-at-once"
        started = [Launch(folder, devices) for _ in range(launches)]
        for launch in started:
            launch.has_ended_within(PATIENCE)
            self._check_end(folder, [launch])
        lines = [line for launch in started for line in launch.lines() if " dev " in line]
        trained = [line for line in lines if "(already there)" not in line]
        if len(trained) != RUNS:
            self.problems.append(f"{len(trained)} runs were trained, not {RUNS}: {trained}")
        return {"launches": launches}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kills", type=int)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    given = parser.parse_args()
    torch.set_num_threads(1)
    pool.START = "fork"
    done: dict[str, object] = {"seed": given.seed}
    with tempfile.TemporaryDirectory() as folder:
        disturb = Disturbances(Path(folder), given.seed)
        done["undisturbed_seconds"] = round(disturb.seconds, 1)
        signals = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
        for name, act in (
            ("killed", lambda: disturb.kill(given.kills)),
            ("stopped", lambda: disturb.stop(signals)),
            ("two at once", lambda: disturb.side_by_side(2, "[cpu,cpu]")),
            ("four at once", lambda: disturb.side_by_side(4, "[cpu]")),
        ):
            began, disturb.problems = time.monotonic(), []
            figures = act()
            done[name] = {"problems": disturb.problems, **figures, "seconds": round(time.monotonic() - began, 1)}
    print(json.dumps(done, indent=1))
    sys.exit(any(isinstance(one, dict) and one["problems"] for one in done.values()))


if __name__ == "__main__":
    main()
