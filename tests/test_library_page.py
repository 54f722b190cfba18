"""What the pages on library use show runs as it stands there."""

import re
from pathlib import Path

import huggingface_hub
import pytest

from ptuning.run import run
from tests.sharing.test_folder import FakeHub

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "docs/library.md"]


def blocks(page):
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_its_code_runs(page, make_run, tmp_path, monkeypatch):
    run([make_run(runtime__save=True, runtime__weights=tmp_path / "outputs/weights", train__epochs=1)])
    monkeypatch.setattr(huggingface_hub, "HfApi", FakeHub(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    found = blocks(page)
    assert found
    exec(compile("\n".join(found), page, "exec"), {})
