"""Templates: what is in them, and examples in them as tokens."""

from __future__ import annotations

import pytest

from ptuning.data.filling import Filler
from ptuning.data.templates import Template
from ptuning.errors import InputError
from tests.conftest import make_backbone
from tests.heads.test_encoding import byte_level

TEXTS = {"premise": "Rome beat Pisa at last.", "hypothesis": "Pisa lost!"}


def filled(text, name="tiny_bert", max_length=100, answer=("[MASK]",), **texts):
    tokenizer = byte_level() if name == "byte_level" else make_backbone(name).tokenizer
    filler = Filler(Template.parse(text, "head.template"), tokenizer, max_length)
    ids = tokenizer.convert_tokens_to_ids(list(answer))
    (one,) = filler.fill([TEXTS | texts], [ids])
    return one, tokenizer.convert_ids_to_tokens(one.tokens)


def words(tokens):
    """Pieces of words put together."""
    return " ".join(tokens).replace(" ##", "")


def test_words_fields_and_places_stand_as_they_are_written():
    one, tokens = filled("{premise:bare} Question: {hypothesis:lower,bare} ? <p> Answer: <mask> .")
    assert words(tokens) == "[CLS] rome beat pisa at last question : pisa lost ? answer : [MASK] . [SEP]"
    assert [tokens[at] for at in one.masks] == ["[MASK]"]
    assert [tokens[at] for at in one.rows] == ["an"]  # of "answer"
    assert set(one.types) == {0}
    assert one.infix == len(tokens) - 1


def test_a_border_is_what_the_tokenizer_puts_between_two_segments():
    one, tokens = filled('"{hypothesis}" ? | <mask> , "{premise}"')
    assert words(tokens) == '[CLS] " pisa lost ! " ? [SEP] [MASK] , " rome beat pisa at last . " [SEP]'
    border = tokens.index("[SEP]")
    assert one.types == [0] * (border + 1) + [1] * (len(tokens) - border - 1)
    assert one.infix == border
    _, tokens = filled("{premise} | {hypothesis} <mask>", "tiny_roberta")
    assert words(tokens) == "[CLS] rome beat pisa at last . [SEP] [SEP] pisa lost ! [MASK] [SEP]"
    _, tokens = filled("{premise} [SEP] {hypothesis} <mask>")
    assert words(tokens) == "[CLS] rome beat pisa at last . [SEP] pisa lost ! [MASK] [SEP]"


def test_rows_stand_where_they_are_written_and_before_special_tokens_where_they_open_the_text():
    one, tokens = filled("<p:2>{premise} <p> <p> {hypothesis} <mask> <p>")
    middle, end = words(tokens).split().index("."), len(tokens) - 1
    pisa = len(tokens) - 1 - tokens[::-1].index("pi")
    assert one.rows == [0, 0, pisa, pisa, end]
    assert words(tokens[:pisa]).split()[middle] == "."
    border, _ = filled("{premise} | <p> {hypothesis} <mask>")
    assert border.rows == [border.tokens.index(2) + 1]  # behind [SEP]


def test_an_answer_has_as_many_places_as_tokens():
    one, tokens = filled("It was <mask> . {premise}", answer=("[MASK]",) * 3)
    assert words(tokens).startswith("[CLS] it was [MASK] [MASK] [MASK] . rome")
    assert one.masks == [one.masks[0] + i for i in range(3)]


def test_fields_alone_are_cut_the_longest_first():
    long = {"premise": "aa " * 30, "hypothesis": "bb " * 12}
    for length in range(14, 60):
        _, tokens = filled("{premise} so <mask> then {hypothesis} [SEP]", max_length=length, **long)
        counts = [tokens.count("aa"), tokens.count("bb")]
        assert words([one for one in tokens if one not in ("aa", "bb")]) == "[CLS] so [MASK] then [SEP] [SEP]"
        assert len(tokens) == min(length, 6 + 42 + (len(tokens) - sum(counts) - 6))
        assert counts[1] == 12 or counts[0] - counts[1] in (0, 1)
    _, tokens = filled("{premise} so <mask> then {hypothesis:whole}", max_length=30, **long)
    assert tokens.count("bb") == 12


def test_what_is_never_cut_has_to_fit():
    with pytest.raises(InputError, match=r"task.max_length=10 leaves no room for the fields of head.template beside"):
        filled("one two three four five six {premise} <mask>", max_length=10)


def test_a_word_behind_a_place_keeps_its_space():
    one, tokens = filled("{premise} <p> Wellington was <mask>", "byte_level", answer=("s",))
    assert tokens[one.rows[0]].startswith("Ġ")
    first = filled("<p> Wellington was <mask>", "byte_level", answer=("s",))[1]
    assert not first[1].startswith("Ġ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{premise} <mask> <mask>", "more than one <mask>"),
        ("a | b | <mask>", r"more than one \|"),
        ("{premise <mask>", "has '{'"),
        ("{} <mask>", "no field"),
        ("{premise:upper} <mask>", "behind a colon any of bare, lower, whole"),
        ("<slot> <mask>", "has '<slot>', which means nothing"),
        ("<p:0> <mask>", "1 to 1000 virtual tokens"),
        ("<p:x> <mask>", "has '<p:x>'"),
    ],
)
def test_what_is_no_template_is_refused(text, said):
    with pytest.raises(InputError, match=rf"head\.template='.*{said}"):
        Template.parse(text, "head.template")
