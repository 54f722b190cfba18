"""Token labels and answer spans stand where the text has them: in windows, and under every prompt and placement."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from ptuning import heads, tasks
from ptuning.data.encoded import IGNORED
from ptuning.errors import InputError
from ptuning.heads.base import HeadContext
from ptuning.seeds import Streams
from ptuning.tasks.kinds.examples import Question, Sentence
from ptuning.training.adapter import AdapterBatch
from ptuning.training.forward import forward
from tests.conftest import OPTIONS, make_backbone
from tests.training.test_lanes import lanes_of

TEXT = "Every child of Jackson 's knew that Wellington , far from Kent , was no town for singers"
WORDS = TEXT.split() * 2


def byte_level():
    """A tokenizer of RoBERTa's kind, whose tokens are bytes and hold the space before a word."""
    fast = Tokenizer(models.BPE())
    fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=280, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet)
    fast.train_from_iterator([TEXT], trainer)
    fast.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0), trim_offsets=True)
    return PreTrainedTokenizerFast(tokenizer_object=fast, pad_token="</s>", model_input_names=["input_ids"])


@pytest.fixture(params=["tiny_bert", "tiny_roberta", "tiny_deberta_v2", "byte_level"])
def tokenizer(request):
    return byte_level() if request.param == "byte_level" else make_backbone(request.param).tokenizer


def context(task, tokenizer, max_length=200):
    """What encoding and collecting need of a run."""
    config = SimpleNamespace(single=SimpleNamespace(max_length=max_length))
    return HeadContext(config, task, tokenizer, None, Streams(1))


def encode(task, examples, tokenizer, max_length):
    return heads.load(task.head).encode(context(task, tokenizer, max_length), examples)


def collect(task, examples, encoded, predictions):
    return heads.load(task.head).collect(context(task, None), examples, encoded, predictions)


def sentence(words, about=None, labels=None):
    return Sentence(tuple(words), tuple(range(len(words))) if labels is None else labels, about)


def firsts(encoded, tokenizer):
    """The tokens that have a target, as (example, target, token)."""
    owners = np.repeat(encoded.owners, encoded.lengths)
    at = np.flatnonzero(encoded.targets != IGNORED)
    tokens = tokenizer.convert_ids_to_tokens(encoded.tokens[at].tolist())
    return list(zip(owners[at].tolist(), encoded.targets[at].tolist(), tokens, strict=True))


@pytest.mark.parametrize("about", [None, "knew"])
@pytest.mark.parametrize("max_length", [200, 48])
def test_each_word_is_learned_at_its_first_token_once_whatever_the_windows(tokenizer, max_length, about):
    examples = [sentence(WORDS, about), sentence(["a", "Wellington"], about), sentence(WORDS[::-1], about)]
    encoded = encode(tasks.load("wnut17"), examples, tokenizer, max_length)
    assert encoded.lengths.max() <= max_length
    assert (len(encoded) > 3) == (max_length == 48)
    found = firsts(encoded, tokenizer)
    assert sorted((owner, target) for owner, target, _ in found) == [
        (owner, word) for owner, one in enumerate(examples) for word in range(len(one.words))
    ]
    for owner, word, token in found:
        text = examples[owner].words[word].lower()
        assert text.startswith(token.lower().replace("##", "").lstrip("Ġġ")) and not token.startswith("##")


def test_a_word_is_answered_in_the_window_where_it_has_most_context(tokenizer):
    encoded = encode(tasks.load("wnut17"), [sentence(WORDS)], tokenizer, 48)
    for item in range(len(encoded)):
        inside = slice(encoded.starts[item], encoded.starts[item + 1])
        at = np.flatnonzero(encoded.places[inside] >= 0)
        if item:  # what stands near its left edge has more context in the window before
            assert at.min() > 8
    labels = [np.full(length, item, dtype=float) for item, length in enumerate(encoded.lengths)]
    (merged,) = collect(tasks.load("wnut17"), [sentence(WORDS)], encoded, labels)
    assert merged.tolist() == sorted(merged.tolist()) and set(merged.tolist()) == set(range(len(encoded)))


def test_what_the_tokenizer_drops_is_answered_with_o(tokenizer):
    words = ["", " ", "\u200d", "Kent", "\x00"]
    encoded = encode(tasks.load("wnut17"), [sentence(words)], tokenizer, 64)
    assert (0, 3) in [(owner, target) for owner, target, _ in firsts(encoded, tokenizer)]
    (answer,) = collect(tasks.load("wnut17"), [sentence(words)], encoded, [np.full(encoded.lengths[0], 4.0)])
    assert len(answer) == 5 and answer[3] == 4 and answer[0] == 0


def test_a_window_without_room_is_refused(tokenizer):
    task = tasks.load("squad", stride=8)
    asked = Question("who knew that Wellington was no town", " ".join(WORDS), (), "train.json: question q7")
    said = r"^train\.json: question q7: 'who knew that .* has (\d+) tokens, and task\.max_length=20 has room for \d "
    with pytest.raises(InputError, match=said + r".*: shorten it or remove the row, or make task"):
        encode(task, [asked], tokenizer, 20)
    with pytest.raises(InputError, match=r"^task\.max_length=32 leaves no window that overlaps the next by "):
        encode(tasks.load("wnut17"), [sentence(WORDS)], tokenizer, 32)


def test_the_advice_for_a_question_without_room_works(tokenizer, monkeypatch):
    task, context = tasks.load("squad", stride=8), " ".join(WORDS)
    asked = Question("who knew that Wellington was no town", context, (), "train.json: question q7")
    with pytest.raises(InputError) as caught:
        encode(task, [asked], tokenizer, 20)
    length, room, needed = (
        int(found) for found in re.findall(r"has (\d+) .* for (\d+) .* (\d+) or", str(caught.value))[0]
    )
    assert length > room and len(encode(task, [asked], tokenizer, needed))
    with pytest.raises(InputError):
        encode(task, [asked], tokenizer, needed - 1)
    monkeypatch.setattr(tokenizer, "model_max_length", needed - 1)
    with pytest.raises(InputError, match=r"shorten it or remove the row\.$"):
        encode(task, [asked], tokenizer, 20)


# --- extractive questions

CONTEXT = f"{TEXT} , and Kent was."


def question(text, nth=0):
    begin = -1
    for _ in range(nth + 1):
        begin = CONTEXT.index(text, begin + 1)
    return Question("  Who knew?", CONTEXT, ((text, begin),))


def perfect(encoded):
    """Logits that say exactly what the targets are."""
    for item, (first, last) in enumerate(encoded.targets.reshape(-1, 2)):
        logits = np.zeros((encoded.lengths[item], 2), dtype=np.float32)
        logits[first, 0] = logits[last, 1] = 9
        yield logits


@pytest.mark.parametrize("max_length", [200, 44])
@pytest.mark.parametrize(
    ("text", "nth"), [("Jackson 's", 0), ("Kent", 1), ("Every", 0), ("was.", 0), ("far from Kent", 0)]
)
def test_an_answer_comes_back_from_its_target(tokenizer, text, nth, max_length):
    task, asked = tasks.load("squad", stride=16), question(text, nth)
    encoded = encode(task, [asked], tokenizer, max_length)
    assert (len(encoded) > 1) == (max_length == 44)
    targets = encoded.targets.reshape(-1, 2)
    assert targets.any(), "some window holds the answer"
    (found,) = collect(task, [asked], encoded, list(perfect(encoded)))
    assert found.spans[0][0] == asked.answers[0][1]
    assert task.answer(asked, found) == text
    assert task.score([asked], [found]) == {"em": 100.0, "f1": 100.0}


def test_windows_without_the_whole_answer_point_at_cls_and_all_do_without_an_answer(tokenizer):
    task = tasks.load("squad_v2", stride=16)
    encoded = encode(task, [question("Every"), Question("Who?", CONTEXT, ())], tokenizer, 44)
    targets = encoded.targets.reshape(-1, 2)
    assert targets[0].all() and not targets[1:].any()
    found = collect(task, [question("Every"), Question("Who?", CONTEXT, ())], encoded, list(perfect(encoded)))
    assert found[1].null == 18 and task.answer(Question("Who?", CONTEXT, ()), found[1]) == ""


def test_no_candidate_is_outside_the_passage_backwards_or_too_long(tokenizer):
    task, asked = tasks.load("squad", stride=16, max_answer=4), question("Kent")
    encoded = encode(task, [asked], tokenizer, 64)
    random = np.random.default_rng(0)
    logits = [random.normal(size=(length, 2)).astype(np.float32) for length in encoded.lengths]
    (found,) = collect(task, [asked], encoded, logits)
    best = {}
    for item, one in enumerate(logits):  # every pair, one by one
        places = encoded.places[encoded.starts[item] : encoded.starts[item + 1]]
        for first in range(len(one)):
            for last in range(first, min(first + 4, len(one))):
                if places[first, 0] >= 0 and places[last, 0] >= 0:
                    span = (int(places[first, 0]), int(places[last, 1]))
                    best[span] = max(best.get(span, -99), float(one[first, 0] + one[last, 1]))
    expected = max(best, key=best.__getitem__)
    assert found.spans[0][:2] == expected and found.spans[0][2] == pytest.approx(best[expected])
    assert all((first, end) in best for first, end, _ in found.spans)
    assert found.null == pytest.approx(min(float(one[0].sum()) for one in logits))


# --- under prompts


@pytest.mark.parametrize("backbone", ["tiny_bert", "tiny_roberta", "tiny_deberta", "tiny_mpnet"])
@pytest.mark.parametrize("placement", ["prefix", "infix"])
@pytest.mark.parametrize("task", ["wnut17", "conll05", "squad"])
def test_logits_of_text_tokens_are_those_behind_the_prompt(make_run, task, placement, backbone):
    """The head reads the text's own tokens, in their order, whatever stands between them."""
    model = make_backbone(backbone)
    (lane,) = lanes_of(
        [make_run("prompt_tuning", task, prompt__placement=placement, task__options=OPTIONS.get(task, {}))], model
    )
    member = lane.tasks[0]
    seen = []
    member.adapter.head.register_forward_pre_hook(lambda _head, inputs: seen.append(inputs))
    whole = []
    model.model.register_forward_hook(lambda _m, _i, output: whole.append(output.last_hidden_state))
    rows = np.array([0, 1, 2])
    with forward(model, [AdapterBatch(member.adapter.eval(), member.dataset.dev, rows)]):
        pass
    (hidden, real, _), states = seen[0], whole[0]
    for row in rows:
        length, infix = int(member.dataset.dev.lengths[row]), int(member.dataset.dev.infix[row])
        at = 0 if placement == "prefix" else infix
        text = [column + (3 if column >= at else 0) for column in range(length)]
        torch.testing.assert_close(hidden[row, :length], states[row, text])
        assert real[row].tolist() == [column < length for column in range(hidden.shape[1])]
