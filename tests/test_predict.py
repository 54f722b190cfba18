"""One frozen backbone answers questions of several tasks in one batch, each through its own prompt."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ptuning.data import splits
from ptuning.data.sources import rows
from ptuning.errors import InputError
from ptuning.parsed import Run
from ptuning.predict import Answerer
from ptuning.records import weights
from ptuning.run import prepare_backbone, run
from ptuning.training.adapter import AdapterBatch
from ptuning.training.budget import Budget
from ptuning.training.predictions import predict
from tests.conftest import MLP
from tests.records.test_matching import saved
from tests.sweep.test_sources import start

ROOT = Path(__file__).parent.parent


@pytest.fixture
def served(make_run):
    """Three saved runs of different tasks, methods, heads, lengths and depths; and their files."""
    configs = [
        make_run("p_tuning_v2", "rte", runtime__save=True, prompt__layers="3-4", prompt__reparameterization=MLP),
        make_run("prompt_tuning", "copa", runtime__save=True, prompt__placement="infix"),
        make_run("p_tuning_v2", "multirc", runtime__save=True, prompt__length=5, data__train_rows=2, data__dev_rows=3),
    ]
    run(configs)
    return configs, [weights.path(config) for config in configs]


def unlabelled(config):
    """The dev rows of a run's task as they come from a user: with the task's name, without labels."""
    task, _ = splits.load_for_run(config)
    for _, row in rows(task, config.data)["dev"][:5]:
        bare = {key: value for key, value in row.items() if key not in ("label", "tags", "answers")}
        for question in bare.get("passage", {}).get("questions", []) if isinstance(bare.get("passage"), dict) else []:
            for answer in question["answers"]:
                answer.pop("label", None)
        yield {"task": task.name, **bare}


def test_mixed_answers_equal_each_task_by_itself_in_order(served):
    configs, files = served
    mixed = [row for three in zip(*(unlabelled(config) for config in configs), strict=True) for row in three]
    answerer = Answerer(files, configs[0].runtime)
    answers = answerer.answer([(f"q:{i}", row) for i, row in enumerate(mixed)])
    assert len(answers) == len(mixed)
    for config, file in zip(configs, files, strict=True):
        backbone = prepare_backbone(Run.parse(config))
        adapter = weights.load(file, config, backbone)
        places = [i for i, row in enumerate(mixed) if row["task"] == config.task.name]
        examples = [e for i in places for e in adapter.task.examples(mixed[i], "q")]
        encoded = adapter.encode(examples)
        (expected,) = predict(backbone, [AdapterBatch(adapter, encoded, np.arange(len(encoded)))], Budget(200))
        expected = np.stack(expected)
        got = [answer for i in places for answer in answers[i]]
        assert [answer["label"] for answer in got] == [adapter.task.labels[k] for k in expected.argmax(1)]
        shares = np.exp(expected) / np.exp(expected).sum(1, keepdims=True)
        np.testing.assert_allclose([list(a["probabilities"].values()) for a in got], shares, atol=1e-5)
        assert {answer["run"] for answer in got} == {file.stem}


def test_token_and_span_tasks_answer_in_one_call_with_classification(make_run):
    """Sentences of other lengths than the passages, so that batches hold both, padded."""
    configs = [
        make_run("p_tuning_v2", "wnut17", runtime__save=True),
        make_run("prompt_tuning", "squad", runtime__save=True, task__options={"stride": 16}),
        make_run("p_tuning_v2", "rte", runtime__save=True, prompt__length=5),
    ]
    run(configs)
    files = [weights.path(config) for config in configs]
    mixed = [row for three in zip(*(unlabelled(config) for config in configs), strict=True) for row in three]
    answers = Answerer(files, configs[0].runtime).answer([(f"q:{i}", row) for i, row in enumerate(mixed)])
    keys = [{"run", "entities"}, {"run", "question", "answer", "likeliest"}, {"run", "label", "probabilities", "text"}]
    assert [[set(answer) for answer in row] for row in answers] == [[own] for own in keys] * 5
    for place, (config, file) in enumerate(zip(configs[:2], files, strict=False)):
        backbone = prepare_backbone(Run.parse(config))
        adapter = weights.load(file, config, backbone)
        examples = [example for row in mixed[place::3] for example in adapter.task.examples(row, "q")]
        encoded = adapter.encode(examples)
        (found,) = predict(backbone, [AdapterBatch(adapter, encoded, np.arange(len(encoded)))], Budget(200))
        own = adapter.collect(examples, encoded, found)
        for (answer,), example, alone in zip(answers[place::3], examples, own, strict=True):
            shown = {"run": file.stem, **adapter.task.format_prediction(example, alone)}
            for one, other in zip(answer.get("likeliest", []), shown.get("likeliest", []), strict=True):
                assert one.pop("score") == pytest.approx(other.pop("score"), abs=1e-5)
            assert answer == shown


def test_bad_questions_and_files_are_one_sentence(served, make_run, tmp_path):
    configs, files = served
    answerer = Answerer(files, configs[0].runtime)
    for row, sentence in (
        ({"task": "wic"}, r"^q:1: task=wic has no loaded run: those of copa, multirc, rte have"),
        ({"run": "nothing"}, r"^q:1: run=nothing is not loaded: choose one of rte-"),
        ({"task": "rte", "premise": "p"}, r"^q:1: the key 'hypothesis' is missing"),
    ):
        with pytest.raises(InputError, match=sentence):
            answerer.answer([("q:1", row)])
    tuned, other = (
        make_run("fine_tuning", runtime__save=True),
        make_run(seed=5, runtime__save=True, backbone__name="b"),
    )
    run([tuned])
    run([other])
    with pytest.raises(InputError, match="was made by fine_tuning, which changes the backbone"):
        Answerer([*files, weights.path(tuned)], tuned.runtime)
    with pytest.raises(InputError, match="were trained on another backbone or precision"):
        Answerer([*files, weights.path(other)], other.runtime)
    source = start(make_run(), a={"seed": 3, "train": {"epochs": 1}}).source_runs[0].run
    run([source])
    with pytest.raises(InputError, match=r"-step-last\.safetensors holds the prompt of one of .* without a head"):
        Answerer([weights.path(source, "last")], source.runtime)
    everything = sorted(source.runtime.weights.glob("*.safetensors"))
    assert weights.path(source, "last") not in everything, "what the README's glob finds can answer"
    (tmp_path / "x.safetensors").write_bytes(b"no")
    with pytest.raises(InputError, match="holds no run's weights"):
        Answerer([tmp_path / "x.safetensors"], tuned.runtime)


def test_another_model_in_the_folder_of_the_backbone_does_not_answer(make_run, tmp_path, monkeypatch):
    monkeypatch.setenv("PTUNING_CACHE", str(tmp_path / "cache"))
    config = make_run(**saved(tmp_path / "model"), runtime__save=True)
    run([config])
    file = weights.path(config)
    Answerer([file], config.runtime)
    saved(tmp_path / "model", hidden_act="relu")
    with pytest.raises(InputError, match=r"name=mine here .*configs differ: hidden_act None there and relu here"):
        Answerer([file], config.runtime)


def test_the_command_answers_line_by_line(served, tmp_path):
    configs, files = served
    rows_ = [row for config in configs[:2] for row in unlabelled(config)][::-1]
    (tmp_path / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows_))

    def call(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "experiments.answer", *map(str, arguments), "runtime.device=cpu"],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip

    done = call(tmp_path / "questions.jsonl", "--prompts", *files, "--out", tmp_path / "answers.jsonl")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert [line["question"] for line in lines] == [f"{tmp_path}/questions.jsonl:{i + 1}" for i in range(len(rows_))]
    assert [line["answers"][0]["run"].split("-")[0] for line in lines] == [row["task"] for row in rows_]
    (tmp_path / "questions.jsonl").write_text('{"task": "rte"\n')
    refused = call(tmp_path / "questions.jsonl", "--prompts", *files)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"error: {tmp_path}/questions.jsonl:1: not valid JSON")
