"""The benchmark: every contestant does the work, the floor does no more, and the README's table is the JSON's."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertConfig

from experiments.benchmark import inference, official, report, trainer, work
from experiments.benchmark.__main__ import _ratios
from experiments.benchmark.ours import Ours

ROOT = Path(__file__).parent.parent
TINY = {"num_hidden_layers": 3, "hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 64}


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setitem(work.SHAPES, "tiny", (BertConfig, TINY | {"vocab_size": 1600}))
    return work.Work("rte", "tiny", work.texts("rte", 20), torch.device("cpu"), batch_size=8, length=4)


def test_the_texts_have_the_tasks_lengths():
    texts = work.texts("rte", 1000)
    assert texts.lengths.max() == 128
    assert texts.lengths.mean() == pytest.approx(66.5, abs=0.5)  # of RTE's 2490 training examples, cut to 128
    assert work.texts("boolq", 1000).lengths.mean() == pytest.approx(108.8, abs=0.5)
    assert (np.diff(texts.lengths) < 0).any(), "in no order"


def test_every_contestant_trains_on_every_example(tiny, monkeypatch):
    tokens = []
    forward = torch.nn.Embedding.forward

    def counted(self, ids):
        if self.num_embeddings == 1600:
            tokens.append(int((ids > 0).sum()))
        return forward(self, ids)

    monkeypatch.setattr(torch.nn.Embedding, "forward", counted)
    ours = Ours.on(tiny)
    for contestant in (official.prepare(tiny), trainer.peft(tiny, 0.1), trainer.fine_tuning(tiny), ours.floor(100)):
        epoch = contestant()
        tokens.clear()
        epoch()
        assert sum(tokens) == tiny.tokens
    for contestant, runs in ((ours.prepare(), 1), (ours.prepare(lanes=3), 3)):
        epoch = contestant()
        tokens.clear()
        epoch()
        one_dev_example = int(tiny.examples.lengths[0])
        assert sum(tokens) == runs * (tiny.tokens + one_dev_example)


def test_the_official_recipe_trains_its_prefix_and_nothing_of_the_backbone(tiny):
    model = official.Prefix(tiny)
    batch = work.padded(tiny, np.arange(8), work.MAX_LENGTH)
    assert batch["input_ids"].shape == (8, 128)
    model(**batch).backward()
    touched = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert touched == {"prefix.weight", "classifier.weight", "classifier.bias"}
    assert model.prefix.weight.grad.view(4, 3, -1).abs().amax(dim=(0, 2)).min() > 0, "every layer"


def test_mixed_and_task_by_task_answer_all(tiny):
    seconds = inference.compare(Ours.on(tiny), tasks=3, rounds=2)
    assert {name: len(times) for name, times in seconds.items()} == {"mixed": 2, "task_by_task": 2}


def test_ratios_are_taken_within_a_round():
    names = (
        "official",
        "peft",
        "peft_no_dropout",
        "fine_tuning",
        "ours",
        "ours_dropout",
        "packed",
        "top_third",
        "floor",
    )
    rates = {name: [1.0, 2.0] for name in names} | {"ours": [4.0, 6.0], "floor": [5.0, 6.0]}
    found = _ratios(rates)
    assert found["ours_over_official"] == [4.0, 3.0]
    assert found["floor_over_ours"] == [0.8, 1.0]


def test_the_readme_and_the_pages_show_the_committed_measurements():
    file = ROOT / "results/benchmarks/minilm_l6-rte-cpu.json"
    made = report.table(json.loads(file.read_text()))
    assert file.with_suffix(".md").read_text() == made
    readme = (ROOT / "README.md").read_text()
    shown = re.search(r"<!-- benchmark:begin -->\n(.*)<!-- benchmark:end -->", readme, re.DOTALL)
    assert shown and shown[1] == made
