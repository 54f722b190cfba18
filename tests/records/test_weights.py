"""Saved weights: what is damaged or not what its header says is refused in one sentence; older files still load."""

import json
import random

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from ptuning.errors import InputError
from ptuning.records import weights
from ptuning.run import run
from tests.conftest import MLP, make_backbone
from tests.damage import NUMBER, damaged, is_sentence, mutated
from tests.sweep.test_sources import start
from tests.training.test_lanes import lanes_of

CHECKSUMS = ("said_sha256", "tensors_sha256")


@pytest.fixture
def saved(make_run, tmp_path):
    """A run, the backbone that it is on, the file of its weights, the tensors and the header in there."""
    config, backbone = make_run(prompt__reparameterization=MLP), make_backbone()
    (lane,) = lanes_of([config], backbone)
    state = weights.trained_state(lane.tasks, backbone)
    file = weights.write(tmp_path / "run.safetensors", config, state, backbone.content)
    with safe_open(file, "pt") as stored:
        return config, backbone, file, load_file(file), stored.metadata()


def load(saved):
    config, backbone, file, *_ = saved
    return weights.load(file, config, backbone)


def refused(saved, said):
    with pytest.raises(InputError, match=said) as error:
        load(saved)
    message = str(error.value)
    assert message.startswith(str(saved[2])) and "\n" not in message and message.endswith(".")


def unchecked(metadata, **changes):
    """An older file's header, without checksums."""
    said = {key: value for key, value in (metadata | changes).items() if value is not None}
    return {key: value for key, value in said.items() if key not in CHECKSUMS}


def test_a_file_with_its_checksums_loads_and_so_does_one_from_before_them(saved):
    *_, file, state, metadata = saved
    assert set(metadata) == {"format", "config", "backbone", *CHECKSUMS}
    load(saved)
    save_file(state, file, unchecked(metadata))
    load(saved)
    save_file(state, file, unchecked(metadata, backbone=None))
    load(saved)


@pytest.mark.parametrize("name", ["prompt.prompt", "head.linear.bias"])
def test_another_number_is_found_by_the_checksum(saved, name):
    *_, file, state, metadata = saved
    state[name].view(-1)[-1] += 1e-3
    save_file(state, file, metadata)
    refused(saved, "is damaged .its tensors have another checksum.: give a whole copy, or remove it and train")


def test_another_word_of_the_header_is_found_by_its_checksum(saved):
    *_, file, state, metadata = saved
    save_file(state, file, metadata | {"config": metadata["config"].replace('"max_length": 96', '"max_length": 97')})
    refused(saved, "is damaged .its header has another checksum")


TENSORS = {
    "nan": (lambda state: state["prompt.prompt"].view(-1)[0].fill_(float("nan")), "prompt.prompt is not finite"),
    "dtype": (lambda state: half(state, "prompt.prompt"), r"prompt.prompt is float16 \[3, \d+\] there, and float32 "),
    "width": (
        lambda state: state.update({"head.linear.weight": torch.zeros(3, 32), "head.linear.bias": torch.zeros(3)}),
        r"head.linear.bias is float32 \[3\] there, and float32 \[2\] in the run",
    ),
    "missing": (lambda state: state.pop("head.linear.bias"), r"head.linear.bias is absent there, and float32 \[2\]"),
    "extra": (lambda state: state.update(more=torch.zeros(2)), r"more is float32 \[2\] there, and absent in the run"),
    "prompt": (lambda state: state.pop("prompt.prompt"), "prompt.prompt is absent there"),
    "scalar": (lambda state: state.update({"prompt.prompt": torch.tensor(1.0)}), r"prompt.prompt is float32 \[\] "),
}  # fmt: skip


def half(state, name):
    state[name] = state[name].half()


@pytest.mark.parametrize("what", TENSORS)
def test_tensors_that_are_not_the_run_s_are_refused_without_a_checksum_too(saved, what):
    *_, file, state, metadata = saved
    change, said = TENSORS[what]
    change(state)
    save_file(state, file, unchecked(metadata))
    refused(saved, said)


@pytest.mark.parametrize(
    "config",
    [None, "", "{", "[]", "5", "null", '"x"', "{}", "[" * 100_000, '{"a":' * 900 + "1" + "}" * 900, "9" * 5000,
     '{"backbone": 5}', '{"backbone": {"source": []}}'],
)  # fmt: skip
def test_a_header_without_a_run_is_refused(saved, config):
    *_, file, state, metadata = saved
    save_file(state, file, unchecked(metadata, config=config))
    refused(saved, "holds no run's weights .its header has no run's config.: give a file that runtime.save=true has")


@pytest.mark.parametrize(
    "backbone", ["", "{", "[]", "5", '{"config": 5}', '{"fingerprint": "a\\nb"}', '{"pooler": []}']
)
def test_a_header_without_a_backbone_s_content_is_refused(saved, backbone):
    *_, file, state, metadata = saved
    save_file(state, file, unchecked(metadata, backbone=backbone))
    refused(saved, "holds no run's weights")


@pytest.mark.parametrize(
    ("key", "value"),
    [("seed", -1), ("prompt", 5), ("prompt", {"length": []}), ("train", None), ("task", []), ("extra", 1),
     ("method", {}), ("head", 7), ("seed", "x")],
)  # fmt: skip
def test_a_header_with_another_run_s_keys_is_refused(saved, key, value):
    *_, file, state, metadata = saved
    config = json.loads(metadata["config"])
    save_file(state, file, unchecked(metadata, config=json.dumps(config | {key: value})))
    with pytest.raises(InputError) as error:
        load(saved)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("size", [0, 7, 8, 100, -1])
def test_a_truncated_file_is_refused(saved, size):
    file = saved[2]
    file.write_bytes(file.read_bytes()[:size])
    refused(saved, "holds no run's weights .*: give a file that runtime.save=true has written")


def test_a_folder_and_another_file_are_refused(saved, tmp_path):
    config, backbone, *_ = saved
    (tmp_path / "other.txt").write_text("hello " * 100)
    for file in (tmp_path, tmp_path / "other.txt"):
        with pytest.raises(InputError, match=r"does not exist|holds no run's weights"):
            weights.load(file, config, backbone)


def test_a_damaged_prompt_is_not_gone_on_with(make_run):
    """Of a source run: other numbers, no prompt, another type."""
    finished = make_run(seed=5, runtime__keep_steps=["last"], train__epochs=1)
    run([finished])
    file = weights.path(finished, "last")
    with safe_open(file, "pt") as stored:
        metadata, state = stored.metadata(), load_file(file)
    child = start(make_run(train__epochs=1), a={"seed": 5})
    for change, said in (
        ({"prompt.prompt": state["prompt.prompt"] + 1}, "is damaged .its tensors have another checksum"),
        ({"prompt.prompt": state["prompt.prompt"].half()}, "holds no prompt to start from .prompt.prompt is float16"),
        ({"prompt.prompt": state["prompt.prompt"][0]}, "holds no prompt to start from .prompt.prompt is float32"),
        ({"prompt.other": state["prompt.prompt"]}, "holds no prompt to start from .prompt.prompt is absent"),
    ):
        checked = metadata if "another checksum" in said else unchecked(metadata)
        save_file(change, file, checked)
        with pytest.raises(InputError, match=said):
            lanes_of([child], make_backbone())


# --- drawn damage


def test_damaged_files_are_refused_or_answer_as_before(saved):
    """Half of them within the header."""
    file = saved[2]
    whole = file.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    expected = {name: tensor.clone() for name, tensor in load(saved).state_dict().items()}
    draw = random.Random(0)
    for number in range(NUMBER):
        head, tail = whole[:header], whole[header:]
        file.write_bytes(damaged(head, draw) + tail if number % 2 else head + damaged(tail, draw))
        try:
            found = load(saved).state_dict()
        except InputError as error:
            assert is_sentence(error), number
            continue
        assert all(torch.equal(found[name], tensor) for name, tensor in expected.items()), number


def test_headers_that_say_something_else_are_refused_or_load(saved):
    *_, file, state, metadata = saved
    config = json.loads(metadata["config"])
    draw = random.Random(1)
    loaded = 0
    for number in range(NUMBER):
        said = json.dumps(mutated(config, draw))
        save_file(state, file, unchecked(metadata, config=said))
        try:
            load(saved)
            loaded += 1
        except InputError as error:
            assert is_sentence(error), (number, said)
    assert loaded < NUMBER
