"""docs/own_data.md: its files and commands lead from a folder to the table that it promises."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from experiments import sweep_table

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/own_data.md").read_text()
SMALL = [  # what makes a test of the page's command
    "train.epochs=1", "train.batch_size=8", "runtime.device=cpu", "runtime.wandb=disabled", "runtime.progress=false",
    "runtime.tokens_per_pass=4096",
]  # fmt: skip


def write_files(folder: Path) -> None:
    """The page's files; data that it shows the first rows of, a few times over, and as a dev set too."""
    for name, text in re.findall(r"^`([\w/.]+)`\n\n```\w+\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".csv":
            header, *rows = text.splitlines()
            text = "\n".join([header, *rows * 3]) + "\n"
        file.write_text(text)
        if "train" in file.stem:
            file.with_stem("dev").write_text(text)


def commands() -> list[list[str]]:
    blocks = re.findall(r"^```sh\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


def test_the_page_leads_from_a_folder_to_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(tmp_path)
    train, *tables = commands()
    smaller = {"backbone": "backbone=tiny_bert", "seed": "seed=1,2"}
    tiny = [smaller.get(word.partition("=")[0], word) for word in train[1:]]
    done = subprocess.run(
        [sys.executable, *tiny, *SMALL], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    header, _, *rows = done.stdout.partition("\n\n")[2].splitlines()[:5]
    titles = ["people: dev f1", "reviews: dev f1_micro", "trec: dev accuracy"]
    assert [cell.strip() for cell in header.split("|")[1:-1]] == ["method", *titles]
    assert [row.split("|")[1].strip() for row in rows] == ["fine_tuning", "p_tuning_v2", "prompt_tuning"]
    assert all(row.count("±") == 3 for row in rows)
    assert len(list((tmp_path / "results/runs/trec").glob("trec-*.json"))) == 6

    monkeypatch.chdir(tmp_path)
    for arguments in tables:
        monkeypatch.setattr("sys.argv", arguments[2:])
        sweep_table.main()
    assert "Best by mean_dev" in capsys.readouterr().out
    written = pd.read_csv("table.csv")
    assert len(written) == 9 and set(written["runs"]) == set(written["expected"]) == {2}
    assert Path("table.tex").read_text().count(r"\textbf") >= 3
