"""A sweep: the same numbers packed, one by one, shared by workers and after a death; and nothing finished is lost."""

import errno
import importlib
import json
import math
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from hydra import compose as hydra_compose
from hydra import initialize_config_dir

from ptuning import run as run_module
from ptuning.devices import worker_devices
from ptuning.errors import InputError
from ptuning.launch import compose
from ptuning.parsed import Run
from ptuning.records import store, weights
from ptuning.records.events import Evaluated, Notice, RunEnded, RunFailed, RunStarted
from ptuning.records.identity import run_id
from ptuning.run import run
from ptuning.sweep import pool, resume, sweep, worker
from ptuning.sweep.locks import RunLocks
from ptuning.sweep.packing import packs
from ptuning.sweep.progress import Progress
from ptuning.sweep.stopping import FirstFailure, Stopped
from tests.conftest import default_signals

ROOT = Path(__file__).parents[2]


class Listener:
    """Keeps all events: those that end runs by the runs' ids, and the notices' texts."""

    def __init__(self):
        self.events, self.ended, self.notices = [], {}, []

    def __call__(self, event):
        self.events.append(event)
        if isinstance(event, RunEnded | RunFailed):
            assert event.run_id not in self.ended, "a run ends once"
            self.ended[event.run_id] = event
        if isinstance(event, Notice):
            self.notices.append(event.text)


def swept(configs, devices=("cpu",)):
    heard = Listener()
    sweep.sweep(configs, list(devices), heard)
    return heard


def numbers(record):
    """What of a record may not depend on how it was trained."""
    return [(epoch["loss"], epoch["dev"]) for epoch in record["history"]]


def grid(make_run, tmp_path=None, **more):
    more |= {} if tmp_path is None else {"runtime__results": tmp_path}
    runs = [make_run(method, seed=seed, **more) for method in ("p_tuning_v2", "prompt_tuning") for seed in (1, 2)]
    return [*runs, make_run("fine_tuning", **more), make_run("p_tuning_v2", "copa", prompt__layers="3-4", **more)]


def test_packed_equals_one_by_one(make_run, tmp_path):
    packed = grid(make_run, tmp_path / "packed")
    heard = swept(packed)
    lanes = [store.find(config)["speed"]["lanes"] for config in packed]
    assert lanes == [5, 5, 5, 5, 1, 5], "fine-tuning goes alone, the others together"
    assert heard.ended.keys() == {run_id(config) for config in packed}
    for config, alone in zip(packed, grid(make_run, tmp_path / "alone"), strict=True):
        (expected,) = run([alone])
        for one, other in zip(numbers(store.find(config)), numbers(expected), strict=True):
            assert one[0] == pytest.approx(other[0], rel=2e-4)
            assert one[1] == other[1]


def test_the_same_lanes_give_the_same_bits(make_run, tmp_path):
    both = [grid(make_run, tmp_path / name) for name in ("one", "two")]
    for configs in both:
        swept(configs)
    for one, two in zip(*both, strict=True):
        assert numbers(store.find(one)) == numbers(store.find(two))


def test_runs_that_cannot_share_a_backbone_are_packed_apart(make_run):
    runs = [
        make_run(seed=1), make_run(seed=2, train__backbone_dropout=0.1), make_run("fine_tuning"),
        make_run("fine_tuning", seed=2), make_run("prompt_tuning", "cb"), make_run(seed=3, train__precision="bf16"),
    ]  # fmt: skip
    assert sorted(len(pack) for pack in packs([Run.parse(config) for config in runs])) == [1, 1, 1, 1, 2]


def test_one_runs_failure_is_told_and_recorded_and_stops_nobody(make_run):
    bad = make_run(prompt__length=100, seed=9)
    good = [make_run(seed=1), make_run(seed=2)]
    heard = swept([bad, *good])
    assert "prompt.length=100" in heard.ended[run_id(bad)].reason
    assert "prompt.length=100" in json.loads(store.failure_path(bad).read_text())["error"]
    assert all(store.find(config) for config in good)


def test_a_backbone_that_cannot_be_had_fails_its_runs_and_no_others(make_run):
    gone = [
        make_run(seed=s, backbone__source="hub", backbone__id="nobody/nothing", backbone__name="x") for s in range(3)
    ]
    heard = swept([*gone, make_run()])
    assert [heard.ended[run_id(one)].refused for one in gone] == [True] * 3
    assert store.find(make_run())


def full_disk(monkeypatch, fails, module=store):
    """Writing a record, or of `module` another file, fails while `fails(file)`."""
    write = module.write_atomic

    def limited(file, content):
        if fails(file):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(file, content)

    monkeypatch.setattr(module, "write_atomic", limited)


def test_a_disk_that_is_full_for_a_while_loses_nothing(make_run, monkeypatch):
    configs = [make_run(seed=seed, train__epochs=1 + seed) for seed in range(3)]
    left = [4]

    def fails(_file):
        left[0] -= 1
        return left[0] >= 0

    full_disk(monkeypatch, fails)
    heard = swept(configs)
    assert all(store.find(config) for config in configs)
    (notice,) = heard.notices  # once, however often it is tried
    results = configs[0].runtime.results
    assert notice.startswith(f"{results}/runs cannot be written (No space left on device): what finished runs have")


def test_a_folder_that_stays_unwritable_loses_nothing(make_run, monkeypatch, tmp_path):
    configs = [make_run(seed=seed, runtime__save=True) for seed in range(2)]
    results = str(configs[0].runtime.results)
    full_disk(monkeypatch, lambda file: str(file).startswith(results))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    heard = swept(configs)
    assert not any(store.find(config) for config in configs)
    rescued = sorted(tmp_path.glob("ptuning-rescued-*/runs/*.json"))
    assert [file.name for file in rescued] == sorted(store.path(config).name for config in configs)
    assert all(weights.path(config).is_file() for config in configs), "their disk is another"
    moves = [f"move {file} to {configs[0].runtime.results}/runs/{file.name}, or" for file in rescued]
    assert len(heard.notices) == 3, "one on the folder, one a run"
    assert all(sum(move in line for line in heard.notices) == 1 for move in moves)
    for file in rescued:  # what the line says can be done
        (configs[0].runtime.results / "runs" / file.name).write_bytes(file.read_bytes())
    monkeypatch.undo()
    assert all(store.find(config) for config in configs)


def test_where_weights_cannot_be_written_the_record_is_and_the_weights_are_put_elsewhere(
    make_run, monkeypatch, tmp_path
):
    config = make_run(runtime__save=True)
    place = weights.path(config)
    full_disk(monkeypatch, lambda file: file.is_relative_to(config.runtime.weights), weights)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    heard = swept([config])
    assert isinstance(heard.ended[run_id(config)], RunEnded) and store.find(config)
    (rescued,) = tmp_path.glob("ptuning-rescued-*/weights/*.safetensors")
    first, second = heard.notices
    assert first.startswith(f"{place.parent} cannot be written (No space left on device)")
    assert f"(No space left on device): move {rescued} to {place}, or" in second and "runs" not in second
    monkeypatch.undo()
    assert not resume.done(config), "as long as they are not moved"
    place.parent.mkdir(exist_ok=True)
    rescued.rename(place)
    assert resume.done(config)
    assert len(weights.load_state(place)) > 1


def test_where_nothing_can_be_written_the_record_is_printed(make_run, monkeypatch, tmp_path):
    config = make_run()
    for place in ("home", "here", "temporary"):
        (tmp_path / place).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.chdir(tmp_path / "here")
    full_disk(monkeypatch, lambda file: True)
    heard = swept([config])
    assert "could not be written anywhere (No space left on device); its record:" in heard.notices[-1]
    assert json.loads(heard.notices[-1].splitlines()[1])["id"] == run_id(config)
    tried = [*(tmp_path / place for place in ("home", "here", "temporary")), Path("/dev/shm")]
    assert not any((place / f"ptuning-rescued-{os.getpid()}").exists() for place in tried), "nothing is left behind"


def test_what_is_wrong_with_one_runs_record_is_its_failure_alone(make_run, monkeypatch):
    """Also where the word of its failure cannot be written either."""
    configs = [make_run(seed=seed) for seed in range(3)]
    make = run_module.run_record
    monkeypatch.setattr(
        run_module,
        "run_record",
        lambda lane, backbone: make(lane, backbone) | ({"score": math.inf} if lane.config.seed == 1 else {}),
    )
    fail = store.write_failure
    monkeypatch.setattr(store, "write_failure", lambda config, *_: fail(config, "unreadable \udc80", ""))
    heard = swept(configs)
    assert [store.find(config) is not None for config in configs] == [True, False, True]
    failed = heard.ended[run_id(configs[1])]
    assert failed.reason.startswith("ValueError: Out of range float values") and not failed.refused


class Closed:
    """A stream that nobody reads any more."""

    def write(self, _):
        raise BrokenPipeError

    flush, fileno = (lambda self: self.write("")), (lambda self: os.open(os.devnull, os.O_WRONLY))


def test_that_nobody_reads_what_is_printed_harms_no_run(make_run, monkeypatch):
    configs = [make_run(seed=seed) for seed in range(2)]
    monkeypatch.setattr(sys, "stdout", Closed())
    sweep.sweep(configs, ["cpu"], Progress(configs))
    assert all(store.find(config) for config in configs)


def test_a_sweep_that_is_to_fail_fast_ends_with_the_first_failure(make_run):
    fail_fast = {"runtime__fail_fast": True}
    done, bad = make_run(seed=1, **fail_fast), make_run(seed=2, prompt__length=100, **fail_fast)
    later = make_run("fine_tuning", seed=3, **fail_fast)
    swept([done])
    heard = Listener()
    with pytest.raises(FirstFailure) as stop:
        sweep.sweep([done, bad, later], ["cpu"], heard)
    assert stop.value.code == 1
    assert heard.ended.keys() == {run_id(done), run_id(bad)} and not store.path(later).exists()
    with pytest.raises(InputError, match=r"prompt.length=100"):
        sweep.launch(bad)


def test_a_finished_run_is_written_though_the_process_is_told_to_end_meanwhile(make_run, monkeypatch):
    config, write = make_run(), store.write
    times = []

    def interrupted(*arguments):
        times.append(1)
        if len(times) == 1:
            raise Stopped("interrupted", 130)
        return write(*arguments)

    monkeypatch.setattr(store, "write", interrupted)
    with pytest.raises(Stopped):
        swept([config])
    assert store.find(config)


def test_what_killed_writers_left_is_removed_by_the_next_sweep(make_run):
    config = make_run()
    runtime = config.runtime
    left = [
        folder / ".x.json.abc.partial" for folder in (runtime.results / "runs", runtime.weights / "steps")
    ]  # fmt: skip
    for file in left:
        file.parent.mkdir(parents=True)
        file.touch()
    swept([config])
    assert not any(file.exists() for file in left)


def test_a_results_folder_that_cannot_be_written_is_refused_before_training(make_run, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"runtime.results=.*file cannot be used .*: give a folder"):
        RunLocks.check(Run.parse(make_run(runtime__results=tmp_path / "file")))
    (tmp_path / "runs").write_text("")
    done = subprocess.run(command(tmp_path), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith(f"error: runtime.results={tmp_path} cannot be used")


def test_a_locked_run_is_waited_for_and_its_record_taken(make_run, monkeypatch, tmp_path):
    """Another process has the run; it ends there while this one waits."""
    config = make_run()
    other, locked = RunLocks(), Run.parse(config)
    assert other.acquire(locked)
    (record,) = run([make_run(runtime__results=tmp_path / "elsewhere")])
    monkeypatch.setattr(worker.time, "sleep", lambda _: (store.write(config, record), other.release(locked)))
    heard = swept([config, make_run(seed=3)])
    assert heard.ended[run_id(config)].record["id"] == run_id(config)
    assert numbers(store.find(config)) == numbers(record), "it was not trained again"
    assert any("1 run(s) are being trained by another process" in line for line in heard.notices)


def test_a_lock_is_released_also_where_its_file_cannot_be_removed(make_run, monkeypatch):
    """As in a folder that has become read-only while a run was trained."""

    def refused(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    locked, locks = Run.parse(make_run()), RunLocks()
    assert locks.acquire(locked)
    monkeypatch.setattr(Path, "unlink", refused)
    locks.release(locked)
    assert RunLocks().acquire(locked)


def test_a_run_that_cannot_be_locked_fails_alone(make_run, monkeypatch):
    """As on a disk that fills while others train."""
    configs = [make_run(seed=seed) for seed in range(3)]
    acquire = RunLocks.acquire

    def limited(self, run):
        if run.config.seed == 1:
            raise InputError("runtime.results=x cannot be used (no space)")
        return acquire(self, run)

    monkeypatch.setattr(RunLocks, "acquire", limited)
    heard = swept(configs)
    assert [store.find(config) is not None for config in configs] == [True, False, True]
    assert "no space" in heard.ended[run_id(configs[1])].reason


def test_a_lock_is_one_process_and_is_released_when_it_dies(make_run):
    locked = Run.parse(make_run())
    locks = RunLocks()
    assert locks.acquire(locked)
    assert not RunLocks().acquire(locked)
    locks.release(locked)
    code = (
        "import os, sys, pickle; from ptuning.sweep.locks import RunLocks; run = pickle.load(sys.stdin.buffer); "
        "locks = RunLocks(); print(locks.acquire(run), flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(locked), capture_output=True, cwd=ROOT)
    assert done.stdout == b"True\n" and done.returncode == -signal.SIGKILL
    assert RunLocks().acquire(locked)


def test_events_are_plain_data_of_runs_in_their_order(make_run):
    """They can be sent to another process, and those of a run say what became of it."""
    config, bad = make_run(), make_run(prompt__length=100)
    heard = swept([config, bad])
    assert all(pickle.loads(pickle.dumps(event)) == event for event in heard.events)
    kinds = [type(event) for event in heard.events if event.run_id == run_id(config)]
    assert kinds == [RunStarted, *[Evaluated] * config.train.epochs, RunEnded]
    evaluated = [event.line for event in heard.events if isinstance(event, Evaluated)]
    assert [line.dev for line in evaluated] == [line["dev"] for line in heard.ended[run_id(config)].record["history"]]
    assert [type(event) for event in heard.events if event.run_id == run_id(bad)] == [RunStarted, RunFailed]


@pytest.mark.parametrize("count", [40, 80])
def test_claiming_asks_once_for_the_record_of_each_run(make_run, monkeypatch, count):
    """Whatever their number, and with as many lanes as there are runs."""
    runs, asked, locked = [Run.parse(make_run(seed=seed)) for seed in range(count)], [], []
    find, acquire = worker.finished, RunLocks.acquire
    monkeypatch.setattr(worker, "finished", lambda config: asked.append(config.seed) or find(config))
    monkeypatch.setattr(RunLocks, "acquire", lambda self, run: locked.append(run.config.seed) or acquire(self, run))

    def train_pack(next_run, expected, writer, notify):
        for lane in list(iter(next_run, None)):
            notify(RunEnded(lane.id, {}))

    monkeypatch.setattr(worker, "train_pack", train_pack)
    worker.Worker(runs, 1, Listener()).work()
    assert asked == locked == list(range(count))


def test_a_worker_among_several_takes_its_share_and_looks_at_others_runs_last(make_run):
    one, two = (worker.Worker([Run.parse(make_run(seed=s)) for s in range(4)], 2, Listener()) for _ in range(2))
    first, second = (worker.RunQueue(one_of, list(one_of.open.values())) for one_of in (one, two))

    def seeds(queue):
        return [run.config.seed for run in iter(queue.next_run, None)]

    assert seeds(first) == [0, 1] and seeds(second) == [2, 3], "nobody has a run of another"
    assert {run.config.seed for run in two.held.values()} == {2, 3}
    for holder in (one, two):
        holder.locks.release_all()


def test_a_run_that_cannot_be_looked_at_fails_and_is_not_waited_for(make_run, monkeypatch):
    bad, good = (make_run(seed=seed) for seed in (1, 2))
    find = worker.finished

    def finished(config):
        if config.seed == 1:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return find(config)

    monkeypatch.setattr(worker, "finished", finished)
    heard = swept([bad, good])
    assert "Input/output error" in heard.ended[run_id(bad)].reason and store.find(good)


# --- whole processes

SWEEP = [
    "backbone=tiny_bert", "data=miniature", "task=rte,cb", "data.train_rows=16", "data.dev_rows=8", "seed=1,2",
    "train.epochs=6,60", "train.batch_size=4", "runtime.wandb=disabled", "runtime.progress=false",
    "runtime.tokens_per_pass=600",
]  # fmt: skip


def command(results, *more):
    return [sys.executable, "-m", "experiments.run", "-m", *SWEEP, f"runtime.results={results}",
            f"hydra.sweep.dir={results}/hydra", *more]  # fmt: skip


def start(results, *more):
    return subprocess.Popen(
        command(results, *more), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"}, start_new_session=True, preexec_fn=default_signals,
    )  # fmt: skip


def found(results):
    return sorted((results / "runs").glob("*.json"))


def until(condition, seconds=90.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    results = tmp_path_factory.mktemp("undisturbed")
    process = start(results)
    out, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    lines, _, table = out.partition("\n\n")
    assert len(lines.splitlines()) == 8 and table.startswith("| ")
    return {file.name: numbers(json.loads(file.read_text())) for file in found(results)}


def same(results, undisturbed):
    got = {file.name: numbers(json.loads(file.read_text())) for file in found(results)}
    assert got.keys() == undisturbed.keys()
    for name, history in got.items():
        assert [loss for loss, _ in history] == pytest.approx([loss for loss, _ in undisturbed[name]], rel=1e-2)


def test_ctrl_c_ends_a_sweep_and_its_workers_in_one_line(undisturbed, tmp_path):
    """It goes to all processes of a terminal."""
    process = start(tmp_path, "hydra.launcher.devices=[cpu,cpu]")
    until(lambda: found(tmp_path))
    workers = psutil.Process(process.pid).children()
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=200)
    assert process.returncode == 130, error
    (line,) = [line for line in error.splitlines() if "waiting for them" not in line]
    assert line == (
        f"interrupted: {len(found(tmp_path))} of 8 run(s) have their records in {tmp_path}/runs, the others are begun "
        "anew when this is launched again"
    )
    psutil.wait_procs(workers, timeout=60)
    assert not any(worker.is_running() for worker in workers)


def test_hydras_own_launcher_gives_the_same(undisturbed, tmp_path):
    done = subprocess.run(
        command(tmp_path, "hydra/launcher=basic"), cwd=ROOT, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    same(tmp_path, undisturbed)


def test_a_worker_that_is_killed_gives_its_runs_back(undisturbed, tmp_path):
    process = start(tmp_path, "hydra.launcher.devices=[cpu,cpu]")
    until(lambda: len(list((tmp_path / "runs" / ".claims").glob("*.lock"))) >= 2)
    workers = [p for p in psutil.Process(process.pid).children() if "spawn_main" in " ".join(p.cmdline())]
    assert len(workers) == 2
    workers[0].kill()
    _, error = process.communicate(timeout=200)
    assert process.returncode == 0, error
    (line,) = [line for line in error.splitlines() if "the worker on cpu was killed by SIGKILL" in line]
    told = ("begun anew, from now on each alone: rte-", "each alone: cb-", "before it had begun a run")
    assert any(text in line for text in told), line
    assert "Traceback" not in error
    same(tmp_path, undisturbed)


def test_a_run_that_kills_its_worker_even_alone_is_given_up(make_run):
    heard = Listener()
    one, other = (Run.parse(make_run(seed=seed)) for seed in (1, 2))
    workers = pool.WorkerPool([one, other], ["cpu"], heard)
    starts = []
    workers._start = starts.append
    process = type("Dead", (), {"exitcode": -11})()
    workers._on_worker_death(pool.WorkerProcess("cpu", process, {one.id, other.id}))
    assert workers.quarantined == {one.id, other.id} and starts == ["cpu"] and not heard.ended
    workers._on_worker_death(pool.WorkerProcess("cpu", process, {one.id}))
    assert heard.notices == [
        "the worker on cpu was killed by SIGSEGV: its runs are begun anew, from now on each alone: "
        f"{one.name}, {other.name}"
    ]
    assert "the worker that trained it alone was killed by SIGSEGV" in heard.ended[one.id].reason
    assert store.failure_path(one.config).exists()
    assert starts == ["cpu", "cpu"] and other.id in workers.open


def test_the_devices_of_this_machine(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert worker_devices("auto") == ["cuda:0", "cuda:1", "cuda:2"]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert worker_devices("auto") == ["cpu"]
    assert worker_devices(["cpu", "cpu"]) == ["cpu", "cpu"]
    for wanted, shown in ((["cuda:7"], "cuda:7"), ("tpu", "tpu"), (["cpu", None], "None"), ([[]], r"\[\]"), (5, "5")):
        with pytest.raises(
            InputError, match=rf"^hydra.launcher.devices={shown} is not on this machine: choose one of"
        ):
            worker_devices(wanted)
    with pytest.raises(InputError, match=r"^hydra.launcher.devices=\[\] names none"):
        worker_devices([])


def test_a_launch_on_devices_that_are_not_here_ends_before_any_work(capsys):
    launcher = importlib.import_module("hydra_plugins.packed").PackedLauncher(["cuda:99"])
    with pytest.raises(SystemExit) as end:
        launcher.launch([["seed=1"]], 0)
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("error: hydra.launcher.devices=cuda:99 is not on this machine")


def test_the_packed_launcher_is_the_default_and_hydras_are_there():
    with initialize_config_dir(str(compose.CONF), version_base="1.3"):
        ours, basic = (hydra_compose("config", chosen, return_hydra_config=True).hydra.launcher._target_
                       for chosen in ([], ["hydra/launcher=basic"]))  # fmt: skip
    assert ours == "hydra_plugins.packed.PackedLauncher"
    assert basic == "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
