"""However a sweep ends, its records are those of one that nothing disturbed, and nothing is trained twice."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import default_signals

ROOT = Path(__file__).parents[2]
KILLS = 10


def test_kills_signals_and_launches_at_once_change_nothing():
    """See `disturbances`, which is a process of its own because it forks."""
    command = [sys.executable, "-m", "tests.sweep.disturbances", str(KILLS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout)
    assert sum(figures["killed"]["kills"].values()) == KILLS
    assert not {name: one["problems"] for name, one in figures.items() if isinstance(one, dict) and one["problems"]}


@pytest.mark.parametrize(
    ("number", "status", "line"),
    [
        (signal.SIGINT, 130, "interrupted before anything was begun"),
        (signal.SIGTERM, 143, "stopped by SIGTERM before anything was begun"),
        (signal.SIGHUP, 129, "stopped by SIGHUP before anything was begun"),
    ],
)
def test_a_signal_that_comes_while_modules_are_imported_ends_the_process_in_one_line(number, status, line):
    code = (
        "from ptuning.sweep import stopping; stopping.end_at_once(); print(flush=True); import time; time.sleep(600)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=default_signals,
    )  # fmt: skip
    process.stdout.readline()
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (status, line + "\n")


def test_a_signal_that_is_ignored_stays_so():
    """As under nohup; and one that follows another does not disturb the ending."""
    code = (
        "import signal, os, sys; from ptuning.sweep import stopping; signal.signal(signal.SIGHUP, signal.SIG_IGN); "
        "stopping.end_on_signals(); os.kill(os.getpid(), signal.SIGHUP)\n"
        "try:\n os.kill(os.getpid(), signal.SIGTERM)\n"
        "finally:\n os.kill(os.getpid(), signal.SIGTERM); os.kill(os.getpid(), signal.SIGINT); print('put away')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (143, "put away\n", "")


def test_a_signal_in_the_middle_of_a_destructor_is_not_lost():
    """Nothing that a destructor raises gets through; nor does what a weak reference's or a fork's callback raises."""
    code = (
        "import signal, os, time; from ptuning.sweep import stopping; stopping.end_on_signals()\n"
        "class Held:\n def __del__(self): os.kill(os.getpid(), signal.SIGTERM); time.sleep(0.01)\n"
        "held = Held(); del held; print('goes on', flush=True)\n"
        "try:\n time.sleep(60)\n"
        "finally:\n print('put away')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (143, "goes on\nput away\n", "")
