"""The benchmark: every contestant does the work, the floor does no more, the table in docs/ is the JSON's, and what
prompt length costs is measured and shown for both kinds of prompts."""

import dataclasses
import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertConfig

from experiments.benchmark import __main__ as benchmark
from experiments.benchmark import contestants, inference, memory, official, prompt_length, report, trainer, work
from experiments.benchmark.ours import Ours
from experiments.site import benchmark as page
from ptuning.errors import InputError

ROOT = Path(__file__).parents[2]
TINY = {"num_hidden_layers": 3, "hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 64}


@pytest.fixture(scope="module")
def tiny():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(work.SHAPES, "tiny", (BertConfig, TINY | {"vocab_size": 1600}))
        yield work.Work("rte", "tiny", work.texts("rte", 20), torch.device("cpu"), batch_size=8, length=4)


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
    half = Ours.on(tiny, precision=torch.bfloat16)
    others = (official.prepare(tiny), trainer.peft(tiny, 0.1), trainer.peft(tiny, 0.1, torch.bfloat16),
              trainer.fine_tuning(tiny), ours.floor(100), half.floor(100))  # fmt: skip
    for contestant in others:
        epoch = contestant()
        tokens.clear()
        epoch()
        assert sum(tokens) == tiny.tokens
    for contestant, runs in ((ours.prepare(), 1), (ours.prepare(lanes=3), 3), (half.prepare(), 1)):
        epoch = contestant()
        tokens.clear()
        epoch()
        one_dev_example = int(tiny.examples.lengths[0])
        assert sum(tokens) == runs * (tiny.tokens + one_dev_example)


def test_the_official_recipe_trains_its_prefix_and_nothing_of_the_backbone(tiny):
    model = official.Prefix(work.encoder("tiny", 0.1, "eager"), tiny.length, labels=2)
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
    found = benchmark._ratios(rates)
    assert found["ours_over_official"] == [4.0, 3.0]
    assert found["floor_over_ours"] == [0.8, 1.0]
    assert not any("bf16" in name for name in found)
    half = {"ours_bf16": [8.0, 3.0], "peft_bf16": [2.0, 3.0], "floor_bf16": [16.0, 3.0]}
    found = benchmark._ratios(rates | half)
    assert found["ours_bf16_over_ours"] == [2.0, 0.5]
    assert found["ours_bf16_over_peft_bf16"] == [4.0, 1.0]
    assert found["floor_bf16_over_ours_bf16"] == [2.0, 1.0]


@pytest.mark.parametrize(("device", "native", "apart"), [("cpu", "bf16", True), ("cpu", "fp32", False),
                                                         ("cuda", "bf16", False)])  # fmt: skip
def test_bf16_has_contestants_of_its_own_where_the_device_has_it_and_the_others_do_not(
    tiny, monkeypatch, device, native, apart
):
    monkeypatch.setattr(benchmark, "native_precision", lambda _: native)
    assert benchmark._bf16_apart(dataclasses.replace(tiny, device=torch.device(device))) == apart


def test_the_table_and_the_plot_have_the_contestants_that_took_part():
    result = json.loads((ROOT / "results/benchmarks/minilm_l6-rte-cpu.json").read_text())
    for key, values in (("contestants", {"ours_bf16": "ours"}), ("ratios", {"ours_bf16_over_ours": "ours_over_peft"})):
        result[key] |= {name: result[key][like] for name, like in values.items()}
    text = contestants.table(result)
    assert "| ours in bf16, one run " in text and "| ours in bf16 over ours " in text
    assert "PEFT in bf16" not in text
    bars = contestants.plot(result).axes[0]
    names = [label.get_text() for label in bars.get_yticklabels()]
    assert "ours in bf16, one run" in names and "PEFT in bf16" not in names


def test_runs_have_the_method_and_the_prompt_that_are_asked_for(tiny):
    (config,) = work.run_configs(tiny, 1)
    assert (config.method, config.prompt["length"], config.prompt["layers"]) == ("p_tuning_v2", 4, "all")
    (config,) = work.run_configs(tiny, 1, layers="2-3")
    assert (config.prompt["length"], config.prompt["layers"]) == (4, "2-3")
    first, second = work.run_configs(tiny, 2, "prompt_tuning", length=7)
    assert (first.method, first.prompt["length"], first.train.batch_size) == ("prompt_tuning", 7, 8)
    assert first.seed != second.seed


@pytest.fixture(scope="module")
def cost(tiny):
    """What `lengths` measures of the tiny work, but for its memory, which is told: a MB a virtual token."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "alone", lambda work, method, length: length * 2**20)
        return prompt_length.benchmark(tiny, rounds=2, lengths=(1, 4, 200))


def test_what_prompt_length_costs_is_measured_at_every_point(cost):
    assert (cost["kind"], cost["work"]["shape"], cost["device"]["kind"]) == ("lengths", "tiny", "cpu")
    assert [(p["length"], p["method"]) for p in cost["points"]] == [
        (length, method) for length in (1, 4, 200) for method in ("prompt_tuning", "p_tuning_v2")
    ]
    head, vector = 2 * 32 + 2, {"prompt_tuning": 32, "p_tuning_v2": 3 * 2 * 32}
    for point in cost["points"]:
        assert point["trained_parameters"] == head + vector[point["method"]] * point["length"]
        assert point["peak_memory_mb"] == point["length"]
        rate = point["examples_per_second"]
        assert 0 < rate["min"] <= rate["median"] <= rate["max"]


def test_training_takes_memory_in_a_process_of_its_own():
    small = work.Work("rte", "minilm_l6", work.texts("rte", 1), torch.device("cpu"), batch_size=1)
    assert 2**20 < memory.alone(small, "prompt_tuning", 1) < 2**30


@pytest.fixture(scope="module")
def folder(cost, tmp_path_factory):
    """Results of both kinds, with their tables and plots."""
    made = tmp_path_factory.mktemp("benchmarks")
    shutil.copy(ROOT / "results/benchmarks/minilm_l6-rte-cpu.json", made)
    report.write(made / "tiny-rte-cpu-lengths.json", cost)
    report.make(made / "minilm_l6-rte-cpu.json")
    return made


def test_tables_and_plots_are_made_of_the_json_the_same_each_time(folder):
    made = {file: file.read_bytes() for file in folder.iterdir()}
    assert {file.suffix for file in made} == {".json", ".md", ".svg", ".png"} and len(made) == 8
    for file in folder.glob("*.json"):
        report.make(file)
    assert {file: file.read_bytes() for file in folder.iterdir()} == made


def test_prompt_length_has_a_line_a_length_and_both_methods_in_its_plot(folder):
    text = (folder / "tiny-rte-cpu-lengths.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    assert [row[0] for row in rows] == ["prompt length", "1", "4", "200"]
    assert rows[-1][3:] == ["200 MB", "200 MB", "6,466", "38,466"]
    drawn = (folder / "tiny-rte-cpu-lengths.svg").read_text()
    for word in ("PT: prompt at the input", "PT-2: prompt in every layer", "Peak memory", "MB", "examples/s", "200"):
        assert word in drawn


def test_the_page_shows_both_kinds_with_the_commands_that_measure_them(folder):
    throughput, length = page.read_all(folder)
    assert throughput.title == "throughput, minilm_l6, rte lengths, cpu"
    assert throughput.command.startswith("python -m experiments.benchmark --shape minilm_l6 --task rte --rounds 3")
    assert "--packed 4" in throughput.command
    assert length.title == "cost of prompt length, tiny, rte lengths, cpu"
    assert length.command.startswith("python -m experiments.benchmark.prompt_length ")
    given = prompt_length.parser().parse_args(shlex.split(length.command)[3:])
    assert (given.shape, given.task, given.rounds, given.examples) == ("tiny", "rte", 2, 20)


def test_the_page_refuses_a_result_of_no_kind(tmp_path):
    (tmp_path / "tiny-rte-cpu.json").write_text('{"kind": "widths", "work": {}, "device": {}}')
    with pytest.raises(InputError, match=r"tiny-rte-cpu.json is no benchmark's result"):
        page.read_all(tmp_path)


def test_the_readme_and_the_pages_show_the_committed_measurements():
    file = ROOT / "results/benchmarks/minilm_l6-rte-cpu.json"
    made = contestants.table(json.loads(file.read_text()))
    assert file.with_suffix(".md").read_text() == made
    text = (ROOT / "docs/benchmark.md").read_text()
    shown = re.search(r"<!-- benchmark:begin -->\n(.*)<!-- benchmark:end -->", text, re.DOTALL)
    assert shown and shown[1] == made
