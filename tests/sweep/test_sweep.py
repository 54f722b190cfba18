"""A sweep: the same numbers packed, one by one, shared by workers and after a kill; and nothing finished is lost."""

import errno
import json
import os
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

from ptuning.errors import InputError
from ptuning.launch import compose
from ptuning.records import store
from ptuning.records.identity import run_id
from ptuning.run import run
from ptuning.sweep import devices, pool, sweep
from ptuning.sweep.locks import RunLocks
from ptuning.sweep.packing import groups

ROOT = Path(__file__).parents[2]


class Told:
    def __init__(self):
        self.ended, self.said = {}, []

    def tell(self, config, what, new):
        assert run_id(config) not in self.ended, "told twice"
        self.ended[run_id(config)] = what

    def say(self, line):
        self.said.append(line)


def swept(configs, devices=("cpu",)):
    told = Told()
    sweep.sweep(configs, list(devices), told.tell, told.say)
    return told


def numbers(record):
    """What of a record may not depend on how it was trained."""
    return [(epoch["loss"], epoch["dev"]) for epoch in record["history"]]


def grid(make_run, tmp_path=None, **more):
    more |= {} if tmp_path is None else {"runtime__results": tmp_path}
    runs = [make_run(method, seed=seed, **more) for method in ("p_tuning_v2", "prompt_tuning") for seed in (1, 2)]
    return [*runs, make_run("fine_tuning", **more), make_run("p_tuning_v2", "copa", prompt__layers="3-4", **more)]


def test_packed_equals_one_by_one(make_run, tmp_path):
    packed = grid(make_run, tmp_path / "packed")
    told = swept(packed)
    lanes = [store.find(config)["speed"]["lanes"] for config in packed]
    assert lanes == [5, 5, 5, 5, 1, 5], "fine-tuning goes alone, the others together"
    assert told.ended.keys() == {run_id(config) for config in packed}
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


def test_runs_that_cannot_share_are_grouped_apart(make_run):
    runs = [
        make_run(seed=1), make_run(seed=2, train__backbone_dropout=0.1), make_run("fine_tuning"),
        make_run("fine_tuning", seed=2), make_run("prompt_tuning", "cb"), make_run(seed=3, train__precision="bf16"),
    ]  # fmt: skip
    assert sorted(len(group) for group in groups(runs)) == [1, 1, 1, 1, 2]


def test_one_runs_failure_is_told_and_recorded_and_stops_nobody(make_run):
    bad = make_run(prompt__length=100, seed=9)
    good = [make_run(seed=1), make_run(seed=2)]
    told = swept([bad, *good])
    assert "prompt.length=100" in str(told.ended[run_id(bad)])
    assert "prompt.length=100" in json.loads(store.failure_path(bad).read_text())["error"]
    assert all(store.find(config) for config in good)


def test_a_backbone_that_cannot_be_had_fails_its_runs_and_no_others(make_run):
    gone = [
        make_run(seed=s, backbone__source="hub", backbone__id="nobody/nothing", backbone__name="x") for s in range(3)
    ]
    told = swept([*gone, make_run()])
    assert [isinstance(told.ended[run_id(one)], InputError) for one in gone] == [True] * 3
    assert store.find(make_run())


def full_disk(monkeypatch, fails):
    """Writing a record fails while `fails(file)`."""
    write = store.write_atomic

    def limited(file, content):
        if fails(file):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(file, content)

    monkeypatch.setattr(store, "write_atomic", limited)


def test_a_disk_that_is_full_for_a_while_loses_nothing(make_run, monkeypatch):
    configs = [make_run(seed=seed, train__epochs=1 + seed) for seed in range(3)]
    left = [4]

    def fails(_file):
        left[0] -= 1
        return left[0] >= 0

    full_disk(monkeypatch, fails)
    told = swept(configs)
    assert all(store.find(config) for config in configs)
    assert len(told.said) == 4
    assert "cannot be written (No space left on device): the finished run is kept in memory" in told.said[0]


def test_a_folder_that_stays_unwritable_loses_nothing(make_run, monkeypatch, tmp_path):
    configs = [make_run(seed=seed, runtime__save=True) for seed in range(2)]
    results = str(configs[0].runtime.results)
    full_disk(monkeypatch, lambda file: str(file).startswith(results))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    told = swept(configs)
    assert not any(store.find(config) for config in configs)
    rescued = sorted(tmp_path.glob("ptuning-rescued-*/runs/*.json"))
    assert [file.name for file in rescued] == sorted(store.path(config).name for config in configs)
    assert len(list(tmp_path.glob("ptuning-rescued-*/weights/*.safetensors"))) == 2
    assert sum(f"move {file} there" in line for file in rescued for line in told.said) == 2
    for file in rescued:  # what the line says can be done
        (configs[0].runtime.results / "runs" / file.name).write_bytes(file.read_bytes())
    monkeypatch.undo()
    assert all(store.find(config) for config in configs)


def test_a_results_folder_that_cannot_be_written_is_refused_before_training(make_run, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"runtime.results=.*file cannot be used .*: give a folder"):
        RunLocks.check(make_run(runtime__results=tmp_path / "file"))
    (tmp_path / "runs").write_text("")
    done = subprocess.run(command(tmp_path), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith(f"error: runtime.results={tmp_path} cannot be used")


def test_a_claimed_run_is_waited_for_and_its_record_taken(make_run, monkeypatch):
    """Another process has the run; it ends there while this one waits."""
    config = make_run()
    other = RunLocks()
    assert other.take(config)
    record = run([make_run(seed=2)])[0] | {"id": run_id(config)}
    monkeypatch.setattr(sweep.time, "sleep", lambda _: (store.write(config, record), other.release(config)))
    told = swept([config, make_run(seed=3)])
    assert told.ended[run_id(config)]["id"] == run_id(config)
    assert numbers(store.find(config)) == numbers(record), "it was not trained again"
    assert any("1 run(s) are being trained by another process" in line for line in told.said)


def test_a_claim_comes_back_also_where_its_file_cannot_be_removed(make_run, monkeypatch):
    """As in a folder that has become read-only while a run was trained."""

    def refused(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    config, claims = make_run(), RunLocks()
    assert claims.take(config)
    monkeypatch.setattr(Path, "unlink", refused)
    claims.release(config)
    assert RunLocks().take(config)


def test_a_run_that_cannot_be_claimed_fails_alone(make_run, monkeypatch):
    """As on a disk that fills while others train."""
    configs = [make_run(seed=seed) for seed in range(3)]
    take = RunLocks.take

    def limited(self, config):
        if config.seed == 1:
            raise InputError("runtime.results=x cannot be used (no space)")
        return take(self, config)

    monkeypatch.setattr(RunLocks, "take", limited)
    told = swept(configs)
    assert [store.find(config) is not None for config in configs] == [True, False, True]
    assert "no space" in str(told.ended[run_id(configs[1])])


def test_a_claim_is_one_process_and_comes_back_when_it_dies(make_run):
    config = make_run()
    held = RunLocks()
    assert held.take(config) and held.has(config)
    assert not RunLocks().take(config)
    held.release(config)
    code = (
        "import os, sys, pickle; from ptuning.sweep.locks import Claims; c = pickle.load(sys.stdin.buffer); "
        "k = Claims(); print(k.take(c), flush=True); os.kill(os.getpid(), 9)"
    )
    import pickle

    done = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(config), capture_output=True, cwd=ROOT)
    assert done.stdout == b"True\n" and done.returncode == -signal.SIGKILL
    assert RunLocks().take(config)


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
        env=os.environ | {"OMP_NUM_THREADS": "1"},
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
    assert len(out.splitlines()) == 8
    return {file.name: numbers(json.loads(file.read_text())) for file in found(results)}


def same(results, undisturbed):
    got = {file.name: numbers(json.loads(file.read_text())) for file in found(results)}
    assert got.keys() == undisturbed.keys()
    for name, history in got.items():
        assert [loss for loss, _ in history] == pytest.approx([loss for loss, _ in undisturbed[name]], rel=1e-2)


def test_a_killed_sweep_goes_on_where_it_was(undisturbed, tmp_path):
    process = start(tmp_path)
    until(lambda: found(tmp_path))
    process.kill()
    process.communicate()
    kept = {file: file.stat().st_mtime_ns for file in found(tmp_path)}
    assert 0 < len(kept) < 8
    again = subprocess.run(command(tmp_path), cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("(already there)") == len(kept)
    assert all(file.stat().st_mtime_ns == stamp for file, stamp in kept.items())
    same(tmp_path, undisturbed)


def test_hydras_own_launcher_gives_the_same(undisturbed, tmp_path):
    done = subprocess.run(
        command(tmp_path, "hydra/launcher=basic"), cwd=ROOT, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    same(tmp_path, undisturbed)


def test_two_launches_at_once_share_the_sweep(undisturbed, tmp_path):
    both = [start(tmp_path), start(tmp_path)]
    outs = [process.communicate(timeout=200)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    lines = [line for out in outs for line in out.splitlines() if " dev " in line]
    trained = [line for line in lines if "(already there)" not in line]
    assert len(trained) == 8, "each run is trained by one of them"
    assert len(lines) == (8 if any("all 8 runs are already there" in out for out in outs) else 16)
    same(tmp_path, undisturbed)


def test_a_worker_that_is_killed_gives_its_runs_back(undisturbed, tmp_path):
    process = start(tmp_path, "hydra.launcher.devices=[cpu,cpu]")
    until(lambda: len(list((tmp_path / "runs" / ".claims").glob("*.lock"))) >= 2)
    workers = [p for p in psutil.Process(process.pid).children() if "spawn_main" in " ".join(p.cmdline())]
    assert len(workers) == 2
    workers[0].kill()
    _, error = process.communicate(timeout=200)
    assert process.returncode == 0, error
    assert "died (exit status -9): its" in error
    same(tmp_path, undisturbed)


def test_a_run_that_kills_its_worker_even_alone_is_given_up(make_run):
    told = Told()
    config, other = make_run(seed=1), make_run(seed=2)
    crew = pool.WorkerPool([config, other], ["cpu"], told.tell, told.say)
    starts = []
    crew._start = starts.append
    process = type("Dead", (), {"exitcode": -11})()
    both = {run_id(config), run_id(other)}
    crew._bury(pool._Member("cpu", process, set(both)))
    assert crew.suspects == both and starts == ["cpu"] and not told.ended
    crew._bury(pool._Member("cpu", process, {run_id(config)}))
    assert "died with exit status -11" in str(told.ended[run_id(config)])
    assert store.failure_path(config).exists()
    assert starts == ["cpu", "cpu"] and run_id(other) in crew.open


def test_the_devices_of_this_machine(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert devices.devices("auto") == ["cuda:0", "cuda:1", "cuda:2"]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert devices.devices("auto") == ["cpu"]
    assert devices.devices(["cpu", "cpu"]) == ["cpu", "cpu"]
    with pytest.raises(InputError, match=r"runtime.device=cuda:7 is not on this machine"):
        devices.devices(["cuda:7"])


def test_the_packed_launcher_is_the_default_and_hydras_are_there():
    with initialize_config_dir(str(compose.CONF), version_base="1.3"):
        ours, basic = (hydra_compose("config", chosen, return_hydra_config=True).hydra.launcher._target_
                       for chosen in ([], ["hydra/launcher=basic"]))  # fmt: skip
    assert ours == "hydra_plugins.packed.PackedLauncher"
    assert basic == "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
