"""The cloze head: of many words of one token it says the one that transformers' own language models find likeliest."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ptuning.errors import InputError
from ptuning.metrics.classification import accuracy
from ptuning.parsed import Run
from ptuning.records import store
from ptuning.run import run
from tests.conftest import make_backbone
from tests.data.test_splits import put
from tests.heads.test_verbalizer import own_logits
from tests.training.test_lanes import lanes_of, train_all

OBJECTS = ["ka", "no", "Ka", "tu", "kato", "bo"]  # one token each but kato; ka and Ka are the same one
HAND = "[X] is in [Y] ."
ENDING = "{subject} is in <mask> ."  # a decoder's too: punctuation behind the answer is left out
NOTHING = {"train__epochs": None, "train__steps": 0}


@pytest.fixture
def files(tmp_path):
    """A data root with 60 facts of P36, which has a hand template, and of P31, which has none."""
    facts = [{"sub_label": f"town {n}", "obj_label": OBJECTS[n % len(OBJECTS)]} for n in range(60)]
    for relation in ("P36", "P31"):
        put(tmp_path / f"data/lama/trex/{relation}.jsonl", facts)
    put(tmp_path / "data/lama/templates/P36.jsonl", [{"pattern": HAND}])
    return tmp_path / "data"


@pytest.fixture
def make(make_run, files):
    def config(name="tiny_bert", method="zero_shot", template=None, candidates="objects", relation="P36", **keys):
        keys = (NOTHING if method == "zero_shot" else {}) | keys
        return make_run(
            method, "lama", task__options={"relation": relation, "split_seed": 1},
            data={"source": "local", "root": str(files)}, backbone__id=name, backbone__name=name,
            head={"name": "cloze", "template": template, "candidates": candidates}, **keys,
        )  # fmt: skip

    return config


@pytest.mark.parametrize("name", ["tiny_bert", "tiny_roberta", "tiny_gpt2", "tiny_llama", "tiny_t5", "tiny_bart"])
@pytest.mark.parametrize("candidates", ["objects", "vocabulary"])
def test_precision_at_1_is_that_of_the_language_model_itself(make, name, candidates):
    backbone = make_backbone(name)
    (lane,) = lanes_of([make(name, template=ENDING, candidates=candidates)], backbone)
    train_all(backbone, [lane])
    names = backbone.tokenizer.convert_ids_to_tokens(range(len(backbone.tokenizer)))
    if candidates == "objects":
        words = {"ka", "no", "tu", "bo"}
    else:
        words = {one for one in names if one.isalnum() and one == one.lower()}
    ids = torch.tensor([number for number, one in enumerate(names) if one in words])
    dev, encoded = lane.tasks[0].dataset.data.dev, lane.tasks[0].dataset.dev
    said = [int(ids[own_logits(backbone, encoded, i)[0, ids].argmax()]) for i in range(len(dev))]
    gold = backbone.tokenizer.convert_tokens_to_ids([one.object.lower() for one in dev])
    (line,) = lane.history
    assert line.dev == {"p_at_1": pytest.approx(accuracy(gold, np.array(said)))}
    assert line.right == "".join(str(int(one == other)) for one, other in zip(gold, said, strict=True))


def test_an_object_is_right_however_it_is_written_where_it_is_the_same_token(make):
    (lane,) = lanes_of([make()], make_backbone())
    adapter, facts = lane.adapter, lane.tasks[0].dataset.data.train
    encoded = adapter.encode(facts)
    answers = adapter.collect(facts, encoded, [np.array([target]) for target in encoded.targets])
    assert {"ka", "Ka"} < set(answers) and answers == [fact.object for fact in facts]


def test_facts_whose_object_is_of_several_tokens_are_left_out_and_counted(make):
    config = make()
    (record,) = run([config])
    data = record["data"]
    counted = {split: list(found.values()) for split, found in data["quirks"].items()}
    left = data["train_examples"] + data["dev_examples"] + data["test_examples"]["test"]
    assert sum(count for (count,) in counted.values()) == 10 == 60 - left
    assert "kato" not in {fact.object for fact in lanes_of([config], make_backbone())[0].tasks[0].dataset.data.train}


def test_the_hand_template_alone_is_a_record_of_nothing_trained(make):
    config = make()
    (record,) = run([config])
    (line,) = record["history"]
    assert (record["status"], record["parameters"]["trained"], record["selection"]["epoch"]) == ("finished", 0, 0)
    assert (line["step"], line["loss"]) == (0, None) and set(line["tests"]) == {"test"}
    assert store.find(config)["score"] == record["score"] == line["dev"]["p_at_1"]


def test_relations_and_methods_share_a_pack_and_each_learns_what_it_would_alone(make):
    placed = {"template": "<p> {subject} <p:2> <mask> .", "prompt__placement": "template"}
    configs = [
        make(),
        make(method="p_tuning", **placed),
        make(method="prompt_tuning", relation="P31", template="{subject} , <mask>", candidates="vocabulary"),
        make(method="p_tuning_v2"),
    ]
    backbone = make_backbone()
    packed = lanes_of(configs, backbone)
    train_all(backbone, packed)
    for alone, together in zip(configs, packed, strict=True):
        (lane,) = lanes_of([alone], backbone)
        train_all(backbone, [lane])
        assert len(lane.history) == len(together.history) > 0
        for one, other in zip(lane.history, together.history, strict=True):
            assert (one.dev, one.tests) == (other.dev, other.tests)
            assert one.loss == other.loss or one.loss == pytest.approx(other.loss, rel=1e-4)


def test_a_relation_without_a_hand_template_needs_one_written(make):
    with pytest.raises(
        InputError, match=r"no hand template of such facts \(task.options.relation=P31.*head.template="
    ):
        Run.parse(make(relation="P31"))
    Run.parse(make(relation="P31", template=ENDING))


def test_a_hand_template_that_its_file_lacks_is_refused(make, files):
    (files / "lama/templates/P36.jsonl").unlink()
    with pytest.raises(InputError, match=r"head.template is not set, and"):
        run([make()])


def test_a_backbone_that_has_no_word_for_any_object_is_refused(make, files):
    put(files / "lama/trex/P36.jsonl", [{"sub_label": f"town {n}", "obj_label": "kato"} for n in range(20)])
    with pytest.raises(InputError, match="all 16 train examples are facts whose object is no candidate"):
        run([make()])


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"relation": "P1"}, r"task.options.relation=P1 is none of LAMA's relations: choose one of P101, .*P937\."),
        ({"template": "{town} is in <mask> ."}, r"has \{town\}, and examples of task.name=lama have subject"),
        ({"candidates": "anything"}, "head.candidates='anything' is refused"),
        ({"train__epochs": 2, "train__steps": None}, r"zero_shot trains nothing: set train.epochs=null"),
        ({"method": "fine_tuning", "train__backbone": False}, "this run trains nothing, since method=fine_tuning has"),
        ({"head": {"name": "cloze", "pattern": "pet"}}, "head.pattern=pet is no template of task.name=lama"),
        ({"head": {"name": "verbalizer"}}, "head=verbalizer cannot answer task.name=lama: choose one of auto, cloze"),
    ],
)
def test_what_its_keys_show_to_be_wrong_is_refused_at_once(make, make_run, keys, said):
    with pytest.raises(InputError, match=said):
        if "head" in keys:
            Run.parse(make_run("zero_shot", "lama", **NOTHING, **keys))
        else:
            Run.parse(make(**keys))


def test_text_behind_a_decoders_answer_is_refused(make, files):
    put(files / "lama/templates/P36.jsonl", [{"pattern": "[Y] has [X] ."}])
    with pytest.raises(InputError, match="a decoder answers at the end"):
        run([make("tiny_gpt2")])
