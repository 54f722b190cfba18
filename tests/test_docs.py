"""README and docs: what they show is what stands in results/, and their commands and files are there."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from experiments import reference

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
SHOWN = {  # block in docs/results.md -> the file that it shows, columns without a number of ours left out
    "table": "tables/p_tuning_v2/table2_small.md",
    "table3": "tables/p_tuning_v2/table3_small.md",
    "protocol": "figures/ablations/protocol_small.md",
}
GAPS = {"P-Tuning v2 over Prompt Tuning": "PT", "P-Tuning v2 over fine-tuning": "FT"}
page = pytest.mark.parametrize("page", PAGES, ids=lambda file: file.name)


def rows(markdown):
    lines = [line for line in markdown.splitlines() if line.startswith("|") and not set(line) <= set("|-: ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def block(text, name):
    return rows(re.search(rf"<!-- {name}:begin -->\n(.*?)<!-- {name}:end -->", text, re.DOTALL)[1])


@pytest.mark.parametrize("name", SHOWN)
def test_a_table_says_what_the_results_say(name):
    """Its rows are theirs, cell by cell."""
    shown = block((ROOT / "docs/results.md").read_text(), name)[1:]
    whole = [
        row
        for row in rows((ROOT / "results" / SHOWN[name]).read_text())[1:]
        if not row[0].startswith(("paper:", "Backbone"))
    ]
    assert [[cell for cell in row if cell] for row in shown] == [[cell for cell in row if cell] for row in whole]


def test_the_readme_says_how_close_our_numbers_are_as_table_2_does():
    """Gaps between methods of the MiniLM of 6 layers, and of the paper's BERT-large with the weaker confidence."""
    header, *lines = rows((ROOT / "results" / SHOWN["table"]).read_text())
    cells = {(line[0], line[1]): dict(zip(header, line, strict=True)) for line in lines}

    def gap(backbone, method, task):
        pair = [cells[backbone, one][f"{task} acc"] for one in ("PT-2", method)]
        mark = next((mark for mark in "ᵈᵘˢ" if any(mark in one for one in pair)), "")
        new, old = (float(re.match(r"[\d.]+", one)[0]) for one in pair)
        return f"{new - old:+.1f}{mark}"

    (_, *tasks), *shown = block((ROOT / "README.md").read_text(), "closeness")
    expected = [
        [title, *(gap(backbone, method, task) for task in tasks)]
        for name, method in GAPS.items()
        for title, backbone in ((f"{name}, ours", "minilm_l6"), ("the same, paper", "paper: BERT-large 335M"))
    ]
    assert shown == expected


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_the_reference_is_current():
    assert reference.PAGE.read_text() == reference.page(), "run `make reference`"


@page
def test_every_file_that_is_named_is_there(page):
    links = [link for link in re.findall(r"\]\(([^)#]+)", page.read_text()) if not link.startswith("http")]
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    there = {*tracked, *(str(parent) for file in tracked for parent in Path(file).parents)}
    names = [os.path.relpath(page.parent / link, ROOT) for link in links]
    assert not [name for name in names if name not in there]


@page
def test_every_anchor_that_is_named_is_a_heading(page):
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    headings = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([^)]+)\)", page.read_text())) <= headings


@page
def test_every_make_target_that_is_named_is_there(page):
    named = set(re.findall(r"(?:^|`)make ([a-z0-9-]+)", page.read_text(), re.MULTILINE))
    known = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert named <= set(re.findall(r"make ([a-z0-9-]+)", known))


@page
def test_every_module_of_ours_that_is_named_is_there(page):
    """`ptuning.records.weights.load` is a function of ptuning/records/weights.py."""
    for name in set(re.findall(r"`(ptuning(?:\.\w+)+)`", page.read_text())):
        parts = name.split(".")
        found = [Path(*parts[:end]) for end in range(len(parts), 1, -1)]
        assert any((ROOT / path).is_dir() or (ROOT / f"{path}.py").is_file() for path in found), name
