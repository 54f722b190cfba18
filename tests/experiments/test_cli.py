"""The entry points as a user calls them."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

from ptuning.launch import compose
from ptuning.records import store
from ptuning.records.identity import run_id, run_name

ROOT = Path(__file__).parents[2]
SMALL = [
    "backbone=tiny_bert", "data=miniature", "data.train_rows=8", "data.dev_rows=8", "train.epochs=1",
    "train.batch_size=4",
]  # fmt: skip


def call(module, *arguments, results):
    command = [sys.executable, "-m", module, *arguments]
    if module == "experiments.run":
        command += [
            f"runtime.results={results}",
            f"runtime.weights={results}/weights",
            f"hydra.sweep.dir={results}/hydra",
        ]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_sweep_trains_prints_and_does_not_train_again(tmp_path):
    arguments = ["-m", *SMALL, "task=cb", "method=prompt_tuning,p_tuning_v2", "runtime.save=true"]
    first = call("experiments.run", *arguments, results=tmp_path)
    assert first.returncode == 0, first.stderr
    lines = [line for line in first.stdout.splitlines() if " cb " in line]
    assert len(lines) == 2
    assert "dev accuracy" in lines[0] and "it/s" not in first.stdout
    files = sorted((tmp_path / "runs").glob("*.json"))
    assert [json.loads(file.read_text())["status"] for file in files] == ["finished", "finished"]
    assert all(str(file) in first.stdout for file in files)
    assert len(list((tmp_path / "weights").glob("*.safetensors"))) == 2
    assert list(tmp_path.glob("wandb/offline-run-*")), "W&B mirrors offline by default"

    stamps = [file.stat().st_mtime_ns for file in files]
    again = call("experiments.run", *arguments, results=tmp_path)
    assert again.returncode == 0
    said, _, table = again.stdout.partition("\n\n")
    assert said == "all 2 runs are already there: nothing to train"
    assert table == first.stdout.partition("\n\n")[2] and "| prompt_tuning |" in table
    assert [file.stat().st_mtime_ns for file in files] == stamps


def test_an_experiment_of_several_sweeps_trains_the_runs_that_its_figure_asks_for(tmp_path):
    """Hydra's sweeper and `compose.expand`, which figures are made from, agree; the figure is then whole."""
    parts = ["experiment=ablations/efficiency", *SMALL, "task=cb", "seed=1"]
    done = call("experiments.run", "-m", *parts, "runtime.wandb=disabled", results=tmp_path)
    assert done.returncode == 0, done.stderr
    runs = compose.expand(parts)
    assert {run.method for run in runs} == {"fine_tuning", "prompt_tuning", "p_tuning_v2"}
    assert {file.name for file in (tmp_path / "runs").glob("*.json")} == {store.path(run).name for run in runs}
    drawn = call("experiments.ablations.efficiency", *parts[1:], f"runtime.results={tmp_path}", results=tmp_path)
    assert drawn.returncode == 0, drawn.stderr
    assert drawn.stdout.count("cb, tiny_bert") == len(runs) == 5
    assert {file.name for file in (tmp_path / "figures/ablations").iterdir()} == {
        f"efficiency.{ending}" for ending in ("md", "csv", "svg", "png", "records.json")
    }


def test_a_failed_run_does_not_stop_the_others(tmp_path):
    """A prompt without room for the labels is found only when data are there; the other run of the sweep goes on."""
    sweep = [
        "-m",
        *SMALL,
        "task=cb",
        "method=prompt_tuning",
        "init=class_labels",
        "prompt.init.most_frequent=500",
        "prompt.length=4,1",
        "runtime.wandb=disabled",
    ]
    done = call("experiments.run", *sweep, results=tmp_path)
    assert done.returncode == 1
    assert "prompt.length=1 is too short" in done.stderr
    assert "Traceback" not in done.stderr
    *_, title, reason, again, summary = done.stderr.strip().splitlines()
    assert title == "1 run(s) failed:" and summary == "1 run(s) have no record; they run again next time."
    assert reason.startswith("  cb-tiny_bert-prompt_tuning-seed11-") and "prompt.length=1 is too" in reason
    assert again.startswith("    python -m experiments.run task=cb ")
    assert again.endswith(f"runtime.wandb=disabled runtime.results={tmp_path} runtime.weights={tmp_path}/weights")
    (failed,) = [run for run in compose.expand(sweep[1:]) if run_name(run) in reason]
    (rerun,) = compose.expand(shlex.split(again)[3:])
    assert run_id(rerun) == run_id(failed)
    names = [file.name for file in (tmp_path / "runs").glob("*.json")]
    assert sum(name.endswith(".failed.json") for name in names) == 1
    assert len(names) == 2


def test_a_sweep_that_is_to_fail_fast_says_what_failed_and_what_is_kept(tmp_path):
    sweep = [
        "-m",
        *SMALL,
        "task=cb",
        "init=class_labels",
        "prompt.init.most_frequent=500",
        "method=prompt_tuning",
        "prompt.length=1,4",
        "runtime.wandb=disabled",
        "runtime.fail_fast=true",
    ]
    done = call("experiments.run", *sweep, results=tmp_path)
    assert done.returncode == 1
    *_, title, _, _, last = done.stderr.strip().splitlines()
    assert title == "1 run(s) failed:"
    assert last == (
        f"a run failed, and runtime.fail_fast=true: 0 of 2 run(s) have their records in {tmp_path}/runs, the others "
        "are begun anew when this is launched again"
    )
    assert "Traceback" not in done.stderr


def test_bad_input_is_one_sentence_and_a_status(tmp_path):
    """What is wrong with the command, with a file it needs, and with a record that is in its way."""
    (run,) = compose.expand([*SMALL, "task=cb", f"runtime.results={tmp_path}"])
    (tmp_path / "runs").mkdir()
    store.path(run).write_text("{")
    for arguments, status, sentence in (
        (["task=rtee"], 2, "error: task=rtee is unknown: choose one of boolq"),
        (["task=cb", "data=local", "data.root=/nowhere"], 2, "error: data.root=/nowhere is not a folder"),
        (["task=cb"], 2, f"error: {store.path(run)} is not valid JSON"),
    ):
        small = SMALL if "data=local" not in arguments else [o for o in SMALL if o != "data=miniature"]
        refused = call("experiments.run", *small, *arguments, results=tmp_path)
        assert refused.returncode == status
        assert sentence in refused.stderr
        assert len(refused.stderr.strip().splitlines()) == 1
