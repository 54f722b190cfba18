"""What objectives make of windows of text: nothing of the text is lost, and the shares are those of the papers."""

import pytest
import torch
from transformers import AutoModelForMaskedLM

from ptuning.backbones import objectives, tiny
from ptuning.backbones.objectives.base import IGNORED, Vocabulary
from ptuning.errors import InputError

SENTINELS = list(range(900, 1000))
WORDS = 900
VOCABULARY = Vocabulary(size=1000, before=[1], after=[2, 3], padding=0, mask=4, sentinels=SENTINELS)


def drawn(name, length=103, count=200):
    """The objective, and windows with the examples that it makes of them."""
    objective = objectives.load(name)(VOCABULARY, length)
    draws = torch.Generator().manual_seed(5)
    windows = [torch.randint(10, WORDS, (objective.window,), generator=draws) for _ in range(count)]
    return objective, [(window.tolist(), objective.example(window, draws)) for window in windows]


def unframed(tokens):
    assert tokens[:1] == [1] and tokens[-2:] == [2, 3]
    return tokens[1:-2]


def test_masked_lm_asks_for_15_percent_and_masks_80_of_100_of_these():
    _, found = drawn("masked_lm")
    masked = replaced = asked = 0
    for window, example in found:
        assert len(example.inputs) == len(example.labels) == 103
        assert example.labels[:1] == [IGNORED] and example.labels[-2:] == [IGNORED] * 2
        shown, labels = unframed(example.inputs), example.labels[1:-2]
        places = [place for place, label in enumerate(labels) if label != IGNORED]
        assert len(places) == 15
        assert [labels[place] for place in places] == [window[place] for place in places]
        assert all(shown[place] == window[place] for place in set(range(100)) - set(places))
        asked += len(places)
        masked += sum(shown[place] == 4 for place in places)
        replaced += sum(shown[place] not in (4, window[place]) for place in places)
    assert asked == 3000
    assert masked / asked == pytest.approx(0.8, abs=0.03) and replaced / asked == pytest.approx(0.1, abs=0.03)


def test_prefix_lm_parts_a_window_anywhere_and_keeps_all_of_it():
    _, found = drawn("prefix_lm", length=13)
    parted = [(unframed(example.inputs), unframed(example.labels)) for _, example in found]
    assert [first + rest for first, rest in parted] == [window for window, _ in found]
    assert {len(first) for first, _ in parted} == set(range(1, 10))


def test_span_corruption_loses_nothing_and_takes_out_15_percent():
    """Putting what the decoder says after each sentinel into its place gives the window back."""
    objective, found = drawn("span_corruption")
    assert (objective.removed, objective.spans) == (15, 5)
    seen = set()
    for window, example in found:
        shown, said = unframed(example.inputs), unframed(example.labels)
        spans, restored = {}, []
        for token in said:
            if token in SENTINELS:
                spans[token] = []
            else:
                spans[list(spans)[-1]].append(token)
        for token in shown:
            restored += spans[token] if token in SENTINELS else [token]
        assert restored == window
        assert list(spans) == [token for token in shown if token in SENTINELS] == SENTINELS[:5]
        assert all(spans.values()) and sum(map(len, spans.values())) == 15
        seen |= {len(span) for span in spans.values()}
        between = [shown[place : place + 2] for place in range(len(shown) - 1)]
        assert not [pair for pair in between if set(pair) <= set(SENTINELS)], "spans that touch are one"
    assert len(seen) > 4


def test_causal_lm_says_every_token_of_the_text_and_no_special_one():
    _, found = drawn("causal_lm", count=2)
    for window, example in found:
        assert unframed(example.inputs) == window
        assert example.labels == [IGNORED, *window, IGNORED, IGNORED]


def test_batches_are_padded_where_nothing_is_said():
    objective, _ = drawn("prefix_lm", length=23, count=0)
    batch = objective.batch([torch.arange(10, 30)] * 4, torch.Generator().manual_seed(1))
    assert batch["input_ids"].shape == batch["attention_mask"].shape
    assert torch.equal(batch["input_ids"] == 0, batch["attention_mask"] == 0)
    assert (batch["attention_mask"].sum(1) + (batch["labels"] != IGNORED).sum(1)).tolist() == [26] * 4


@pytest.mark.parametrize(
    "name", ["tiny_bert", "tiny_roberta", "tiny_deberta_v2", "tiny_distilbert", "tiny_modernbert"]
)
def test_masked_lm_s_loss_is_that_of_the_model_over_all_tokens(name):
    model, tokenizer = tiny.build(name, 0.0, "sdpa", AutoModelForMaskedLM)
    objective = objectives.load("masked_lm")(Vocabulary.of(tokenizer), 34)
    batch = objective.batch([torch.arange(20, 52)] * 3, torch.Generator().manual_seed(1))
    torch.testing.assert_close(objective.loss(model.eval(), batch), model(**batch).loss)
    assert model(**batch).logits.shape[:2] == (3, 34)  # as before


@pytest.mark.parametrize(
    ("template", "before", "after"), [("bert", [1], [2]), ("t5", [], [2]), ("gpt2", [], []), ("llama", [1], [])]
)
def test_a_tokenizer_s_frame_is_found_by_asking_it(template, before, after):
    tokenizer = tiny.tokenizer(template, pad_id=0)
    found = Vocabulary.of(tokenizer)
    assert (found.before, found.after, found.mask) == (before, after, tokenizer.mask_token_id)
    assert found.framed(tokenizer("ab cd", add_special_tokens=False)["input_ids"]) == tokenizer("ab cd")["input_ids"]
    assert len(found.sentinels) == (template == "t5")


@pytest.mark.parametrize(
    ("name", "template", "sentence"),
    [
        ("masked_lm", "gpt2", r"^backbone.adaptation.objective=masked_lm needs a tokenizer with a mask"),
        ("span_corruption", "t5", r"^backbone.adaptation.length=64 takes out 3 spans, and the tokenizer has 1 sent"),
    ],
)
def test_a_tokenizer_without_what_it_needs_is_refused(name, template, sentence):
    vocabulary = Vocabulary.of(tiny.tokenizer(template, pad_id=0))
    with pytest.raises(InputError, match=sentence):
        objectives.load(name)(vocabulary, 64)
