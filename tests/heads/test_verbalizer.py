"""The verbalizer: its scores are those of transformers' own language models, read at the answer's place."""

from __future__ import annotations

from inspect import signature

import numpy as np
import pytest
import torch
from torch import Tensor

from ptuning.data.encoded import IGNORED
from ptuning.errors import InputError
from ptuning.parsed import Run
from ptuning.prompts.placement import Layout, table
from ptuning.run import run
from ptuning.training.adapter import AdapterBatch
from ptuning.training.forward import forward
from tests.conftest import make_backbone
from tests.training.test_lanes import lanes_of, train_all

CLOZE = "{hypothesis} ? <mask> , {premise}"
NEXT = "{premise} {hypothesis} ? <mask>"
TEXT_TO_TEXT = "hypothesis: {hypothesis} premise: {premise}"
SHORT = {"entailment": "k", "contradiction": "q", "neutral": "z"}  # one token each
LONG = {"entailment": "kato", "contradiction": "no", "neutral": "q"}  # two, one and one
TEMPLATES = {
    "tiny_bert": CLOZE,
    "tiny_roberta": CLOZE,
    "tiny_modernbert": CLOZE,
    "tiny_gpt2": NEXT,
    "tiny_llama": NEXT,
    "tiny_t5": CLOZE,
    "tiny_bart": TEXT_TO_TEXT,
}


def head(template=CLOZE, words=SHORT, loss="labels", z_loss=0.0):
    return {"name": "verbalizer", "template": template, "words": words, "loss": loss, "z_loss": z_loss}


def config(make_run, name, method="fine_tuning", task="cb", **keys):
    keys = {"head": head(TEMPLATES[name]), "backbone__id": name, "backbone__name": name, **keys}
    return make_run(method, task, **keys)


def dev_batch(run_config, backbone):
    (lane,) = lanes_of([run_config], backbone)
    return lane.tasks[0].batch("dev")


def scores(backbone, batch):
    backbone.eval(), batch.adapter.eval()
    with torch.inference_mode(), forward(backbone, [batch]) as (logits,):
        return logits[..., 0]


def own_logits(backbone, encoded, sequence) -> Tensor:
    """`[K, V]`: what transformers' whole model says where the head reads a sequence."""
    model = backbone.lm_head.language_model
    ids = torch.from_numpy(encoded.tokens[encoded.starts[sequence] : encoded.starts[sequence + 1]]).long()[None]
    inputs = {"input_ids": ids}
    if encoded.decoder is not None:
        given = encoded.decoder[sequence]
        inputs["decoder_input_ids"] = torch.from_numpy(given[given != IGNORED])[None]
    elif backbone.architecture == "encoder" and "token_type_ids" in signature(model.forward).parameters:
        types = encoded.types[encoded.starts[sequence] : encoded.starts[sequence + 1]]
        inputs["token_type_ids"] = torch.from_numpy(types).long()[None]
    with torch.inference_mode():
        return model(**inputs).logits[0, encoded.reads[sequence]]


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_word_of_one_token_is_scored_as_the_language_model_itself_does(make_run, name):
    backbone = make_backbone(name)
    batch = dev_batch(config(make_run, name), backbone)
    assert batch.examples.answers is None and batch.examples.choices == 1
    ids = backbone.tokenizer.convert_tokens_to_ids(list(SHORT.values()))
    expected = [own_logits(backbone, batch.examples, i)[0].log_softmax(-1)[ids] for i in range(len(batch.examples))]
    torch.testing.assert_close(scores(backbone, batch), torch.stack(expected), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_word_of_several_tokens_has_the_mean_of_their_log_probabilities(make_run, name):
    backbone = make_backbone(name)
    batch = dev_batch(config(make_run, name, head=head(TEMPLATES[name], LONG)), backbone)
    encoded = batch.examples
    assert encoded.choices == 3 and encoded.answers.shape[1] == 2
    expected = []
    for sequence in range(len(encoded.lengths)):
        said = encoded.answers[sequence] != IGNORED
        logs = own_logits(backbone, encoded, sequence).log_softmax(-1)
        chosen = logs[torch.arange(len(said)), torch.from_numpy(encoded.answers[sequence]).clamp(min=0)]
        expected.append(chosen[torch.from_numpy(said)].mean())
    torch.testing.assert_close(scores(backbone, batch).flatten(), torch.stack(expected), atol=2e-5, rtol=1e-4)
    said = [backbone.tokenizer.convert_ids_to_tokens(row[row != IGNORED].tolist()) for row in encoded.answers[:3]]
    assert said == [["ka", "##to"], ["no"], ["q"]]


def test_several_words_of_a_label_count_alike(make_run):
    backbone = make_backbone()
    several = SHORT | {"neutral": ["z", "x"]}
    batch = dev_batch(config(make_run, "tiny_bert", head=head(CLOZE, several)), backbone)
    ids = backbone.tokenizer.convert_tokens_to_ids(["z", "x"])
    logits = own_logits(backbone, batch.examples, 0)[0]
    expected = logits[ids].mean() - logits.logsumexp(-1)
    torch.testing.assert_close(scores(backbone, batch)[0, 2], expected, atol=1e-5, rtol=1e-4)


def test_losses_are_over_the_labels_or_the_vocabulary(make_run):
    backbone = make_backbone()
    found = {}
    for loss, z_loss in (("labels", 0.0), ("vocabulary", 0.0), ("vocabulary", 0.1)):
        chosen = config(make_run, "tiny_bert", head=head(loss=loss, z_loss=z_loss))
        batch = dev_batch(chosen, backbone)
        with torch.inference_mode(), forward(backbone, [batch]) as (logits,):
            found[loss, z_loss] = batch.adapter.head.loss(logits, batch.targets)
    logs = scores(backbone, batch)
    gold = batch.targets[:, 0]
    torch.testing.assert_close(found["labels", 0.0], torch.nn.functional.cross_entropy(logs, gold, reduction="sum"))
    vocabulary = torch.nn.functional.nll_loss(logs, gold, reduction="sum")
    torch.testing.assert_close(found["vocabulary", 0.0], vocabulary)
    totals = torch.stack([own_logits(backbone, batch.examples, i)[0].logsumexp(-1) for i in range(len(gold))])
    torch.testing.assert_close(found["vocabulary", 0.1], vocabulary + 0.1 * totals.square().sum())


@pytest.mark.parametrize("name", ["tiny_bert", "tiny_gpt2", "tiny_t5"])
@pytest.mark.parametrize("words", [SHORT, LONG])
def test_places_that_open_a_template_are_a_prefix(make_run, name, words):
    """In a padded batch, with the same prompt."""
    backbone, template = make_backbone(name), TEMPLATES[name]
    found = []
    for placement, text in (("prefix", template), ("template", f"<p:3> {template}")):
        chosen = config(make_run, name, "prompt_tuning", head=head(text, words), prompt__placement=placement)
        found.append(scores(backbone, dev_batch(chosen, backbone)))
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("padding", ["left", "right"])
@pytest.mark.parametrize(
    ("name", "template"),
    [
        ("tiny_bert", "<p> {premise} <p:2> ? <mask> <p> {hypothesis}"),
        ("tiny_bert", "<mask> {premise} | <p> {hypothesis} <p>"),
        ("tiny_roberta", "{premise} <p> <mask>"),
        ("tiny_gpt2", "{premise} <p> {hypothesis} <p> so <mask>"),
    ],
)
def test_what_is_read_is_the_answers_place_and_never_a_virtual_token(make_run, name, template, padding):
    backbone = make_backbone(name)
    rows = template.count("<p>") + 2 * template.count("<p:2>")
    chosen = config(
        make_run, name, "prompt_tuning", head=head(template), prompt__placement="template", prompt__length=rows
    )
    encoded = dev_batch(chosen, backbone).examples
    layout, sequences = Layout(rows, rows, "template", "shift"), np.arange(len(encoded))
    width = int(encoded.lengths.max()) + rows + 3
    ids, _, positions, mask, slots, reads = table(encoded, sequences, layout, width, 0, 0, padding)
    read = ids[sequences, reads[:, 0]]
    assert (slots[sequences, reads[:, 0]] == -1).all()
    if name == "tiny_gpt2":
        last = [np.flatnonzero(row)[-1] for row in mask]
        assert reads[:, 0].tolist() == last
        assert backbone.tokenizer.convert_ids_to_tokens(read.tolist()) == ["so"] * len(encoded)
    else:
        assert (read == backbone.tokenizer.mask_token_id).all()
    assert ((slots >= 0).sum(axis=1) == rows).all()
    for row in sequences:  # each token and virtual token has a position of its own, in order
        assert (np.diff(positions[row][mask[row] > 0]) == 1).all()


def test_choices_are_the_words_of_their_example(make_run):
    backbone = make_backbone()
    words = {"choice1": "{choice1:bare,lower}", "choice2": "{choice2:bare,lower}"}
    template = "{choice1:bare,lower} or {choice2:bare,lower} ? {premise:bare} {joiner} <mask> ."
    chosen = config(make_run, "tiny_bert", task="copa", head=head(template, words))
    batch = dev_batch(chosen, backbone)
    encoded, example = batch.examples, lanes_of([chosen], backbone)[0].tasks[0].dataset.data.dev[0]
    for number, choice in enumerate(("choice1", "choice2")):
        said = encoded.answers[number]
        text = " ".join(backbone.tokenizer.convert_ids_to_tokens(said[said != IGNORED].tolist()))
        assert text.replace(" ##", "") == example.fields[choice].rstrip(".").lower()
    assert scores(backbone, batch).shape == (len(encoded), 2)


def test_lanes_with_other_heads_and_deep_prompts_share_its_passes(make_run):
    """Verbalizer and [CLS] heads, input and deep prompts, several tasks: each learns what it would alone."""
    configs = [
        config(make_run, "tiny_bert", "p_tuning_v2", head=head(words=LONG)),
        make_run("p_tuning_v2", "rte", seed=3, prompt__layers="3-4"),
        config(make_run, "tiny_bert", "prompt_tuning", head=head(f"<p> {CLOZE} <p:2>"), prompt__placement="template"),
        make_run("prompt_tuning", "wnut17", seed=4),
    ]
    backbone = make_backbone()
    packed = lanes_of(configs, backbone)
    train_all(backbone, packed)
    for alone, together in zip(configs, packed, strict=True):
        lanes = lanes_of([alone], backbone)
        train_all(backbone, lanes)
        for one, other in zip(lanes[0].history, together.history, strict=True):
            assert one.loss == pytest.approx(other.loss, rel=1e-4)


def test_encoder_and_decoder_are_read_in_one_pass(make_run):
    keys = {"prompt__positions": "keep", "backbone__id": "tiny_t5", "backbone__name": "tiny_t5"}
    configs = [
        config(make_run, "tiny_t5", "p_tuning_v2", prompt__positions="keep"),
        make_run("p_tuning_v2", "cb", **keys),
        config(make_run, "tiny_t5", "prompt_tuning", head=head(TEXT_TO_TEXT, {})),
    ]
    backbone = make_backbone("tiny_t5")
    parts = [dev_batch(one, backbone) for one in configs]
    with torch.inference_mode(), forward(backbone, parts) as together:
        pass
    for part, found in zip(parts, together, strict=True):
        with torch.inference_mode(), forward(backbone, [part]) as (alone,):
            torch.testing.assert_close(found, alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "keys", "said"),
    [
        ("tiny_bert", head("{premise}"), "has no <mask>"),
        ("tiny_gpt2", head("{premise} <mask> {hypothesis}"), "a decoder answers at the end"),
        ("tiny_gpt2", head("{premise} <p> <mask>"), "virtual token right before <mask>"),
        ("tiny_gpt2", head("<p> <mask>"), "virtual token right before <mask>|no text before <mask>"),
        ("tiny_bert", head(words=SHORT | {"neutral": "q"}), "says two labels alike"),
        ("tiny_bert", head(words=SHORT | {"neutral": ["z", "kato"]}), "several words for a label"),
        ("tiny_bert", head(words=SHORT | {"neutral": "é☃"}), "vocabulary cannot say"),
        (
            "tiny_bert",
            head("{premise} one two three four five six seven eight <mask>"),
            "leaves no room for the fields",
        ),
    ],
)
def test_what_the_backbone_cannot_answer_is_refused_before_training(make_run, name, keys, said):
    with pytest.raises(InputError, match=said):
        run([config(make_run, name, head=keys, task__max_length=12)])


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            head("{premise} {nothing} <mask>"),
            r"has \{nothing\}, and examples of task.name=cb have first, second, premise",
        ),
        (head(words=SHORT | {"neutral": "{choice1}"}), r"head.words='\{choice1\}' has"),
        (head(words=SHORT | {"other": "x"}), "head.words.other is no label of task.name=cb"),
        (head(words={"neutral": "<mask>"}), "has a special place in it"),
        (head(None), "head.template is not set, and task.name=cb has no template"),
        ({"name": "verbalizer", "pattern": "x", "template": "<mask>"}, "head.words is not set"),
    ],
)
def test_what_its_keys_show_to_be_wrong_is_refused_at_once(make_run, keys, said):
    with pytest.raises(InputError, match=said):
        Run.parse(config(make_run, "tiny_bert", head=keys))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            {"prompt__placement": "template", "head": head(f"<p> {CLOZE}")},
            r"prompt.length=3, and head.template has .* 1",
        ),
        ({"prompt__placement": "template", "head": head()}, "this run's head has none with <p>"),
        ({"prompt__placement": "template", "head": {"name": "auto"}}, "this run's head has none with <p>"),
    ],
)
def test_a_prompt_at_a_templates_places_needs_as_many(make_run, keys, said):
    with pytest.raises(InputError, match=said):
        Run.parse(config(make_run, "tiny_bert", "prompt_tuning", **keys))


def test_batches_hold_what_is_scored(make_run):
    """Of some rows of a batch, in any order."""
    backbone = make_backbone()
    whole = dev_batch(config(make_run, "tiny_bert", head=head(words=LONG)), backbone)
    order = np.array([5, 0, 3])
    some = AdapterBatch(whole.adapter, whole.examples, order)
    torch.testing.assert_close(scores(backbone, some), scores(backbone, whole)[order], atol=1e-5, rtol=1e-4)
