"""Tasks of other kinds, answered by a backbone that generates: what is wrong in form is counted, and is wrong."""

import json

import numpy as np
import pytest

from ptuning import tasks
from ptuning.data import splits
from ptuning.errors import InputError
from ptuning.parsed import Run
from ptuning.records import store
from ptuning.run import prepare_backbone, run
from ptuning.training.adapter import AdapterBatch
from tests.training.test_lanes import lanes_of


def config_of(make_run, name, task, **more):
    backbone = {"name": name, "source": "random", "id": name, "pooler": "none"}
    head = {"name": "text_to_text", "max_target_length": 8}
    return make_run("prompt_tuning", task, backbone=backbone, head=head, data__test_rows=4, **more)


@pytest.mark.parametrize("name", ["tiny_t5", "tiny_gpt2"])
@pytest.mark.parametrize("task", ["squad", "wnut17", "ewt", "stsb"])
def test_a_run_counts_what_cannot_be_read(make_run, name, task):
    """Random weights say nothing of the form that tags and ratings have."""
    config = config_of(make_run, name, task, train__epochs=1)
    (record,) = run([config])
    (line,) = record["history"]
    assert line["dev"]["unread"] == (0.0 if task == "squad" else 100.0)
    assert record["score"] == line["dev"][record["metric"]]
    (kept,) = store.path(config).parent.parent.glob("generations/*.jsonl")
    lines = [json.loads(line) for line in kept.read_text().splitlines()]
    assert sum(line["split"] == "dev" for line in lines) == record["data"]["dev_examples"]
    form, dev = tasks.load(task).text_form(), splits.load_for_run(config)[1].dev
    assert [line["source"] for line in lines if line["split"] == "dev"] == [form.source(one) for one in dev]


def test_what_the_task_writes_is_what_is_learned(make_run):
    """The tokens of the target, behind those of the source."""
    config = config_of(make_run, "tiny_t5", "wnut17", train__epochs=1)
    backbone = prepare_backbone(Run.parse(config))
    (lane,) = lanes_of([config], backbone)
    form, dataset = lane.tasks[0].dataset.task.text_form(), lane.tasks[0].dataset
    example, encoded = dataset.data.train[0], dataset.train
    batch = AdapterBatch(lane.adapter, encoded, np.arange(1))
    targets = [token for token in batch.targets[0].tolist() if token >= 0]
    wanted = backbone.tokenizer(form.target(example), add_special_tokens=False)["input_ids"]
    assert targets == [*wanted, backbone.tokenizer.eos_token_id][:8]


def test_a_task_without_a_form_and_an_encoder_are_refused(make_run):
    with pytest.raises(InputError, match=r"head=text_to_text cannot answer task\.name=cb: choose one of auto"):
        Run.parse(config_of(make_run, "tiny_t5", "cb"))
    with pytest.raises(InputError, match=r"head=text_to_text is refused: .* is an encoder, which generates nothing"):
        run([config_of(make_run, "tiny_bert", "squad")])
