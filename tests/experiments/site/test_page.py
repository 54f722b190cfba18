"""The page: every number leads to its runs, every link somewhere, and nothing outside is asked for anything."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from experiments.site.page import make
from experiments.site.page import page as html_of
from ptuning.errors import InputError
from ptuning.launch import rerun
from ptuning.records import store
from ptuning.records.identity import run_id
from tests.experiments.records import to_the_end

ROOT = Path(__file__).parents[3]
SVG = """<?xml version="1.0" encoding="utf-8" standalone="no"?>
<svg xmlns:xlink="http://www.w3.org/1999/xlink" width="72pt" viewBox="0 0 72 72" xmlns="http://www.w3.org/2000/svg">
 <metadata>who made it</metadata>
 <defs><style type="text/css">*{{stroke-linejoin: round}}</style><clipPath id="clip"><rect/></clipPath></defs>
 <g id="unused"><path d="M 0.123456 1 L 2 3" clip-path="url(#clip)" style="fill: #ffffff; stroke: #000000"/></g>
 <a xlink:href="../report/index.html#{stem}-0" target="_blank"><path d="M 1 1"/></a>
 <a xlink:href="../report/index.html#{stem}-0" target="_blank"><use xlink:href="#clip"/></a>
</svg>
"""
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """A page's ids, links and other addresses, and the text within each id."""

    def __init__(self, html):
        super().__init__()
        self.ids, self.links, self.addresses, self.texts, self._open = [], [], [], {}, []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "a":
            self.links.append((found["href"], [name for _, name in self._open if name]))
        self.addresses += [found[name] for name in ("href", "src", "srcset", "action", "data") if name in found]
        if tag not in VOID:
            self._open.append((tag, found.get("id")))

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        while self._open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        for _, name in self._open:
            if name:
                self.texts[name] = self.texts.get(name, "") + data


def record(config, scores):
    lines = [{"epoch": at, "loss": 1 / at, "dev": {"accuracy": score}} for at, score in enumerate(scores, 1)]
    history = to_the_end(config, lines)
    best = max(history, key=lambda line: line["dev"]["accuracy"], default={"epoch": None})
    return {
        "id": run_id(config),
        "status": "finished" if scores else "diverged",
        "config": store.dump(config),
        "parent": None,
        "metric": "accuracy",
        "score": max(scores, default=None),
        "selection": {"rule": "best_dev", "epoch": best["epoch"]},
        "history": history,
        "parameters": {"trained": 31, "total": 10000, "share": 0.0031},
        "data": {"source": "local", "fingerprint": "da7a" * 16, "train_examples": 500, "dev_examples": 8},
        "backbone": {"fingerprint": "bac0b0e", "layers": 2},
        "git": {"commit": "c0ffee" * 6, "dirty": False},
    }


def cell(index, text, names, missing=(), **keys):
    return {
        "keys": {"backbone": "tiny_bert", "method": "PT-2", **keys}, "frame": 0, "row": index, "column": "RTE acc",
        "text": text, "records": list(names), "missing": list(missing),
    }  # fmt: skip


def sidecar(names, **changes):
    """A table of three rows: of two runs, of a run that is missing, and of the paper."""
    return {
        "name": "p_tuning_v2/table2", "title": "Table 2", "caption": "A caption.",
        "overrides": ["profile=small", 'data.root="<a>"'], "rule": "best_dev", "notes": ["a gap is `-- (0/1)`"],
        "frames": [{"columns": ["Backbone", "Method", "RTE acc"],
                    "rows": [["tiny_bert", "PT-2", "71.2 ± 0.8"], ["tiny_bert", "PT", "-- (0/1)"],
                             ["paper", "PT", "53.5"]]}],
        "cells": [cell(0, "71.2 ± 0.8", names), cell(1, "-- (0/1)", [], ["rte-tiny_bert-prompt_tuning-seed1-0"])],
    } | changes  # fmt: skip


@pytest.fixture
def results(make_run, tmp_path, monkeypatch):
    """A table, two figures and a benchmark of two finished runs; a third that diverged stands behind no number."""
    monkeypatch.setattr(rerun, "command", lambda record: f"python -m experiments.run task=rte seed={record['id']}")
    runs = [make_run(seed=seed) for seed in (1, 2, 3)]
    names = [
        store.write(run, record(run, scores)).name for run, scores in zip(runs, ([70, 50], [72], []), strict=True)
    ]
    folder = tmp_path / "results"
    leave(folder, "tables/p_tuning_v2/table2_small", sidecar(names[:2]))
    for stem in ("figure3", "figure4"):
        leave(
            folder,
            f"figures/p_tuning_v2/{stem}",
            sidecar(names[:1], name=f"p_tuning_v2/{stem}", title=f"Figure {stem[-1]}"),
        )
        (folder / f"figures/p_tuning_v2/{stem}.svg").write_text(SVG.format(stem=stem))
    benchmark(folder / "benchmarks")
    return folder


def leave(folder, stem, content):
    file = folder / f"{stem}.records.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))


def benchmark(folder):
    folder.mkdir()
    work = {"task": "rte", "shape": "tiny", "rounds": 3, "examples": 256, "packed_runs": 4}
    (folder / "tiny-rte-cpu.json").write_text(json.dumps({"work": work, "device": {"kind": "cpu"}}))
    (folder / "tiny-rte-cpu.md").write_text(
        "Of three rounds.\n\n|  | examples/s |\n|:--|:--|\n| ours | 59.7 |\n\nA note.\n"
    )
    (folder / "tiny-rte-cpu.svg").write_text(SVG.format(stem="figure3"))


def check_links(html, folder):
    """Every link leads to an anchor of the page, of which there is one, or to a file of results/."""
    page = Page(html)
    assert len(page.ids) == len(set(page.ids))
    for href, _ in page.links:
        if href.startswith("#"):
            assert href[1:] in page.ids
        else:
            assert (folder / "report" / href).resolve().exists(), href
    return page


def test_every_cell_has_an_anchor_and_a_link_and_every_link_a_target(results):
    page = check_links(html_of(results), results)
    for stem in ("table2_small", "figure3", "figure4"):
        for index in (0, 1):
            assert any(href == f"#{stem}-{index}" and stem in within for href, within in page.links)
    assert "71.2 ± 0.8" in page.texts["table2_small-0"]
    assert "not run: rte-tiny_bert-prompt_tuning-seed1-0" in page.texts["table2_small-1"]
    assert "53.5" in page.texts["table2_small"], "the paper's numbers are there, and lead nowhere"


def test_two_clicks_lead_from_a_number_to_all_that_is_known_of_its_runs(results):
    page = Page(html_of(results))
    blocks = [href[1:] for href, within in page.links if "table2_small-0" in within and href.startswith("#run-")]
    assert len(blocks) == 2
    text = page.texts[blocks[0]]
    for fact in (
        "da7ada7a",
        "bac0b0e",
        "c0ffee",
        "dev accuracy",
        "training loss",
        "python -m experiments.run",
        "lr=0.01",
    ):
        assert fact in text
    back = [href for href, within in page.links if blocks[0] in within and href.startswith("#")]
    assert back == ["#table2_small-0", "#figure3-0", "#figure4-0"]


def test_a_run_behind_no_number_and_one_without_a_command_say_so(results, monkeypatch):
    def refuse(record):
        raise InputError("its conf/ is gone.")

    monkeypatch.setattr(rerun, "command", refuse)
    page = Page(html_of(results))
    (diverged,) = [text for name, text in page.texts.items() if name.startswith("run-") and "seed3" in name]
    assert "diverged" in diverged
    assert "no number of this page" in diverged
    assert "No command: its conf/ is gone." in diverged


def test_the_command_that_remakes_a_table_can_be_pasted(results):
    assert (
        "python -m experiments.papers.p_tuning_v2.table2 profile=small 'data.root=\"<a>\"'"
        in Page(html_of(results)).texts["table2_small"]
    )


def test_a_benchmark_stands_with_its_table_and_its_command(results):
    text = Page(html_of(results)).texts["benchmark-tiny-rte-cpu"]
    for part in ("Of three rounds.", "examples/s", "59.7", "A note.", "--shape tiny --task rte --rounds 3"):
        assert part in text


def test_nothing_is_fetched(results):
    html = html_of(results)
    assert not [address for address in Page(html).addresses if re.match(r"\w+:|//", address) and address != "data:,"]
    assert not re.findall(r"@import|url\((?!#)|http", html)


def test_the_same_files_give_the_same_bytes(results):
    first = make(results).read_bytes()
    assert make(results).read_bytes() == first


def test_drawings_share_no_ids_and_take_the_pages_colours(results):
    html = html_of(results)
    for stem in ("figure3", "figure4"):
        assert f'id="{stem}--clip"' in html and f"url(#{stem}--clip)" in html and f'href="#{stem}--clip"' in html
    drawing = html[html.index("<svg") : html.index("</svg>")]
    assert "stroke: currentColor" in drawing and "fill: var(--page)" in drawing and "M 0.12 1 L 2 3" in drawing
    for dropped in ("#000000", "#ffffff", "<style", "who made it", "unused", "_blank", "xlink"):
        assert dropped not in drawing
    assert drawing.count("<a ") == 1
    assert "<title>tiny_bert · PT-2: 71.2 ± 0.8</title>" in drawing


def test_text_is_escaped(results):
    evil = "<script>alert(1)</script>"
    changed = sidecar([], title=evil, caption=evil, notes=[f"`{evil}`"])
    changed["frames"][0]["rows"][0] = [evil, evil, evil]
    changed["cells"] = [cell(0, evil, [], [evil], task=evil)]
    leave(results, "tables/p_tuning_v2/table2_small", changed)
    html = html_of(results)
    assert evil not in html
    assert html.count("<script>") == 1


def test_what_is_missing_is_named(results):
    leave(results, "tables/p_tuning_v2/table2_small", sidecar(["rte-gone.json"]))
    with pytest.raises(InputError, match=r"results/runs/rte-gone.json is missing, though table2_small"):
        html_of(results)


def test_a_figure_without_a_drawing_is_named(results):
    drawing = results / "figures/p_tuning_v2/figure3.svg"
    drawing.write_text("<svg>")
    with pytest.raises(InputError, match=r"results/figures/p_tuning_v2/figure3.svg is no drawing"):
        html_of(results)
    drawing.unlink()
    with pytest.raises(InputError, match=r"results/figures/p_tuning_v2/figure3.svg is missing"):
        html_of(results)


def test_a_benchmark_without_its_table_is_named(results):
    (results / "benchmarks/tiny-rte-cpu.md").unlink()
    with pytest.raises(InputError, match=r"benchmarks/tiny-rte-cpu.md is missing"):
        html_of(results)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"frames": None}, "frames: "),
        ({"frames": []}, "cell 0 is in no frame"),
        ({"cells": [cell(3, "1.0", [])]}, "cell 0 is outside its frame"),
    ],
)
def test_a_sidecar_of_another_kind_is_named(results, change, reason):
    leave(results, "tables/p_tuning_v2/table2_small", sidecar([]) | change)
    with pytest.raises(InputError, match=rf"tables/p_tuning_v2/table2_small.records.json is not what .*{reason}"):
        html_of(results)


def test_a_table_and_a_figure_of_one_name_are_refused(results):
    leave(results, "tables/p_tuning_v2/figure3", sidecar([]))
    with pytest.raises(InputError, match="figure3 is both a table and a figure"):
        html_of(results)


def test_nothing_yet_is_a_page_too(tmp_path):
    assert "content" in check_links(html_of(tmp_path), tmp_path).ids
    with pytest.raises(InputError, match="nowhere is no folder"):
        html_of(tmp_path / "nowhere")


def test_the_committed_results_make_a_page(monkeypatch):
    monkeypatch.setattr(rerun, "command", lambda record: "python -m experiments.run")
    check_links(html_of(ROOT / "results"), ROOT / "results")
