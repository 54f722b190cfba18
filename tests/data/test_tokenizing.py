"""Cutting pairs of texts to a length: the same tokens as the tokenizer's own truncation, without what that builds."""

from __future__ import annotations

import random
import tracemalloc
from dataclasses import fields

import numpy as np
import pytest

from ptuning.backbones import tiny
from ptuning.data import tokenizing
from ptuning.data.encoded import Sequences
from ptuning.data.tokenizing import Pair
from ptuning.errors import InputError
from tests.heads.test_encoding import byte_level

WORDS = ["a", "the", "Wellington", "12345", "naïve", "东京", "[SEP]", "😀", "Kent,", "far-away", "\u200b", "", "\t"]


def some_pairs(rng: random.Random, single: bool) -> list[Pair]:
    def text() -> str:
        return " ".join(rng.choices(WORDS, k=rng.choice((0, 1, 2, 3, 5, 9, 14))))

    # A decoder has no special tokens, and refuses a text that is empty.
    return [(f"a {text()}", None if single else text()) for _ in range(40)]


@pytest.mark.parametrize("name", ["tiny_bert", "tiny_roberta", "tiny_gpt2", "tiny_llama", "byte_level"])
@pytest.mark.parametrize("side", ["right", "left"])
def test_pairs_are_cut_as_by_the_tokenizer_itself(name: str, side: str) -> None:
    tokenizer = byte_level() if name == "byte_level" else tiny.build(name, 0.0, "sdpa")[1]
    tokenizer.truncation_side = side
    rng = random.Random(0)
    for max_length in (8, 9, 16, 33):
        for single in (False, True):
            pairs = some_pairs(rng, single)
            texts = [list(column) for column in zip(*pairs, strict=True)][: 1 if single else 2]
            expected = Sequences.of(tokenizer(*texts, truncation=True, max_length=max_length))
            found = tokenizing.cut(pairs, tokenizer, max_length)
            # Where the left is cut off, RoBERTa's processor trims another token's offset, which no head reads.
            for field in (one for one in fields(expected) if side == "right" or one.name != "offsets"):
                one, other = getattr(expected, field.name), getattr(found, field.name)
                assert one.dtype == other.dtype and np.array_equal(one, other), (field.name, max_length)
            assert found.lengths.max() <= max_length


def test_a_text_without_a_token_is_refused() -> None:
    tokenizer = tiny.build("tiny_gpt2", 0.0, "sdpa")[1]
    with pytest.raises(InputError, match=r"^the text number 2 of a split, '', leaves the backbone nothing to read"):
        tokenizing.cut([("a", ""), ("", "")], tokenizer, 16)


def test_chunks_are_of_a_number_of_texts_and_of_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = tiny.build("tiny_bert", 0.0, "sdpa")[1]
    pairs = some_pairs(random.Random(1), single=False)
    whole = tokenizing.cut(pairs, tokenizer, 16)
    for chunk, characters in ((7, 2**23), (4096, 60)):
        monkeypatch.setattr(tokenizing, "CHUNK", chunk)
        monkeypatch.setattr(tokenizing, "CHUNK_CHARACTERS", characters)
        assert len(list(tokenizing._chunks(pairs))) > 3
        found = tokenizing.cut(pairs, tokenizer, 16)
        assert all(np.array_equal(getattr(whole, one.name), getattr(found, one.name)) for one in fields(whole))


def test_a_pair_of_long_texts_needs_no_more_than_its_length() -> None:
    """The tokenizer's own truncation makes some 20,000 sequences of this pair."""
    tokenizer = tiny.build("tiny_bert", 0.0, "sdpa")[1]
    text = "the Kent " * 2000
    tracemalloc.start()
    found = tokenizing.cut([(text, text)], tokenizer, 32)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.lengths.tolist() == [32] and peak < 20e6
