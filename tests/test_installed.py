"""A wheel, unpacked outside the clone, does what a clone does: its commands, its conf/, parts of one's own."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import ptuning

ROOT = Path(__file__).parents[1]
TASK = """
from ptuning.tasks.rte import RTE


class Mine(RTE):
    name = "mine"
"""
CONF = "name: mine\nmax_length: 48\nbundled: miniature\noptions: {}\n"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this tree, built from a copy: building leaves files."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("ptuning", "experiments", "conf"):
        shutil.copytree(ROOT / name, folder / "tree" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "tree" / name)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", folder, folder / "tree"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (found,) = folder.glob("*.whl")
    return found


def test_it_has_all_that_stands_here(wheel):
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
        metadata = next(name for name in packed if name.endswith("METADATA"))
        assert f"Version: {ptuning.__version__}\n" in archive.read(metadata).decode()
    listed = subprocess.run(
        ["git", "ls-files", "ptuning", "experiments", "conf"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    wanted = {f"ptuning/{name}" if name.startswith("conf/") else name for name in listed if (ROOT / name).exists()}
    assert wanted <= packed, sorted(wanted - packed)
    assert not [name for name in packed if name.startswith(("conf/", "tests/"))]


def test_its_command_runs_a_task_of_one_s_own_from_anywhere(wheel, tmp_path):
    installed, outside, own = tmp_path / "site", tmp_path / "outside", tmp_path / "own"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    (scripts,) = installed.glob("*.dist-info/entry_points.txt")
    assert "ptuning = experiments.command:main" in scripts.read_text()
    outside.mkdir()
    for file, content in {"tasks/mine.py": TASK, "conf/task/mine.yaml": CONF}.items():
        (own / file).parent.mkdir(parents=True)
        (own / file).write_text(content)
    arguments = [
        "run", f"plugins={own}", "task=mine", "backbone=tiny_bert", "data=miniature", "data.train_rows=8",
        "data.dev_rows=8", "train.epochs=1", "runtime.save=true", "runtime.wandb=disabled",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-P", "-c", "from experiments.command import main; main()", *arguments],
        cwd=outside, env={**os.environ, "PYTHONPATH": str(installed)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (record,) = (outside / "results/runs").glob("mine-*.json")
    assert json.loads(record.read_text())["git"] == {"commit": None, "dirty": None}
    assert list((outside / "outputs/weights").glob("mine-*.safetensors"))
