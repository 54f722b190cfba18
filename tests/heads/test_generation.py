"""Generated texts are those that transformers generates, whatever is beside them; their loss is transformers' own."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from ptuning import tasks
from ptuning.errors import InputError
from ptuning.heads import generation
from ptuning.parsed import Run
from ptuning.records import generations, weights
from ptuning.run import prepare_backbone, run
from ptuning.training.adapter import AdapterBatch
from ptuning.training.budget import Budget
from ptuning.training.evaluate import evaluate
from ptuning.training.forward import PassInputs, forward
from ptuning.training.predictions import predict
from tests.backbones.test_generation import DECODERS, SEQ2SEQ
from tests.training.test_lanes import lanes_of, train_all

COPY = """
from ptuning.tasks.base import Task
from ptuning.tasks.kinds.examples import Request

WORDS = ["red", "blue", "dog", "cat", "runs", "sleeps", "house", "tree"]


class Copy(Task):
    name, version, head, metric = "copy", 1, "generation", "same"
    folder, template_fields = "copy", ("source",)
    files = {"train": "train.jsonl", "dev": "dev.jsonl"}

    def examples(self, row, where):
        return [Request(row["source"], (row["target"],), where=where)]

    def from_hub(self, rows):
        raise NotImplementedError

    def score(self, examples, answers):
        return {"same": 100 * sum(a in e.references for e, a in zip(examples, answers)) / len(examples)}

    def format_prediction(self, example, answer):
        return {"text": answer}

    def miniature(self, rng):
        while True:
            words = rng.sample(WORDS, rng.randint(2, 6))
            yield [{"source": " ".join(words), "target": " ".join(words[::-1])}]
"""
FAMILIES = [*DECODERS, *SEQ2SEQ]


@pytest.fixture
def make_copy(tmp_path, monkeypatch, make_run):
    """A run on a task that is answered with texts of several lengths."""
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/copy.py").write_text(COPY)
    monkeypatch.setattr(tasks, "__path__", [*tasks.__path__, str(tmp_path / "tasks")])

    def make(name, method="prefix_tuning", head=None, **keys):
        backbone = {"name": name, "source": "random", "id": name, "pooler": "none"}
        positions = {} if method == "fine_tuning" or name not in SEQ2SEQ else {"prompt__positions": "keep"}
        if method == "prompt_tuning":
            positions = {"prompt__positions": "shift"}
        head = {"name": "generation", "max_target_length": 12} | (head or {})
        return make_run(method, "copy", backbone=backbone, head=head, **{**positions, **keys})

    return make


def end_of(tokenizer):
    """Which separates, too."""
    return tokenizer.sep_token_id if tokenizer.eos_token_id is None else tokenizer.eos_token_id


def lanes(*configs):
    backbone = prepare_backbone(Run.parse(configs[0]))
    return backbone, lanes_of(configs, backbone)


def scattered(backbone, own):
    """Prompts that are far from nothing, so that all attention changes; and an output that is not the embeddings
    again, by which random weights say one token without end."""
    random = torch.Generator().manual_seed(3)
    output = backbone.lm_head.language_model.get_output_embeddings()
    output.weight = torch.nn.Parameter(torch.randn(output.weight.shape, generator=random), requires_grad=False)
    with torch.no_grad():
        for lane in own:
            for parameter in lane.adapter.method.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=random))


def said(backbone, *own):
    found = predict(backbone, [lane.tasks[0].batch("dev") for lane in own], Budget(4096))
    assert not any(isinstance(one, Exception) for one in found), found
    return [[one.tolist() for one in each] for each in found]


@pytest.mark.parametrize("how", ["sum", "mean"])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_loss_is_that_of_transformers_on_the_target_alone(make_copy, name, how):
    backbone, (lane,) = lanes(make_copy(name, "fine_tuning", {"loss": how}))
    model, tokenizer = backbone.lm_head.language_model, backbone.tokenizer
    rows = np.arange(3)
    batch = AdapterBatch(lane.adapter, lane.tasks[0].dataset.train, rows)
    with torch.no_grad(), forward(backbone, [batch]) as (logits,):
        ours = lane.adapter.head.loss(logits, batch.targets) / lane.adapter.head.weight(batch.targets)
    losses, tokens = [], 0
    for example in lane.tasks[0].dataset.data.train[:3]:
        space = "" if name in SEQ2SEQ else " "
        target = tokenizer(space + example.references[0], add_special_tokens=False)["input_ids"]
        target.append(end_of(tokenizer))
        source = tokenizer(example.source)["input_ids"]
        if name in SEQ2SEQ:
            opens = tokenizer("")["input_ids"][:1] if name == "tiny_bart" else []
            given = [model.config.decoder_start_token_id, *opens, *target[:-1]]
            output = model(input_ids=torch.tensor([source]), decoder_input_ids=torch.tensor([given]))
            predicted = output.logits[0, len(opens) :]
        else:
            source.append(end_of(tokenizer))
            predicted = model(input_ids=torch.tensor([source + target])).logits[0, len(source) - 1 : -1]
        losses.append(torch.nn.functional.cross_entropy(predicted, torch.tensor(target), reduction="sum"))
        tokens += len(target)
    expected = sum(losses) / (3 if how == "sum" else tokens)
    torch.testing.assert_close(ours, expected.detach(), atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("name", FAMILIES)
def test_without_a_prompt_texts_are_those_of_transformers(make_copy, name, beams):
    backbone, (lane,) = lanes(make_copy(name, "fine_tuning", {"num_beams": beams}))
    model, tokenizer = backbone.lm_head.language_model, backbone.tokenizer
    (found,) = said(backbone, lane)
    for example, tokens in zip(lane.tasks[0].dataset.data.dev, found, strict=True):
        source = tokenizer(example.source)["input_ids"] + ([] if name in SEQ2SEQ else [end_of(tokenizer)])
        options = {"max_new_tokens": 12, "num_beams": beams, "do_sample": False, "pad_token_id": 0}
        if name == "tiny_bart":
            options["decoder_input_ids"] = torch.tensor([[2, tokenizer("")["input_ids"][0]]])
        given = torch.tensor([source])
        expected = model.generate(
            input_ids=given, attention_mask=torch.ones_like(given), eos_token_id=end_of(tokenizer), **options
        )[0].tolist()
        opened = {"tiny_t5": 1, "tiny_bart": 2}.get(name, len(source))
        ends = [at for at, token in enumerate(expected[opened:]) if token == end_of(tokenizer)]
        assert tokens == expected[opened:][: ends[0] if ends else None]


@pytest.mark.parametrize("name", FAMILIES)
def test_texts_do_not_depend_on_what_is_beside_them(make_copy, name):
    """Lanes of several methods and lengths, decoded together, alone, an example at a time, and in sevens."""
    configs = [
        make_copy(name, seed=1),
        make_copy(name, "p_tuning_v2", seed=2, prompt__length=5, prompt__layers="2-3"),
        make_copy(name, "prompt_tuning", seed=3),
        make_copy(name, seed=4, prompt__placement="infix", head={"num_beams": 2}),
    ]
    backbone, own = lanes(*configs)
    scattered(backbone, own)
    together = said(backbone, *own)
    assert len({json.dumps(one) for one in together}) >= 3
    assert together == [said(backbone, lane)[0] for lane in own]
    for lane, expected in zip(own, together, strict=True):
        batch = lane.tasks[0].batch("dev")
        for size in (1, 7):
            parts = [
                AdapterBatch(lane.adapter, batch.examples, batch.rows[at : at + size])
                for at in range(0, len(batch.rows), size)
            ]
            found = [tokens.tolist() for part in parts for tokens in predict(backbone, [part], Budget(4096))[0]]
            assert found == expected


@pytest.mark.parametrize("placement", ["prefix", "infix"])
@pytest.mark.parametrize("name", FAMILIES)
def test_greedy_tokens_are_the_likeliest_of_a_training_pass(make_copy, monkeypatch, name, placement):
    """With the prompt in place at each step, at the positions of training."""
    backbone, (lane,) = lanes(make_copy(name, prompt__placement=placement))
    scattered(backbone, [lane])
    (found,) = said(backbone, lane)
    context, likeliest = lane.adapter.context, []
    logits = backbone.logits
    monkeypatch.setattr(backbone, "logits", lambda hidden: likeliest.append(logits(hidden)) or likeliest[-1])
    for example, tokens in zip(lane.tasks[0].dataset.data.dev, found, strict=True):
        full = len(tokens) == 12
        answer = tokens if full else [*tokens, generation._end(context)]
        encoded = generation._encoded(generation._place(context), [example], [answer], {})
        with torch.no_grad(), forward(backbone, [AdapterBatch(lane.adapter, encoded, np.arange(1))]):
            pass
        assert likeliest.pop()[0].argmax(dim=-1).tolist() == answer


@pytest.mark.parametrize("name", DECODERS)
def test_what_is_read_does_not_see_an_infix_and_what_is_said_does(make_copy, name):
    backbone, (lane,) = lanes(make_copy(name, prompt__placement="infix"))
    scattered(backbone, [lane])
    train = lane.tasks[0].dataset.train
    given = PassInputs.of(backbone, [AdapterBatch(lane.adapter, train, np.arange(4))])
    embeds = backbone.embed_tokens(given.batch)
    states = []
    for prompts in ({}, given.prompts):
        with torch.no_grad(), backbone.attending(prompts, None, given.first_query):
            states.append(backbone(embeds, given.batch.token_type_ids, given.batch))
    changed = (states[0] - states[1]).abs().amax(dim=-1) > 1e-4
    for row, (infix, first_read) in enumerate(zip(train.infix[:4], train.reads[:4, 0], strict=True)):
        assert infix == first_read  # the separator sees it, and says the first token
        assert not changed[row, :infix].any()
        assert changed[row, infix : train.lengths[row]].all()


@pytest.mark.parametrize("name", ["tiny_gpt2", "tiny_t5"])
def test_a_run_keeps_its_texts_and_says_what_was_cut(make_copy, name):
    config = make_copy(name, head={"max_target_length": 5}, data__train_rows=40)
    (record,) = run([config])
    lines = generations.read(config)
    assert [line["split"] for line in lines] == ["dev"] * 8
    assert all(line.keys() == {"split", "source", "references", "text"} for line in lines)
    assert record["data"]["cut"]["train"]["target"] > 0
    assert record["history"][-1]["dev"].keys() == {"same"}


def test_it_learns(make_copy):
    """Fine-tuned, it says some words of its source, turned around."""
    config = make_copy("tiny_t5", "fine_tuning", data__train_rows=60, train__epochs=12, train__lr=3e-3)
    backbone, (lane,) = lanes(config)
    train_all(backbone, [lane])
    losses = [line.loss for line in lane.history]
    assert losses[-1] < 0.5 * losses[0]


REFUSED = [
    ("tiny_bert", {}, {}, "tiny_bert is an encoder, which generates nothing; choose a decoder"),
    ("tiny_gpt2", {"num_beams": 0}, {}, "head.num_beams=0 is refused"),
    ("tiny_gpt2", {"max_target_length": 90}, {}, "leaves no room for what is read in task.max_length=96"),
    ("tiny_bart", {"max_target_length": 200}, {}, "more than this backbone's decoder has positions: set it to 159"),
    ("tiny_gpt2", {"template": "{text}"}, {}, "examples of task.name=copy have source"),
    ("tiny_gpt2", {"separator": "<mask>"}, {}, "head.separator='<mask>' has <mask>: leave it out"),
    ("tiny_gpt2", {}, {"prompt__stacks": ["cross"]}, "prompt.stacks has cross, and the stacks of this backbone are"),
]


@pytest.mark.parametrize(("name", "head", "keys", "why"), REFUSED, ids=[why for *_, why in REFUSED])
def test_what_cannot_be_said_is_refused_before_training(make_copy, name, head, keys, why):
    with pytest.raises(InputError, match=why):
        lanes(make_copy(name, head=head, **keys))


@pytest.mark.parametrize("stack", ["encoder", "decoder", "cross"])
@pytest.mark.parametrize("name", SEQ2SEQ)
def test_each_stack_changes_what_is_said_and_gets_gradient(make_copy, name, stack):
    backbone, (plain, lane) = lanes(make_copy(name, "fine_tuning"), make_copy(name, prompt__stacks=[stack]))
    assert {site.stack for site in lane.adapter.method.sites} == {stack}
    scattered(backbone, [lane])
    losses = []
    for one in (plain, lane):
        batch = AdapterBatch(one.adapter, one.tasks[0].dataset.train, np.arange(4))
        with forward(backbone, [batch]) as (logits,):
            losses.append(one.adapter.head.loss(logits, batch.targets))
            if one is lane:
                losses[-1].backward()
    assert abs(losses[0] - losses[1]) > 1e-2
    gradients = {name: parameter.grad for name, parameter in lane.adapter.method.named_parameters()}
    assert all(gradient is not None and gradient.abs().max() > 0 for gradient in gradients.values()), gradients


@pytest.mark.parametrize("name", SEQ2SEQ)
def test_each_stack_has_an_mlp_of_its_own_which_is_folded_away(make_copy, tmp_path, name):
    backbone, (lane,) = lanes(make_copy(name))
    method = lane.adapter.method
    assert len(method.reparameterization.parts) == 3
    train_all(backbone, [lane])
    expected = said(backbone, lane)
    state = weights.trained_state(lane.tasks, backbone)
    assert list(state) == ["prompt.prompt"]
    assert state["prompt.prompt"].shape == (3, 2 * 32 * (4 + 3 + 3))
    file = weights.write(tmp_path / "run.safetensors", lane.config, state, backbone.content)
    loaded = weights.load(file, lane.config, backbone)
    batch = lane.tasks[0].batch("dev")
    (found,) = predict(backbone, [AdapterBatch(loaded, batch.examples, batch.rows)], Budget(4096))
    assert [one.tolist() for one in found] == expected[0]


@pytest.mark.parametrize("name", SEQ2SEQ)
def test_activations_of_a_text_are_there_for_each_stack(make_copy, name):
    """The prompt begins as what attention has of the text: of the encoder's, and of the decoder's given it again."""
    text = {"name": "activations", "text": "a red dog sleeps in the house ."}
    keys = {"prompt__init": text, "prompt__reparameterization": {"name": "none"}}
    backbone, (lane,) = lanes(make_copy(name, **keys))
    values = lane.adapter.method.deep_prompt().values.detach()
    ids = backbone.tokenizer(text["text"])["input_ids"][:3]
    model = backbone.model
    start = model.config.decoder_start_token_id
    cache = model(
        input_ids=torch.tensor([ids]), decoder_input_ids=torch.tensor([[start, *ids[:-1]]]), use_cache=True
    ).past_key_values
    for site, own in zip(lane.adapter.method.sites, values, strict=True):
        if site.stack == "encoder":
            continue
        layers = cache.self_attention_cache.layers if site.stack == "decoder" else cache.cross_attention_cache.layers
        layer = layers[site.layer - 1]
        torch.testing.assert_close(own, torch.stack([layer.keys[0], layer.values[0]]), atol=1e-5, rtol=1e-4)


def test_a_prompt_in_a_stack_that_does_not_run_is_refused(make_run):
    backbone = {"name": "tiny_t5", "source": "random", "id": "tiny_t5", "pooler": "none"}
    config = make_run("prefix_tuning", "wnut17", backbone=backbone, prompt__positions="keep")
    why = r"has cross, decoder, and the head of wnut17 reads the encoder alone.* prompt.stacks=\[encoder\]"
    with pytest.raises(InputError, match=why):
        lanes(config)


@pytest.mark.parametrize("name", ["tiny_gpt2", "tiny_t5"])
def test_what_is_said_from_no_numbers_is_no_answer(make_copy, name):
    """Of a lane whose prompt diverged; those beside it answer."""
    backbone, (lane, other) = lanes(make_copy(name), make_copy(name, seed=2))
    with torch.no_grad():
        for parameter in lane.adapter.method.parameters():
            parameter.fill_(torch.nan)
    found = evaluate(backbone, [lane, other], Budget(4096))
    assert found[0] is None and found[1] is not None


def test_the_longest_target_that_is_allowed_fits(make_copy):
    config = make_copy("tiny_bart", head={"max_target_length": 159})
    backbone, (lane,) = lanes(config)
    context = lane.adapter.context
    long = dataclasses.replace(lane.tasks[0].dataset.data.train[0], references=("red dog " * 200,))
    encoded = generation.Generation.encode(context, [long])
    with forward(backbone, [AdapterBatch(lane.adapter, encoded, np.arange(1))]) as (logits,):
        assert logits.isfinite().all() and encoded.cut["target"] == 1
