"""Parts of one's own are found beside ours, by their files' names or as entry points."""

import os
import pickle
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from ptuning import registry, tasks
from ptuning.errors import InputError
from ptuning.launch import arguments, compose
from tests.test_installed import CONF, TASK

ROOT = Path(__file__).parents[1]


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder of one's own, and what it changes put back."""
    for file, content in {"tasks/mine.py": TASK, "conf/task/mine.yaml": CONF}.items():
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).write_text(content)
    monkeypatch.setenv(registry.PLUGINS, "")
    before = list(tasks.__path__)
    yield tmp_path
    tasks.__path__[:] = before
    sys.modules.pop("ptuning.tasks.mine", None)
    vars(tasks).pop("mine", None)


def test_a_folder_s_parts_stand_beside_ours(own):
    assert arguments.read([f"plugins={own}", "task=mine,rte"]) == ["task=mine,rte"]
    runs = compose.expand(["task=mine,rte"])
    assert [run.task.name for run in runs] == ["mine", "rte"]
    assert {"mine", "rte"} <= set(registry.names("ptuning.tasks"))
    with pytest.raises(InputError, match=r"task=nothing is unknown: choose one of .*mine"):
        compose.expand(["task=nothing"])


def test_a_worker_process_unpickles_them(own):
    registry.use(own)
    made = pickle.dumps(tasks.load("mine"))
    code = "import pickle, sys; print(pickle.loads(sys.stdin.buffer.read()).name)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, input=made, capture_output=True, env=os.environ)
    assert done.stdout == b"mine\n", done.stderr.decode()


def test_an_installed_package_names_them(own, monkeypatch):
    (own / "a_package").mkdir()
    (own / "a_package/mine.py").write_text(TASK)
    (own / "a_package/conf/task").mkdir(parents=True)
    (own / "a_package/conf/task/mine.yaml").write_text(CONF)
    (own / "a_package/__init__.py").touch()
    (own / "a_package/conf/__init__.py").touch()
    points = {
        "ptuning.tasks": [EntryPoint("mine", "a_package.mine", "ptuning.tasks")],
        "ptuning.conf": [EntryPoint("mine", "a_package.conf", "ptuning.conf")],
    }
    monkeypatch.syspath_prepend(own)
    monkeypatch.setattr(registry, "entry_points", lambda group: points.get(group, []))
    registry._installed.cache_clear()
    (run,) = compose.expand(["task=mine"])
    assert run.task.max_length == 48 and type(tasks.load("mine")).__module__ == "a_package.mine"
    registry._installed.cache_clear()


def test_files_of_one_s_own_are_composed_with(own):
    read = arguments.read(["task=mine", "--config-dir", str(own / "conf"), "seed=3"])
    assert read == ["task=mine", "seed=3", f'hydra.searchpath=["file://{own}/conf"]']
    both = arguments.read([f"--config-dir={own}/conf", "hydra.searchpath=[file:///elsewhere]"])
    assert both == [f'hydra.searchpath=["file://{own}/conf", "file:///elsewhere"]']
    (run,) = compose.expand(["task=mine", f'hydra.searchpath=["file://{own}/conf"]', "task.name=rte"])
    assert run.task.max_length == 48


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("plugins={}/nothing", "plugins=.*/nothing is not a folder: give one with tasks/"),
        ("plugins={}/conf/task", "plugins=.*/conf/task has no part in it: lay it out as ptuning/ is"),
        ("--config-dir={}/nothing", "--config-dir=.*/nothing is not a folder"),
    ],
)
def test_what_is_no_folder_of_parts_is_one_sentence(own, argument, sentence):
    with pytest.raises(InputError, match=sentence):
        arguments.read([argument.format(own)])


def test_a_part_called_like_one_that_is_there_is_refused(own):
    """One of the two would never be found."""
    (own / "tasks/rte.py").write_text(TASK)
    with pytest.raises(InputError, match=r"has tasks/rte\.py, and there is ptuning\.tasks\.rte already"):
        arguments.read([f"plugins={own}"])


def test_a_file_of_two_parts_is_refused(own):
    (own / "tasks/mine.py").write_text(TASK + TASK.replace("class Mine", "class Other"))
    registry.use(own)
    with pytest.raises(InputError, match=r"mine\.py defines 2 classes of Task, and one is wanted"):
        tasks.load("mine")
