"""What the README shows is what stands in results/, and its commands and files are there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
SHOWN = {
    "table": "tables/p_tuning_v2/table2_small.md",
    "table3": "tables/p_tuning_v2/table3_small.md",
    "protocol": "figures/ablations/protocol_small.md",
}


def rows(markdown):
    lines = [line for line in markdown.splitlines() if line.startswith("|") and not set(line) <= set("|-: ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("block", SHOWN)
def test_a_table_in_the_readme_says_what_the_results_say(block):
    """Its rows are theirs, cell by cell, columns without a number of ours left out."""
    shown = rows(re.search(rf"<!-- {block}:begin -->\n(.*?)<!-- {block}:end -->", README, re.DOTALL)[1])[1:]
    whole = [
        row
        for row in rows((ROOT / "results" / SHOWN[block]).read_text())[1:]
        if not row[0].startswith(("paper:", "Backbone"))
    ]
    assert [[cell for cell in row if cell] for row in shown] == [[cell for cell in row if cell] for row in whole]


def test_every_file_that_the_readme_names_is_there():
    links = [link for link in re.findall(r"\]\(([^)#]+)", README) if not link.startswith("http")]
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    folders = {str(parent) for file in tracked for parent in Path(file).parents}
    assert links
    assert not [link for link in links if link not in {*tracked, *folders}]


def test_every_anchor_that_the_readme_names_is_a_heading():
    headings = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.+)$", README, re.M)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= headings


def test_every_make_target_that_the_readme_names_is_there():
    named = set(re.findall(r"(?:^|`)make ([a-z0-9_-]+)", README, re.MULTILINE))
    known = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert named <= set(re.findall(r"make ([a-z0-9_-]+)", known))
