"""What may stand where on the command lines of the entry points, and what they write to."""

import errno
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hydra._internal.utils import get_args_parser

from experiments import answer
from experiments import run as run_module
from ptuning.launch import compose
from ptuning.records import weights
from ptuning.run import run
from tests.test_predict import unlabelled

ROOT = Path(__file__).parents[2]


@pytest.fixture
def saved(make_run, tmp_path):
    """The file of a run whose answers are parts of the passage, and a file with a question."""
    config = make_run("prompt_tuning", "squad", runtime__save=True, train__epochs=1, task__options={"stride": 16})
    run([config])
    row = next(unlabelled(config)) | {"question": "Où naît-elle, à 東京?"}
    (tmp_path / "questions.jsonl").write_text(json.dumps(row, ensure_ascii=False), encoding="utf-8")
    return weights.path(config), tmp_path / "questions.jsonl"


def called(monkeypatch, *arguments, encoding="utf-8"):
    """What `experiments.answer` writes to a standard output of that encoding."""
    stdout = io.TextIOWrapper(io.BytesIO(), encoding)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stdout)
        patch.setattr(sys, "argv", ["answer", *map(str, arguments)])
        answer.main()
    stdout.flush()
    return stdout.buffer.getvalue()


def test_answers_are_the_same_whatever_standard_output_can_write(saved, tmp_path, monkeypatch):
    file, questions = saved
    arguments = [questions, "--prompts", file, "runtime.device=cpu", f"runtime.results={tmp_path}/other"]
    plain = json.loads(called(monkeypatch, *arguments).decode())
    assert not json.dumps(plain, ensure_ascii=False).isascii()
    for encoding in ("ascii", "latin-1", "utf-16"):
        assert json.loads(called(monkeypatch, *arguments, encoding=encoding).decode(encoding)) == plain
    out = tmp_path / "é.jsonl"
    said = called(monkeypatch, *arguments[:1], "--out", out, *arguments[1:], encoding="ascii").decode("ascii")
    assert said.startswith("1 questions answered: ")
    assert json.loads(out.read_text(encoding="utf-8")) == plain


def test_answers_are_kept_where_the_disk_of_out_is_full(saved, tmp_path, monkeypatch, capsys):
    file, questions = saved

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(answer, "write_atomic", full)
    monkeypatch.setattr(
        sys, "argv", ["answer", str(questions), "--out", "x", "--prompts", str(file), "runtime.device=cpu"]
    )
    with pytest.raises(
        SystemExit, match=r"--out: x cannot be written \(No space left on device\): the answers went to"
    ):
        answer.main()
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["answers"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["none.safetensors", "seed=3"],
            "error: seed=3 is refused: a prompt's file says all else, only runtime.KEY=VALUE may follow.",
        ),
        (
            ["none.safetensors", "runtime.device=cpu,cuda"],
            "error: runtime.device=cpu,cuda is refused: give one value.",
        ),
        (["none.safetensors", "runtime.devise=cpu"], "error: .*devise"),
        (["none.safetensors", "--out", "."], "error: --out: . is a folder: name a file in it."),
        (["none.safetensors", "--out", "none/x"], "error: --out: none is not a folder: make it first."),
        (["lr=1/none.safetensors"], "error: lr=1/none.safetensors is refused"),
        (["./lr=1.safetensors"], "error: lr=1.safetensors does not exist"),
    ],
)
def test_what_cannot_follow_is_refused_before_any_work(tmp_path, monkeypatch, arguments, said):
    (tmp_path / "questions.jsonl").write_text("{}")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=said):
        called(monkeypatch, "questions.jsonl", "--prompts", *arguments)


def test_a_prompt_s_file_may_have_an_equals_sign(saved, tmp_path, monkeypatch):
    file, questions = saved
    other = file.rename(tmp_path / "lr=1.safetensors")
    monkeypatch.chdir(tmp_path)
    for name in (other, other.name):
        found = json.loads(called(monkeypatch, questions, "--prompts", name, "runtime.device=cpu").decode())
        assert found["answers"][0]["run"] == "lr=1"


@pytest.mark.parametrize(
    "arguments",
    [["task=rte", "-m", "seed=1,2"], ["-m", "task=rte", "seed=1,2"], ["task=rte", "seed=1,2", "--multirun"]],
)
def test_a_flag_may_stand_anywhere(tmp_path, monkeypatch, arguments):
    given = [*arguments, f"runtime.results={tmp_path}"]
    parsed = []

    def job():
        parsed.append(get_args_parser().parse_args(sys.argv[1:]))
        raise SystemExit(0)

    monkeypatch.setattr(run_module, "job", job)
    monkeypatch.setattr(sys, "argv", ["run", *given])
    with pytest.raises(SystemExit):
        run_module.main()
    assert parsed[0].multirun and parsed[0].overrides == [one for one in given if not one.startswith("-")]
    assert len(compose.expand(parsed[0].overrides)) == 2


@pytest.mark.parametrize("name", ["run", "evaluate", "status", "answer", "explain"])
def test_an_entry_point_called_as_a_file_says_how_to_call_it(tmp_path, name):
    done = subprocess.run(
        [sys.executable, ROOT / f"experiments/{name}.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    said = f"error: call it as a module, in the repository's folder: python -m experiments.{name}\n"
    assert done.stderr == said
