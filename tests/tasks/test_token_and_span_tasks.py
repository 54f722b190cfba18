"""The token and span tasks: from their official files, and from the hub's rows, to examples; their scores and answers.

Most files are the same in every split but for the name Ada, so that a split read from another's file shows.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

from ptuning import tasks
from ptuning.config import DataConfig
from ptuning.data import splits
from ptuning.errors import InputError
from ptuning.tasks.base import AnyTask
from ptuning.tasks.kinds.examples import Question, Sentence
from ptuning.tasks.kinds.qa import Candidates

NER = ["btc", "conll03", "conll04", "ontonotes", "wnut17"]
SRL = ["conll05", "conll12"]  # and ewt, which makes its own splits
SQUAD = ["squad", "squadshifts"]
SQUAD_2 = ["squad_v2", "squad_v2_halves"]
NAMES = ["Ada", "Eve", "Zoe", "Ida"]  # one a split

COLUMNS = {
    "btc": "# id = 1\n#\tO\nAda\tB-PER\nand\tO\nUN\tB-ORG\nUN\tB-ORG\n\nin\tO\nNew\tB-LOC\nYork\tI-LOC\n",
    "wnut17": "Ada\tB-person\nLovelace\tI-person\nsings\tO\n\t\nStar\tB-creative-work\nWars\tI-creative-work\n",
    "conll03": (
        "-DOCSTART- -X- -X- O\n\nEU NNP I-NP I-ORG\ncalls VBZ I-VP O\nAda NNP I-NP I-PER\nByron NNP I-NP I-PER\n"
        "Joe NNP I-NP B-PER\nRoss NNP I-NP I-PER\nUN NNP I-NP I-ORG\n\n-DOCSTART- -X- -X- O\n\n. . O O\n"
    ),
}
CONLL04 = [
    {"tokens": ["Ada", "left", "New", "York"], "relations": [{"type": "Live_In", "head": 0, "tail": 1}], "orig_id": 7,
     "entities": [{"type": "Loc", "start": 2, "end": 4}, {"type": "Peop", "start": 0, "end": 1}]},
    {"tokens": ["No", "one"], "entities": [], "relations": [], "orig_id": 8},
]  # fmt: skip
GOLD_CONLL = """\
#begin document (bc/cctv/00/cctv_0000); part 000
bc/cctv  0  0  Ada     NNP  (TOP(S(NP*)  -     -   -  Speaker#1  (PERSON)  (ARG0*)  (ARG0*)  (1)
bc/cctv  0  1  came    VBD  (VP*         come  01  1  Speaker#1  *         (V*)     *        -
bc/cctv  0  2  to      TO   (PP*         -     -   -  Speaker#1  *         (ARG4*   *        -
bc/cctv  0  3  New     NNP  (NP*         -     -   -  Speaker#1  (GPE*     *        *        (2
bc/cctv  0  4  York    NNP  *))          york  -   -  Speaker#1  *)        *)       *        2)
bc/cctv  0  5  reading VBG  (S*)))       read  01  1  Speaker#1  *         *        (V*)     -

bc/cctv  0  0  Yes     UH   (TOP*)       -     -   -  Speaker#1  *         -

#end document
"""
WORDS = "Ada\nwho\ndid\nnot\nsleep\nspoke\nup\n.\n\nYes\n\n"
PROPS = """\
-      (A0*)    (A0*
-      (R-A0*)  *
-      *        *
-      (AM-NEG*) *
sleep  (V*)     *)
speak  *        (V*)
-      *        (C-V*)
-      *        *

-

"""
WRITTEN = {
    "btc": ["#/O Ada/B-PER and/O UN/B-ORG UN/B-ORG", "in/O New/B-LOC York/I-LOC"],
    "wnut17": ["Ada/B-person Lovelace/I-person sings/O", "Star/B-creative-work Wars/I-creative-work"],
    "conll03": ["EU/B-ORG calls/O Ada/B-PER Byron/I-PER Joe/B-PER Ross/I-PER UN/B-ORG", "./O"],
    "conll04": ["Ada/B-Peop left/O New/B-Loc York/I-Loc", "No/O one/O"],
    "ontonotes": ["Ada/B-PERSON came/O to/O New/B-GPE York/I-GPE reading/O", "Yes/O"],
    "conll12": [
        "Ada/B-ARG0 came/B-V to/B-ARG4 New/I-ARG4 York/I-ARG4 reading/O | came",
        "Ada/B-ARG0 came/O to/O New/O York/O reading/B-V | reading",
    ],
    "conll05": [
        "Ada/B-A0 who/B-R-A0 did/O not/B-AM-NEG sleep/B-V spoke/O up/O ./O | sleep",
        "Ada/B-A0 who/I-A0 did/I-A0 not/I-A0 sleep/I-A0 spoke/B-V up/B-C-V ./O | spoke",
    ],
}
CONTEXT = "Ada and Joe met in New York."
ASKED: list[dict[str, Any]] = [
    {"id": "q1", "question": "Who met Joe?", "answers": [{"text": "Ada", "answer_start": 0},
                                                         {"text": "Ada and Joe", "answer_start": 0}]},
    {"id": "q2", "question": "Where?", "answers": [{"text": "New York", "answer_start": 19}]},
]  # fmt: skip
IMPOSSIBLE: dict[str, Any] = {
    "id": "q3", "question": "Who left?", "answers": [], "is_impossible": True,
    "plausible_answers": [{"text": "Joe", "answer_start": 8}],
}  # fmt: skip
QUESTIONS = [
    Question("Who met Joe?", CONTEXT, (("Ada", 0), ("Ada and Joe", 0))),
    Question("Where?", CONTEXT, (("New York", 19),)),
]
UNANSWERED = Question("Who left?", CONTEXT, ())
EWT = """\
# sent_id = GENRE-x-0001
# text = Ada is in
0\tGENRE\tNNP\t(TOP(S(NP*)\t-\t-\t(ARG1*)
1\tis\tVBZ\t(VP*\tbe\tbe.03\t(V*)
2\tin\tIN\t*))\t-\t-\t(C-ARG1*)

# sent_id = GENRE-x-0002
0\tYes\tUH\t(TOP*)\t-\t-

"""
GENRES = ("answers", "email", "newsgroup", "reviews", "weblog")


def written(example: Sentence, task: AnyTask) -> str:
    """The words with their tags, and after them the predicate."""
    assert example.labels is not None
    tagged = " ".join(
        f"{word}/{task.labels[label]}" for word, label in zip(example.words, example.labels, strict=True)
    )
    return tagged if example.about is None else f"{tagged} | {example.about}"


def squad_file(paragraph: dict[str, Any]) -> str:
    return json.dumps({"version": "x", "data": [{"title": "T", "paragraphs": [paragraph]}]})


def official(name: str) -> str:
    """What is in a file of the task, the same for all splits; of CoNLL-2005, the props."""
    if name in COLUMNS:
        return COLUMNS[name]
    if name == "ewt":
        return "".join(EWT.replace("GENRE", genre) for genre in GENRES)
    if name in (*SQUAD, *SQUAD_2):
        return squad_file({"context": CONTEXT, "qas": [*ASKED, IMPOSSIBLE] if name in SQUAD_2 else ASKED})
    return {"conll04": json.dumps(CONLL04), "conll05": PROPS, "conll12": GOLD_CONLL, "ontonotes": GOLD_CONLL}[name]


def put(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def save(root: Path, name: str, train: str | None = None, words: str = WORDS) -> Path:
    """All official files of the task below `root`, the training file with the content `train`. That file's path."""
    paths = {}
    for (split, file), person in zip(tasks.load(name).files.items(), NAMES, strict=False):
        path = root / file
        if name in ("ontonotes", "conll12"):
            path = path / "annotations/bc/cctv/00/cctv_0000.v4_gold_conll"
        if name == "conll05":
            put(path.with_suffix(".words"), words.replace("Ada", person))
        put(path, train if train is not None and split == "train" else official(name).replace("Ada", person))
        paths[split] = path
    return paths["train"]


def load(name: str, root: Path, **options: Any) -> splits.TaskData:
    return splits.load(tasks.load(name, **options), DataConfig(source="local", root=str(root)))


def splits_of(loaded: splits.TaskData) -> dict[str, list[Any]]:
    return {"train": loaded.train, "dev": loaded.dev, **loaded.tests}


def refused(call: Callable[[], object], message: str) -> None:
    """`message` opens the error, which is one line, or one for each of several rows."""
    with pytest.raises(InputError) as caught:
        call()
    first, *others = str(caught.value).splitlines()
    assert first.startswith(message) and (not others or others[-1].endswith("rows are refused.")), str(caught.value)


# --- official files


@pytest.mark.parametrize("name", [*NER, *SRL])
def test_an_official_file_of_tagged_words_is_read(name: str, tmp_path: Path) -> None:
    save(tmp_path, name)
    task, splits = tasks.load(name), splits_of(load(name, tmp_path))
    assert list(splits) == list(task.files)
    for person, examples in zip(NAMES, splits.values(), strict=False):
        assert [written(example, task) for example in examples] == [
            text.replace("Ada", person) for text in WRITTEN[name]
        ]


@pytest.mark.parametrize("name", [*SQUAD, *SQUAD_2])
def test_an_official_file_of_questions_is_read(name: str, tmp_path: Path) -> None:
    save(tmp_path, name)
    loaded = load(name, tmp_path)
    assert loaded.train == ([*QUESTIONS, UNANSWERED] if name in SQUAD_2 else QUESTIONS)
    assert {question.context for question in loaded.dev} == {CONTEXT.replace("Ada", "Eve")} and not loaded.tests


def test_conll03_in_bio_is_read_as_in_iob1(tmp_path: Path) -> None:
    save(tmp_path, "conll03")
    official_tags = load("conll03", tmp_path).train
    lines = COLUMNS["conll03"]
    for first in ("EU", "Ada", "UN"):
        lines = lines.replace(f"{first} NNP I-NP I-", f"{first} NNP I-NP B-")
    save(tmp_path, "conll03", lines)
    assert load("conll03", tmp_path).train == official_tags


def ewt_genres(examples: list[Sentence]) -> list[str]:
    """In EWT's files above the first word of a sentence is its genre."""
    return [example.words[0] for example in examples]


def test_ewt_s_held_out_genre_is_in_no_split_but_the_out_of_domain_set(tmp_path: Path) -> None:
    save(tmp_path, "ewt")
    task, splits = tasks.load("ewt"), splits_of(load("ewt", tmp_path))
    inside = ["answers", "email", "newsgroup", "reviews"]
    assert {name: ewt_genres(examples) for name, examples in splits.items()} == {
        "train": inside, "dev": inside, "test": inside, "out_of_domain": ["weblog"],
    }  # fmt: skip
    assert written(splits["dev"][1], task) == "email/B-ARG1 is/B-V in/B-C-ARG1 | is"
    other = splits_of(load("ewt", tmp_path, held_out="email"))
    assert ewt_genres(other["train"]) == ["answers", "newsgroup", "reviews", "weblog"]
    assert ewt_genres(other["out_of_domain"]) == ["email"]


def test_ewt_s_out_of_domain_set_is_of_the_test_file(tmp_path: Path) -> None:
    save(tmp_path, "ewt")
    put(tmp_path / "srl/ewt/test.conll", official("ewt").replace("\tis\t", "\twas\t"))
    (example,) = load("ewt", tmp_path).tests["out_of_domain"]
    assert example.words == ("weblog", "was", "in")


def test_ewt_can_be_restricted_to_one_genre(tmp_path: Path) -> None:
    save(tmp_path, "ewt")
    splits = splits_of(load("ewt", tmp_path, genre="reviews"))
    assert {name: ewt_genres(examples) for name, examples in splits.items()} == {
        "train": ["reviews"], "dev": ["reviews"], "test": ["reviews"], "out_of_domain": ["weblog"],
    }  # fmt: skip


@pytest.mark.parametrize(
    "options, message",
    [
        ({"genre": "news"}, "task.options.genre='news' is not a genre: choose one of answers, email, newsgroup, "),
        ({"held_out": "news"}, "task.options.held_out='news' is not a genre: choose one of answers, email, "),
        ({"genre": "weblog"}, "task.options.genre='weblog' is held out: choose another genre, or "),
        ({"genre": "email", "held_out": "email"}, "task.options.genre='email' is held out: choose another"),
    ],
)
def test_ewt_refuses_a_genre_that_is_none_or_held_out(options: dict[str, str], message: str) -> None:
    refused(lambda: tasks.load("ewt", **options), message)


@pytest.mark.parametrize("name", ["conll03", "conll05", "ontonotes"])
def test_a_missing_file_of_a_licensed_corpus_says_whose_the_texts_are_and_where_it_belongs(
    name: str, tmp_path: Path
) -> None:
    task = tasks.load(name)
    path = tmp_path / task.files["train"]
    message = f"{path} does not exist: put the official {task.folder} file there ({task.origin}), or correct "
    refused(lambda: load(name, tmp_path), message)
    assert "Reuters" in task.origin or "Linguistic Data Consortium" in task.origin


def test_missing_words_of_conll05_are_named(tmp_path: Path) -> None:
    words = save(tmp_path, "conll05").with_suffix(".words")
    words.unlink()
    refused(lambda: load("conll05", tmp_path), f"{words} does not exist: put the words of train.props there (the ")


# --- the hub: rows as its parquet files hold them, tags by the numbers of its own lists

DOCUMENTS = [
    {"document_id": "bc/cctv/00/cctv_0000", "sentences": [
        {"words": ["Ada", "came", "to", "New", "York", "reading"], "named_entities": [1, 0, 0, 9, 10, 0],
         "srl_frames": [
             {"verb": "came", "frames": ["B-ARG0", "B-V", "B-ARG4", "I-ARG4", "I-ARG4", "O"]},
             {"verb": "reading", "frames": ["B-ARG0", "O", "O", "O", "O", "B-V"]}]},
        {"words": ["Yes"], "named_entities": [0], "srl_frames": []},
    ]},
]  # fmt: skip
ROWS = [
    {"id": asked["id"], "title": "T", "context": CONTEXT, "question": asked["question"], "answers": {
        "text": [answer["text"] for answer in asked["answers"]],
        "answer_start": [answer["answer_start"] for answer in asked["answers"]]}}
    for asked in [*ASKED, IMPOSSIBLE]
]  # fmt: skip
HUB: dict[str, tuple[str, str | None, list[dict[str, Any]]]] = {  # data set, revision, rows
    "btc": ("GateNLP/broad_twitter_corpus", "refs/convert/parquet", [
        {"id": "0", "tokens": ["#", "Ada", "and", "UN", "UN"], "ner_tags": [0, 1, 0, 3, 3]},
        {"id": "1", "tokens": ["in", "New", "York"], "ner_tags": [0, 5, 6]}]),
    "wnut17": ("leondz/wnut_17", "refs/convert/parquet", [
        {"id": "0", "tokens": ["Ada", "Lovelace", "sings"], "ner_tags": [9, 10, 0]},
        {"id": "1", "tokens": ["Star", "Wars"], "ner_tags": [3, 4]}]),
    "conll03": ("lhoestq/conll2003", None, [
        {"tokens": ["EU", "calls", "Ada", "Byron", "Joe", "Ross", "UN"], "ner_tags": [3, 0, 1, 2, 1, 2, 3]},
        {"tokens": ["."], "ner_tags": [0]}]),
    "conll04": ("DFKI-SLT/conll04", None, CONLL04),
    "ontonotes": ("ontonotes/conll2012_ontonotesv5", None, DOCUMENTS),
    "conll12": ("ontonotes/conll2012_ontonotesv5", None, DOCUMENTS),
    "squad": ("rajpurkar/squad", None, ROWS[:2]),
    "squad_v2": ("rajpurkar/squad_v2", None, ROWS),
}  # fmt: skip


@pytest.fixture
def asked_of_hub(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[tuple[str, str | None]]]:
    """Puts a task's rows in the hub's place, and tells which data sets and revisions are asked for."""

    def prepare(name: str) -> list[tuple[str, str | None]]:
        people, asked = {"train": "Ada", "validation": "Eve", "test": "Zoe"}, []

        def load_dataset(path: str, configuration: str, split: str, revision: str | None) -> datasets.Dataset:
            asked.append((path, revision))
            return datasets.Dataset.from_list(json.loads(json.dumps(HUB[name][2]).replace("Ada", people[split])))

        monkeypatch.setattr(datasets, "load_dataset", load_dataset)
        return asked

    return prepare


AskedOfHub = Callable[[str], list[tuple[str, str | None]]]


@pytest.mark.parametrize("name", HUB)
def test_the_hub_s_rows_give_the_same_examples_as_the_files(
    name: str, tmp_path: Path, asked_of_hub: AskedOfHub
) -> None:
    asked = asked_of_hub(name)
    save(tmp_path, name)
    hub = splits.load(tasks.load(name), DataConfig(source="hub"))
    assert splits_of(hub) == splits_of(load(name, tmp_path))
    assert set(asked) == {HUB[name][:2]} and len(asked) == len(tasks.load(name).files)


@pytest.mark.parametrize("name", ["wnut17", "squad"])
def test_a_revision_of_the_user_s_is_asked_of_the_hub_in_place_of_the_task_s(
    name: str, asked_of_hub: AskedOfHub
) -> None:
    asked = asked_of_hub(name)
    splits.load(tasks.load(name), DataConfig(source="hub", revision="abc"))
    assert {revision for _, revision in asked} == {"abc"}


@pytest.mark.parametrize("name", ["conll05", "ewt", "squadshifts", "squad_v2_halves"])
def test_a_task_that_is_not_on_the_hub_says_where_its_data_are(name: str) -> None:
    task = tasks.load(name)
    message = f"data.source=hub: {name} is not on the hub: choose data=local data.root=<folder> ({task.origin}) or"
    refused(lambda: splits.load(task, DataConfig(source="hub")), message)


def test_a_frame_of_the_hub_without_its_verb_is_refused() -> None:
    sentence = {"words": ["Yes"], "named_entities": [0], "srl_frames": [{"verb": "Yes", "frames": ["O"]}]}
    task = tasks.load("conll12")
    refused(lambda: list(task.from_hub([{"sentences": [sentence]}])), "data.source=hub: conll12 has a frame without")


# --- malformed files


def edited(name: str, old: str, new: str) -> str:
    assert old in official(name), (name, old)
    return official(name).replace(old, new)


@pytest.mark.parametrize(
    "name, old, new, message",
    [
        ("wnut17", "Lovelace\tI-person", "Lovelace", ":2: the line has 1 columns, not 2: "),
        ("wnut17", "\tB-person\nLovelace\tI-person\nsings\tO", "", ":1: the line has 1 columns, not 2 or more (a "),
        ("wnut17", "B-person", "I-person", ":1: tag 'I-person' continues no span, for it follows 'O', "),
        ("wnut17", "I-creative", "I-group-of-creative", ":6: tag 'I-group-of-creative-work' has a label that is not "),
        ("btc", "I-LOC", "I-PER", ":10: tag 'I-PER' continues no span, for it follows 'B-LOC', "),
        ("btc", "I-LOC", "LOC", ":10: tag 'LOC' is not O, B-x or I-x: "),
        ("conll03", "calls VBZ I-VP O", "calls VBZ O", ":4: the line has 3 columns, not 4: "),
        ("conll03", "I-NP B-PER", "I-NP B-PERS", ":7: tag 'B-PERS' has a label that is not one of PER, ORG, LOC, "),
        ("conll03", "EU NNP I-NP I-ORG", "EU NNP I-NP S-ORG", ":3: tag 'S-ORG' is not O, B-x or I-x: "),
        ("ontonotes", "(GPE*", "(CITY*", ":5: tag 'B-CITY' has a label that is not one of PERSON, NORP, "),
        ("ontonotes", "(GPE* ", "*     ", ":6: the cell '*)' closes a bracket that was not opened: "),
        ("ontonotes", "(PERSON)", "(PERSON*", ":5: the cell '(GPE*' opens a bracket inside (PERSON of "),
        ("conll12", "(ARG4*", "(ARG9*", ":4: the role 'ARG9' is not one of conll12's (V, C-V, ARG0, ARG1, ARG2, ARG3"),
        ("conll12", "*)       *", "*        *", ":4: the bracket (ARG4 is still open where the sentence ends: "),
        ("conll12", "read  01", "read  -", ":2: the sentence that begins here has 1 predicates in column 8 and 2 "),
        ("conll12", "*        (V*)     -", "(V*)     -", ":7: the line has 13 columns, not 14: "),
        ("conll05", "(AM-NEG*)", "(AM-NOT*)", ":4: the role 'AM-NOT' is not one of conll05's (V, C-V, A0, "),
        ("conll05", "(V*)     *)", "(V*)     *", ":6: the cell '(V*)' opens a bracket inside (A0 of "),
        ("ewt", "(C-ARG1*)", "(C-ARG7*)", ":5: the role 'C-ARG7' is not one of ewt's (V, C-V, ARG0, "),
        ("ewt", "(C-ARG1*)", "(C-ARG1*", ":5: the bracket (C-ARG1 is still open where the sentence ends: "),
        ("ewt", "# sent_id = answers-x-0001\n", "", ":2: no line '# sent_id = GENRE-...' precedes the sentence"),
        ("ewt", "\tbe.03\t(V*)", "\tbe.03", ":4: the line has 6 columns, not 7: "),
    ],
)
def test_malformed_columns_are_refused_with_their_file_and_line(
    name: str, old: str, new: str, message: str, tmp_path: Path
) -> None:
    path = save(tmp_path, name, edited(name, old, new))
    refused(lambda: load(name, tmp_path), f"{path}{message}")


def test_props_that_end_before_their_words_are_refused_at_the_word(tmp_path: Path) -> None:
    path = save(tmp_path, "conll05", edited("conll05", "-      *        *\n\n", "\n"))
    words = path.with_suffix(".words")
    refused(lambda: load("conll05", tmp_path), f"{words}:8: the sentence goes on here, and ends at {path}:7 in the ")


def test_props_without_arguments_are_no_labels(tmp_path: Path) -> None:
    bare = "\n".join(line.split(" ")[0] for line in PROPS.split("\n"))
    path = save(tmp_path, "conll05", bare)
    refused(lambda: load("conll05", tmp_path), f"{path}:1: the sentence that begins here has 2 predicates in column 1")


@pytest.mark.parametrize(
    "node, value, message",
    [
        ({"type": "City"}, None, "tag 'B-City' has a label that is not one of Peop, Org, Loc, Other"),
        ({"end": 5}, None, "the span Loc 2 to 4 overlaps another or is outside the 4 words: "),
        ({"start": 0}, None, "the span Peop 0 to 0 overlaps another or is outside the 4 words: "),
        ({"start": "2"}, None, 'start="2" is not an integer: '),
        (None, "entities", "the key 'entities' is missing, the row has tokens, relations, orig_id: "),
        (None, "tokens", "the key 'tokens' is missing, the row has "),
    ],
)
def test_a_malformed_entry_of_conll04_is_refused_with_its_number(
    node: dict[str, Any] | None, value: str | None, message: str, tmp_path: Path
) -> None:
    first, second = json.loads(json.dumps(CONLL04))
    if node is None:
        del first[value]
    else:
        first["entities"][0] |= node
    path = save(tmp_path, "conll04", json.dumps([second, first]))
    refused(lambda: load("conll04", tmp_path), f"{path}: entry 2: {message}")


MOVED = ": question q2: the answer 'New York' does not stand at answer_start="


@pytest.mark.parametrize(
    "change, message",
    [
        ({"answers": [{"text": "New York", "answer_start": 17}]}, f"{MOVED}17, where the context has 'n New Yo': "),
        ({"answers": [{"text": "New York", "answer_start": 20}]}, f"{MOVED}20, where the context has 'ew York.': "),
        ({"answers": [{"text": "New York", "answer_start": -9}]}, f"{MOVED}-9, where "),
        ({"answers": [{"text": " ", "answer_start": 3}]}, ": question q2: the answer ' ' is blank: "),
        ({"answers": [{"text": "New York"}]}, ": question q2: the key 'answer_start' is missing, "),
        ({"answers": []}, ": question q2: the question has no answers: "),
        ({"answers": [], "is_impossible": True}, ": question q2: the question has no answer, and squad has one "),
        ({"answers": None}, ": question q2: answers=null is not a list of one or more objects: "),
        ({"question": None}, ": question q2: question=null is not a text: "),
    ],
)
def test_a_malformed_question_is_refused_by_its_id(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = save(tmp_path, "squad", squad_file({"context": CONTEXT, "qas": [ASKED[0], {**ASKED[1], **change}]}))
    refused(lambda: load("squad", tmp_path), f"{path}{message}")


def test_an_unlabelled_question_and_one_without_a_context_are_refused(tmp_path: Path) -> None:
    bare = {key: value for key, value in ASKED[0].items() if key != "answers"}
    path = save(tmp_path, "squad_v2", squad_file({"context": CONTEXT, "qas": [bare]}))
    refused(lambda: load("squad_v2", tmp_path), f"{path}: question q1: the key 'answers' is missing")
    save(tmp_path, "squad_v2", squad_file({"qas": ASKED}))
    refused(lambda: load("squad_v2", tmp_path), f"{path}: article 1, paragraph 1: the key 'context' is missing")


@pytest.mark.parametrize(
    "text, start",
    [("New York", 19), ("New York", 18), (" New York", 18), (" New York", 17), ("New York ", 19), ("\nNew York", 17)],
)
def test_an_answer_one_short_of_its_place_or_with_spaces_is_set_right(text: str, start: int, tmp_path: Path) -> None:
    asked = {**ASKED[1], "answers": [{"text": text, "answer_start": start}]}
    save(tmp_path, "squad", squad_file({"context": CONTEXT, "qas": [asked]}))
    assert load("squad", tmp_path).train == [QUESTIONS[1]]


@pytest.mark.parametrize(
    "name, row",
    [
        ("wnut17", {"words": ["Ada"]}),
        ("conll05", {"words": ["Ada"], "predicates": [{"at": 0}]}),
        ("squad", {"question": "Who?", "context": "Ada"}),
    ],
)
def test_a_row_without_labels_can_be_asked_and_not_learned_from(
    name: str, row: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = tasks.load(name)
    (example,) = task.examples(row, "here")
    assert not example.labelled
    monkeypatch.setattr("ptuning.data.sources.rows", lambda task, config: {"train": [("file:7", row)], "dev": []})
    refused(lambda: splits.load(task, DataConfig(source="miniature")), "file:7: the row has no label")


@pytest.mark.parametrize(
    "predicates, message",
    [
        (None, "file:7: the key 'predicates' is missing"),
        ([{"at": 2}], "file:7: the predicate at=2 is not one of 2 words: "),
        ([{"at": 1, "roles": [["A0", 0, 1], ["V", 1, 1]]}], "file:7: the span V 1 to 1 overlaps another"),
    ],
)
def test_malformed_predicates_of_a_row_are_refused(predicates: list[Any] | None, message: str) -> None:
    row = {"words": ["Ada", "came"]} | ({} if predicates is None else {"predicates": predicates})
    refused(lambda: tasks.load("conll05").examples(row, "file:7"), message)


# --- scores


def right(example: Any) -> Any:
    if isinstance(example, Sentence):
        return np.array(example.labels)
    if not example.answers:
        return Candidates(((0, 3, 1.0),), 2.0)
    text, begin = example.answers[-1]
    return Candidates(((begin, begin + len(text), 2.0), (0, 1, 1.0)), 1.0)


def nothing(example: Any) -> Any:
    return np.zeros(len(example.words), dtype=int) if isinstance(example, Sentence) else Candidates((), 0.0)


F1_KEYS = {"precision", "recall", "f1"}
KEYS = {  # what each task reports
    "btc": F1_KEYS, "conll03": F1_KEYS, "conll04": F1_KEYS, "ontonotes": F1_KEYS, "wnut17": F1_KEYS,
    "squad": {"em", "f1"}, "squadshifts": {"em", "f1"},
    **dict.fromkeys([*SRL, "ewt"], F1_KEYS | {"precision_official", "recall_official", "f1_official"}),
    **dict.fromkeys(SQUAD_2, frozenset({"em", "f1", "has_ans_f1", "no_ans_f1"})),
}  # fmt: skip


@pytest.mark.parametrize("name", KEYS)
def test_right_answers_score_100_and_no_answers_score_0(name: str, tmp_path: Path) -> None:
    save(tmp_path, name)
    task, examples = tasks.load(name), load(name, tmp_path).dev
    scores = task.score(examples, [right(example) for example in examples])
    assert scores == dict.fromkeys(KEYS[name], 100.0) and task.metric in scores
    empty = task.score(examples, [nothing(example) for example in examples])
    if name in SQUAD_2:  # of three questions, one has no answer
        assert empty == pytest.approx({"em": 100 / 3, "f1": 100 / 3, "has_ans_f1": 0, "no_ans_f1": 100})
    else:
        assert empty == dict.fromkeys(KEYS[name], 0.0)


def test_an_entity_counts_as_a_whole() -> None:
    task = tasks.load("wnut17")
    gold = tagged(task, "B-person I-person O B-group O")
    # The one has a wrong end, the other is right, and a third is none.
    found = tagged(task, "B-person O O B-group B-product")
    assert task.score([gold], [np.array(found.labels)]) == pytest.approx(
        {"precision": 100 / 3, "recall": 50, "f1": 40}
    )


def tagged(task: AnyTask, tags: str, about: str | None = None) -> Sentence:
    """Words a, b, c, ... with these tags."""
    found = tags.split()
    return Sentence(tuple("abcdefghi"[: len(found)]), tuple(task.labels.index(tag) for tag in found), about)


def test_srl_scores_all_spans_and_officially_whole_arguments_without_the_verb() -> None:
    task = tasks.load("conll05")
    gold = tagged(task, "B-A0 B-V B-A1 O B-C-A1", "b")
    found = tagged(task, "B-A0 B-V B-A1 O O", "b")
    assert task.score([gold], [np.array(found.labels)]) == pytest.approx({
        "precision": 100, "recall": 75, "f1": 600 / 7,  # A0, V and A1 of A0, V, A1 and C-A1
        "precision_official": 50, "recall_official": 50, "f1_official": 50,  # A0 of A0 and A1 with its piece
    })  # fmt: skip
    only_verb = tagged(task, "O B-V O O O", "b")
    scores = task.score([gold], [np.array(only_verb.labels)])
    assert (scores["f1"], scores["f1_official"]) == (pytest.approx(40), 0)


def test_squad_scores_the_nearest_gold_answer() -> None:
    found = [Candidates(((0, 7, 1.0),), 0.0), Candidates(((23, 27, 1.0),), 0.0)]  # "Ada and" and "York"
    # Of (Ada, Ada and Joe): 2/3 and 4/5; of New York: 2/3
    assert tasks.load("squad").score(QUESTIONS, found) == pytest.approx({"em": 0, "f1": 100 * (4 / 5 + 2 / 3) / 2})


@pytest.mark.parametrize(
    "threshold, null, answer",
    [
        (0.0, 1.0, "New York"),
        (0.0, 2.0, "New York"),  # no answer must be above the best one, not beside it
        (0.0, 2.5, ""),
        (1.0, 2.5, "New York"),
        (1.0, 3.5, ""),
        (-1.5, 0.0, "New York"),
        (-1.5, 1.0, ""),
    ],
)
def test_squad_v2_gives_no_answer_where_that_scores_more_than_the_threshold_above_the_best(
    threshold: float, null: float, answer: str
) -> None:
    found = Candidates(((19, 27, 2.0), (0, 3, 1.5)), null)
    for name in SQUAD_2:
        task = tasks.load(name, null_threshold=threshold)
        assert task.answer(QUESTIONS[1], found) == answer
        assert task.score([QUESTIONS[1]], [found])["em"] == 100 * bool(answer)
        assert task.score([UNANSWERED], [found])["em"] == 100 * (not answer)
    assert tasks.load("squad").answer(QUESTIONS[1], found) == "New York"  # whatever no answer scores


@pytest.mark.parametrize("name", [*SQUAD, *SQUAD_2])
def test_of_many_candidates_the_first_is_the_answer(name: str) -> None:
    context = " ".join(f"w{number}" for number in range(400))
    begin = context.index("w398")
    places = [begin, *(context.index(f"w{number} ") for number in range(300, 319))]
    spans = tuple((place, place + 4, float(20 - rank)) for rank, place in enumerate(places))
    question = Question("Which?", context, (("w398", begin),))
    task = tasks.load(name)
    assert task.answer(question, Candidates(spans, 0.0)) == "w398"
    shown = task.format_prediction(question, Candidates(spans, 0.0))
    assert [one["text"] for one in shown["likeliest"]] == ["w398", "w300", "w301", "w302", "w303"]


# --- what is shown


def test_entities_are_shown_with_their_words_and_places() -> None:
    task = tasks.load("wnut17")
    asked = Sentence(("Star", "Wars", "stars", "Ada"), None)
    answer = np.array(tagged(task, "B-creative-work I-creative-work O B-person").labels)
    assert task.format_prediction(asked, answer) == {
        "entities": [
            {"type": "creative-work", "text": "Star Wars", "first": 0, "last": 1},
            {"type": "person", "text": "Ada", "first": 3, "last": 3},
        ]
    }


def test_roles_are_shown_with_their_predicate() -> None:
    task = tasks.load("conll12")
    asked = Sentence(("Ada", "came", "to", "Rome"), None, "came")
    answer = np.array(tagged(task, "B-ARG0 B-V B-ARG4 I-ARG4").labels)
    assert task.format_prediction(asked, answer) == {
        "predicate": "came",
        "roles": [
            {"role": "ARG0", "text": "Ada", "first": 0, "last": 0},
            {"role": "V", "text": "came", "first": 1, "last": 1},
            {"role": "ARG4", "text": "to Rome", "first": 2, "last": 3},
        ],
    }


def test_an_answer_is_shown_with_the_likeliest_ones_and_may_be_none() -> None:
    found = Candidates(((19, 27, 2.0), (0, 3, 1.5)), 2.25)
    likeliest = [{"text": "New York", "score": 2.0}, {"text": "Ada", "score": 1.5}]
    assert tasks.load("squad").format_prediction(QUESTIONS[1], found) == {
        "question": "Where?", "answer": "New York", "likeliest": likeliest,
    }  # fmt: skip
    assert tasks.load("squad_v2").format_prediction(QUESTIONS[1], found) == {
        "question": "Where?", "answer": "", "likeliest": likeliest,
    }  # fmt: skip


# --- which of several folders


def test_a_folder_with_another_beside_it_has_to_be_chosen(tmp_path: Path) -> None:
    save(tmp_path, "ontonotes")
    test = tmp_path / "conll-2012/v4/data/test"
    other = tmp_path / "conll-2012/v4/data/conll-2012-test"
    other.mkdir()
    (test / "data").rename(other / "data")
    named = {"source": "local", "root": str(tmp_path)}
    path = {"test": "conll-2012/v4/data/conll-2012-test/data/english"}
    chosen = splits.load(tasks.load("ontonotes"), DataConfig(**named, files=path))
    save(tmp_path, "ontonotes")
    message = (
        f"{test}/data/english has {other}/data/english beside it, and only one of them can be the test set: choose"
    )
    refused(lambda: load("ontonotes", tmp_path), message)
    assert splits.load(tasks.load("ontonotes"), DataConfig(**named, files=path)).tests == chosen.tests
    (other.parent / "conll-2012-test").rename(tmp_path / "gone")
    (tmp_path / "conll-2012/v9").symlink_to(tmp_path / "conll-2012/v4")
    refused(
        lambda: load("conll12", tmp_path), f"{tmp_path}/conll-2012/v4/data/train/data/english has {tmp_path}/conll"
    )


def test_a_packed_file_in_the_place_of_the_official_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "squad").mkdir()
    (tmp_path / "squad/train-v1.1.json.gz").write_bytes(b"")
    message = (
        f"{tmp_path}/squad/train-v1.1.json does not exist (train-v1.1.json.gz is there, unpack or convert it): put "
    )
    refused(lambda: load("squad", tmp_path), message)
