"""Tasks of other kinds, asked and answered in texts."""

import random
from itertools import islice

import pytest

from ptuning import tasks
from ptuning.formats import spans
from ptuning.tasks.kinds.examples import Question, Sentence

ASKED = ["squad", "squad_v2", "squadshifts", "stsb", "wnut17", "conll03", "ontonotes", "ewt", "conll05"]


def examples_of(task):
    families = islice(task.miniature(random.Random(1)), 5)
    rows = [row for family in families for row in family]
    return [one for at, row in enumerate(rows) for one in task.examples(row, f"row {at}")]


@pytest.mark.parametrize("name", ASKED)
def test_what_is_to_be_said_is_read_as_the_answer(name):
    """Said by a model that knows it all, the score is the best there is."""
    task = tasks.load(name)
    form, examples = task.text_form(), examples_of(task)
    requests = [form.request(example) for example in examples]
    assert len({request.source for request in requests}) > len(requests) // 4
    texts = [request.references[0] for request in requests]
    assert not any(form.read(*one) is None for one in zip(examples, texts, strict=True))
    assert task.score(examples, form.answers(examples, texts))[task.metric] == pytest.approx(100)
    wrong = [*texts[1:], "what was not asked"]
    assert task.score(examples, form.answers(examples, wrong))[task.metric] < 100


def test_tags_are_read_where_their_words_stand():
    form = tasks.load("conll03").text_form()
    words = ("Rome", "beat", "Anna", "Lee", "in", "Rome")
    example = Sentence(words, None)
    names = list(form.tags)

    def read(text):
        found = form.read(example, text)
        unread = found is None
        return unread, [names[at] for at in (form.unread(example, text) if unread else found)]

    assert form.source(example) == "sentence: Rome beat Anna Lee in Rome"
    assert read("none") == (False, ["O"] * 6)
    assert read("ORG: Rome; PER: Anna Lee; LOC: Rome") == (False, ["B-ORG", "O", "B-PER", "I-PER", "O", "B-LOC"])
    assert read("PER: Anna; ORG: Rome") == (False, ["O", "O", "B-PER", "O", "O", "B-ORG"])
    for text in (
        "PER: Anna Smith; LOC: Rome",
        "CITY: Anna; LOC: Rome",
        "PER:; LOC: Rome",
        "; LOC: Rome",
        "LOC: Rome.",
    ):
        assert read(text) == (True, ["O" if "." in text else "B-LOC", *["O"] * 5])
    assert read("") == (True, ["O"] * 6)


def test_tags_of_any_words_come_back_whole():
    """Words that stand in a sentence more than once, semicolons, and what looks like a number."""
    task, random_ = tasks.load("conll03"), random.Random(2)
    form, words, examples = task.text_form(), ["Rome", "a", ";", "(2)"], []
    for _ in range(400):
        sentence = random_.choices(words, k=8)
        tags = spans.to_tags([(random_.choice(["LOC", "PER"]), at, at + random_.randint(0, 1)) for at in (0, 2, 5)], 8)
        examples.append(Sentence(tuple(sentence), tuple(task.labels.index(tag) for tag in tags)))
    texts = [form.target(example) for example in examples]
    assert form.target(Sentence(("Rome", "a", "Rome"), (0, 0, task.labels.index("B-LOC")))) == "LOC: Rome (2)"
    same = [form.read(*one) for one in zip(examples, texts, strict=True)]
    wrong = [one for one, found in zip(examples, same, strict=True) if found is None or tuple(found) != one.labels]
    assert not wrong


def test_a_predicate_is_named_before_its_sentence():
    form = tasks.load("ewt").text_form()
    example = Sentence(("Anna", "called"), None, "called")
    assert form.source(example) == "predicate: called sentence: Anna called"


def test_a_question_without_an_answer_is_said_to_have_none():
    task = tasks.load("squad_v2")
    form = task.text_form()
    known = Question("Where is it?", "It is in the hall.", (("the hall", 9),))
    unknown = Question("Where is she?", "It is in the hall.", ())
    assert form.source(known) == "question: Where is it? context: It is in the hall."
    assert [form.target(one) for one in (known, unknown)] == ["the hall", "no answer"]
    found = form.answers([known, unknown], ["hall", "no answer"])
    assert [task.answer(known, one) for one in found] == ["hall", ""]
    assert task.score([known, unknown], found)["f1"] == 100
    assert task.format_prediction(known, found[0])["answer"] == "hall"
