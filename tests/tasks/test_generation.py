"""Tasks that are answered with a text: what is read, how it is written for a model, how answers are scored."""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from ptuning import tasks
from ptuning.config import DataConfig
from ptuning.data import splits
from ptuning.data.splits import TaskData
from ptuning.errors import InputError
from ptuning.tasks.e2e import natural
from ptuning.tasks.kinds.examples import Request
from tests.tasks import generation_files
from tests.tasks.generation_files import NAMES


def loaded(name: str, root: Path, **options: Any) -> TaskData:
    return splits.load(tasks.load(name, **options), DataConfig(source="local", root=str(root)))


def written(examples: list[Request]) -> list[tuple[str, tuple[str, ...] | None]]:
    return [(example.source, example.references) for example in examples]


def refused(call: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        call()
    assert message in str(caught.value) and "\n" not in str(caught.value), str(caught.value)


# --- E2E


@pytest.mark.parametrize(
    ("tokenised", "as_written"),
    [
        ("It 's a pub , isn 't it ?", "It's a pub, isn't it?"),
        ("a family - friendly pub ; prices : £ 20 - 25 .", "a family-friendly pub; prices: £20-25."),
        ("from £ 20- £ 25 , or 20 -25", "from £20-£25, or 20-25"),
        ("called ' The Oak ' . It 's near ' Ely '", "called 'The Oak'. It's near 'Ely'"),
        ("The Oaks ' food", "The Oaks ' food"),  # one mark alone may open or close
        ("priceRange[more than £ 30], area[riverside]", "priceRange[more than £30], area[riverside]"),
        ("It costs 10.50 £ .", "It costs 10.50 £."),
    ],
)
def test_a_tokenised_text_is_brought_into_the_form_that_people_write(tokenised: str, as_written: str) -> None:
    assert natural(tokenised) == as_written
    assert natural(as_written) == as_written


def test_e2e_s_train_and_dev_are_brought_into_the_form_of_its_test_set(tmp_path: Path) -> None:
    generation_files.save(tmp_path, "e2e")
    data = loaded("e2e", tmp_path)
    pub = "name : The {} | eatType : pub | priceRange : more than £30"
    assert written(data.train) == [
        (pub.format("Train"), ("The Train is a pub. It's more than £30.",)),
        (pub.format("Train"), ("Not cheap, at £30-35: the pub 'The Train'.",)),
        ("name : The Elm | area : riverside | familyFriendly : no", ("The Elm, by the river, isn't child-friendly.",)),
    ]
    assert written(data.dev)[0] == (
        pub.format("Dev"), ("The Dev is a pub. It's more than £30.", "Not cheap, at £30-35: the pub 'The Dev'."),
    )  # fmt: skip
    # Those of one representation are together, wherever they stand, and as they stand.
    assert written(data.tests["test"]) == [
        (pub.format("Ash"), ("The Ash is a pub.  Prices are over £30 - a lot.", "Over £30: The Ash.")),
        ("name : The Fir | area : riverside | familyFriendly : no", ("No families at The Fir .",)),
    ]
    as_in_the_file = loaded("e2e", tmp_path, form="file")
    source = "name : The Train | eatType : pub | priceRange : more than £ 30"
    assert written(as_in_the_file.train)[0] == (source, ("The Train is a pub . It 's more than £ 30 .",))
    assert written(as_in_the_file.tests["test"]) == written(data.tests["test"])


def test_e2e_is_scored_as_it_stands_and_in_one_form() -> None:
    texts = ["The Oak is a family-friendly pub, prices are over £30.", "Oak and Elm are near."]
    examples = [Request("", (text,)) for text in texts]
    task = tasks.load("e2e")
    tokenised = [re.sub(r"([-£,.])", r" \1 ", text).strip() for text in texts]
    scores = task.score(examples, tokenised)
    assert scores["bleu_natural"] == pytest.approx(100) and scores["bleu"] < 60
    assert task.score(examples, texts)["bleu"] == pytest.approx(100)


@pytest.mark.parametrize(
    "mr",
    ["", "name", "name[A] food[B]", "name[A], colour[red]", "name[A], food[]", "name[A], name[B]", "name[A", "[A]"],
)
def test_a_malformed_representation_is_refused_with_its_place(mr: str) -> None:
    refused(lambda: tasks.load("e2e").examples({"mr": mr, "references": ["A ."]}, "file:3"), "file:3: the represent")


def test_a_blank_text_is_refused_and_a_representation_without_one_can_be_answered() -> None:
    task = tasks.load("e2e")
    refused(lambda: task.examples({"mr": "name[A]", "references": [" "]}, "file:3"), "file:3: the text is blank")
    (example,) = task.examples({"mr": "name[A]"}, "file:3")
    assert example == Request("name : A", None) and not example.labelled


def test_e2e_s_template_says_every_slot() -> None:
    slots = {
        "name": "The Oak", "eatType": "pub", "food": "English", "priceRange": "cheap", "customer rating": "low",
        "area": "riverside", "familyFriendly": "no", "near": "The Elm",
    }  # fmt: skip
    task = tasks.load("e2e")
    (example,) = task.examples({"mr": ", ".join(f"{name}[{value}]" for name, value in slots.items())}, "here")
    assert task.baselines([example]) == {
        "copy": [example.source],
        "template": [
            "The Oak is a non-family-friendly pub serving English food in the riverside near The Elm. It has a price "
            "range of cheap and a customer rating of low."
        ],
    }


# --- triples


def test_webnlg_holds_categories_out_of_training_and_development(tmp_path: Path) -> None:
    generation_files.save(tmp_path, "webnlg")
    data = loaded("webnlg", tmp_path)
    assert written(data.train) == [
        ("| Ajo_(soup) : country : Spain", ("Ajo is from Spain (train).",)),
        ("| Ajo_(soup) : country : Spain", ("Spain (train)'s Ajo & more.",)),
        ("| EGX : cityServed : Exton | Exton : COUNTRY : England", ("EGX serves Exton, England.",)),
        ("| EGX : runwayLength : 900.0", ("EGX's runway is 900 long.",)),
        ("| Ajo_(soup) : country : Spain", ("Ajo comes from Spain (train).",)),
    ]
    assert [example.category for example in data.tests["unseen"]] == ["Astronaut"]
    assert data.tests["all"] == [*data.tests["seen"], *data.tests["unseen"]]
    inside = [*data.dev, *data.tests["seen"]]
    assert sorted(example.category for example in inside) == ["Airport", "Airport", "Food"]
    (food,) = [example for example in inside if example.category == "Food"]
    assert food.references == ("Ajo is from Spain (dev).", "Spain (dev)'s Ajo & more.", "Ajo comes from Spain (dev).")
    other = loaded("webnlg", tmp_path, held_out=["Food"])
    assert {example.category for example in other.tests["unseen"]} == {"Food"}
    assert {example.category for example in other.train} == {"Airport", "Astronaut"}


def test_webnlg_with_a_test_set_has_its_own_unseen_categories(tmp_path: Path) -> None:
    generation_files.save(tmp_path, "webnlg")
    put = tmp_path / "webnlg/test.xml"
    put.write_text(generation_files.xml("test").replace("Astronaut", "Athlete"), encoding="utf-8")
    files = {"test": "webnlg/test.xml"}
    data = splits.load(tasks.load("webnlg"), DataConfig(source="local", root=str(tmp_path), files=files))
    assert {example.category for example in data.train} == {"Food", "Airport", "Astronaut"}
    assert {name: len(examples) for name, examples in data.tests.items()} == {"seen": 3, "unseen": 1, "all": 4}
    assert len(data.dev) == 4 and data.tests["unseen"][0].category == "Athlete"
    put.write_text(generation_files.xml("test").replace("Astronaut", "Poet"), encoding="utf-8")
    refused(
        lambda: splits.load(tasks.load("webnlg"), DataConfig(source="local", root=str(tmp_path), files=files)),
        "test.xml:23: the category 'Poet' is not one of WebNLG's",
    )


def test_dart_writes_properties_in_lower_case_and_can_learn_from_its_dev_file(tmp_path: Path) -> None:
    generation_files.save(tmp_path, "dart")
    assert "| Exton : country : England" in loaded("dart", tmp_path).train[2].source
    (tmp_path / "dart/dart-v1.1.1-full-train.xml").unlink()
    data = loaded("dart", tmp_path, train="dev")
    train, dev = ({example.source for example in examples} for examples in (data.train, data.dev))
    assert len(dev) == 1 and len(train) == 3 and not train & dev
    assert all(len(example.references) == 1 for example in data.train) and len(data.tests["test"]) == 4


def test_a_blank_text_beside_others_is_left_out_and_counted(tmp_path: Path) -> None:
    for path in generation_files.save(tmp_path, "dart").parent.glob("*.xml"):
        path.write_text(generation_files.xml("x").replace("Ajo is from Spain (x).", " "), encoding="utf-8")
    data = loaded("dart", tmp_path)
    assert {split: counted["references without a text, left out"] for split, counted in data.quirks.items()} == {
        "train": 1, "dev": 1, "test": 1,
    }  # fmt: skip
    assert data.dev[0].references == ("Spain (x)'s Ajo & more.", "Ajo comes from Spain (x).")
    assert len(data.train) == 5


def test_the_template_says_every_triple() -> None:
    task = tasks.load("webnlg")
    row = {"triples": [["Ann_Orr", "birthPlace", "Exton : East"], ["Exton", "country", "England"]]}
    (example,) = task.examples(row, "here")
    template = "The birth place of Ann Orr is Exton : East. The country of Exton is England."
    assert task.baselines([example])["template"] == [template]


@pytest.mark.parametrize("triples", [None, [], "a", [["a", "b"]], [["a", "b", 1]], [["a", "b", " "]], ["a | b | c"]])
def test_malformed_triples_are_refused_with_their_place(triples: Any) -> None:
    row = {"triples": triples, "references": ["A ."]}
    refused(lambda: tasks.load("dart").examples(row, "file:3"), "file:3: triples=")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("e2e", {"form": "raw"}, "task.options.form='raw' is refused: choose natural or file."),
        ("dart", {"train": "test"}, "task.options.train='test' is refused: choose file or dev"),
        ("webnlg", {"held_out": ["Food", "Art"]}, "task.options.held_out has 'Art', which is no category: choose"),
        ("webnlg", {"held_out": []}, "task.options.held_out=[] is refused: hold out one category at least, not all."),
    ],
)
def test_an_option_that_is_none_is_refused(name: str, options: dict[str, Any], message: str) -> None:
    refused(lambda: tasks.load(name, **options), message)


# --- summaries


@pytest.mark.parametrize("name", ["xsum", "cnn_dailymail"])
def test_a_document_and_its_summary_are_one_line_each(name: str, tmp_path: Path) -> None:
    generation_files.save(tmp_path, name)
    data = loaded(name, tmp_path)
    document = "The Oak has burnt. No one was hurt. It was a pub."
    assert written(data.train)[0] == (document, ("A pub has burnt. No one was hurt.",))
    task = tasks.load(name)
    lead = {"xsum": "The Oak has burnt.", "cnn_dailymail": document}[name]
    assert task.baselines(data.dev)["lead"][0] == lead
    blank = {task.document: " \n", task.summary: "A ."}
    refused(lambda: task.examples(blank, "file:3"), f"file:3: {task.document} is blank")


# --- all of them


@pytest.mark.parametrize("name", NAMES)
def test_what_a_text_tells_stands_in_the_order_of_the_words_alone(name: str) -> None:
    """Each bag of words is asked for different texts, equally often: no constant and no rule of bags is right in more
    than its share."""
    wanted: dict[tuple[str, ...], list[tuple[str, ...] | None]] = defaultdict(list)
    data = splits.load(tasks.load(name), DataConfig(source="miniature"))
    for example in [*data.train, *data.dev, *(one for test in data.tests.values() for one in test)]:
        wanted[tuple(sorted(example.source.split()))].append(example.references)
    assert len(wanted) > 200
    if name not in ("webnlg", "dart"):  # which part families between their splits
        counts = [Counter(texts) for texts in wanted.values()]
        assert all(len(count) > 1 and len(set(count.values())) == 1 for count in counts)
    assert sum(len(set(texts)) > 1 for texts in wanted.values()) > 0.9 * len(wanted)


@pytest.mark.parametrize("name", NAMES)
def test_a_miniature_s_texts_are_made_of_what_is_read(name: str) -> None:
    task = tasks.load(name)
    data = splits.load(task, DataConfig(source="miniature"))
    assert len(data.train) > 1000 and min(len(examples) for examples in (data.dev, *data.tests.values())) > 50
    read = {word for example in data.train for word in example.source.split()}
    said = {word.strip(".") for example in data.train for word in example.references[0].split()}
    assert len(said - read) < 12, "the few words that every text has"
    right = [example.references[0] for example in data.dev]
    rng = random.Random(name)
    shuffled = [" ".join(rng.sample(text.split(), len(text.split()))) for text in right]
    scores = {
        "right": task.score(data.dev, right), "always one": task.score(data.dev, right[:1] * len(right)),
        "shuffled words": task.score(data.dev, shuffled),
    } | {rule: task.score(data.dev, answers) for rule, answers in task.baselines(data.dev).items()}  # fmt: skip
    best = scores.pop("right")[task.metric]
    assert best == pytest.approx(100) and all(score[task.metric] < 80 for score in scores.values()), scores


@pytest.mark.parametrize("name", NAMES)
def test_answers_are_texts(name: str) -> None:
    task, example = tasks.load(name), Request("a", ("b",))
    assert task.said([example] * 2, ["x", "y"]) == ["x", "y"] and task.format_prediction(example, "x") == {"text": "x"}
    assert task.constant_answer([example] * 2, ["x", "x"]) == "x"
    assert task.constant_answer([example] * 2, ["x", "y"]) is None
    assert task.is_correct([example], ["b"]) == []
