"""Whether a tokenizer fits its model. transformers builds one where a checkpoint has none, in which every word is
unknown, and hands on whatever stands beside the weights: a run would train on it, and be recorded, without a word."""

from __future__ import annotations

from typing import Any

from torch import nn

from ptuning.errors import InputError

FIX = "give the folder its own tokenizer.json and tokenizer_config.json, or choose another model"
# Some words of any script and case: a tokenizer that fits a model of text knows a letter or digit of one of them.
WORDS = (
    "The quick brown fox jumps over 13 lazy dogs.",
    "a b c d e f g h i j k l m n o p q r s t u v w x y z A B C D E F G H I J K L M N O P Q R S T U V W X Y Z 0 1 2 3",
    "Ça, où? Größe, ñandú, żółw; русский, ελληνικά, العربية, עברית, हिन्दी, ไทย, 한국어, 日本語, 中文。",
)


def check(tokenizer: Any, model: nn.Module, where: str) -> None:
    """Raise InputError, which begins with `where`, for a tokenizer that knows no words, is not a fast one, or has ids
    for which the model has no embedding. An embedding may have more rows than there are ids."""
    if not tokenizer.is_fast:
        raise InputError(
            f"{where}: {type(tokenizer).__name__} is no fast tokenizer, which alone tells where tokens stand in their "
            f"text: {FIX}."
        )
    words = [word for word in tokenizer.get_vocab() if word not in tokenizer.all_special_tokens]
    if not any(map(_has_letters, words)):
        raise InputError(f"{where}: there is no tokenizer ({len(tokenizer)} tokens, no word among them): {FIX}.")
    if not _knows_words(tokenizer):
        raise InputError(f"{where}: to the tokenizer every word is unknown: {FIX}.")
    rows, highest = _rows(model), max(tokenizer.get_vocab().values())
    if rows is not None and highest >= rows:
        raise InputError(
            f"{where}: the tokenizer has ids up to {highest}, and the model embeddings of {rows} tokens alone: {FIX}."
        )


def _knows_words(tokenizer: Any) -> bool:
    special = {*tokenizer.all_special_ids, tokenizer.unk_token_id}
    ids = {one for text in WORDS for one in tokenizer(text, add_special_tokens=False)["input_ids"]} - special
    return any(map(_has_letters, tokenizer.convert_ids_to_tokens(sorted(ids))))


def _has_letters(token: str) -> bool:
    """Whether there is more to it than what marks the beginning of a word (Ġ in byte-level vocabularies)."""
    return any(character.isalnum() for character in token.replace("Ġ", ""))


def _rows(model: nn.Module) -> int | None:
    """How many tokens a model has embeddings of; None where it has no such table."""
    return getattr(model.get_input_embeddings(), "num_embeddings", None)  # type: ignore[operator]
