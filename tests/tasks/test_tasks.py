"""The tasks' encodings, on rows written by hand, and their metrics, against values worked out by hand and oracles."""

from __future__ import annotations

import copy
import random
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from ptuning import registry, tasks
from ptuning.errors import InputError
from ptuning.metrics import classification, squad
from ptuning.tasks.kinds.examples import Example
from tests.conftest import GLUE, SUPERGLUE

PASSAGE = "Rome beat Pisa.\n@highlight\nThe Pisa team wept"
ROWS: dict[str, dict[str, Any]] = {
    "boolq": {"question": "is it big", "passage": "Rome -- Rome is big.", "label": True, "idx": 0},
    "cb": {"premise": "It rained.", "hypothesis": "it was dry", "label": "contradiction", "idx": 1},
    "copa": {
        "premise": "The grass is wet.", "choice1": "It rained.", "choice2": "It grew.", "question": "cause",
        "label": 1, "idx": 2,
    },
    "multirc": {
        "idx": 7, "version": 1.1, "passage": {"text": "Rome beat Pisa.", "questions": [
            {"question": "Who won?", "idx": 3, "answers": [
                {"text": "Rome", "idx": 10, "label": 1}, {"text": "Pisa", "idx": 11, "label": 0}]},
            {"question": "Who lost?", "idx": 4, "answers": [{"text": "Pisa", "idx": 12, "label": 1}]},
        ]},
    },
    "record": {
        "idx": 5, "source": "CNN",
        "passage": {"text": PASSAGE, "entities": [
            {"start": 10, "end": 13}, {"start": 0, "end": 3}, {"start": 31, "end": 34}]},
        "qas": [{"query": "@placeholder lost", "idx": 9, "answers": [{"start": 10, "end": 13, "text": "Pisa"}]}],
    },
    "rte": {"premise": "Rome won.", "hypothesis": "Rome lost.", "label": "not_entailment", "idx": 4},
    "wic": {
        "word": "bank", "sentence1": "The bank lends.", "sentence2": "A river bank.", "label": False, "idx": 0,
        "start1": 4, "end1": 8, "start2": 8, "end2": 12, "version": 1.1,
    },
    "wsc": {
        "text": "Anna met Tom. She smiled.", "label": True, "idx": 3,
        "target": {"span1_index": 0, "span1_text": "Anna", "span2_index": 3, "span2_text": "She"},
    },
}  # fmt: skip
FIRST = "Rome beat Pisa.\n- The Pisa team wept"
EXAMPLES: dict[str, list[Example]] = {
    "boolq": [Example((("is it big", "Rome -- Rome is big."),), 1)],
    "cb": [Example((("It rained.", "it was dry"),), 1)],
    "copa": [Example((("The grass is wet. because", "It rained."), ("The grass is wet. because", "It grew.")), 1)],
    "multirc": [
        Example((("Rome beat Pisa.", "Who won? Rome"),), 1, (7, 3)),
        Example((("Rome beat Pisa.", "Who won? Pisa"),), 0, (7, 3)),
        Example((("Rome beat Pisa.", "Who lost? Pisa"),), 1, (7, 4)),
    ],
    "record": [
        Example(((FIRST, "Pisa lost"),), 1, (5, 9), ("Pisa", ("Pisa",))),
        Example(((FIRST, "Rome lost"),), 0, (5, 9), ("Rome", ("Pisa",))),
    ],
    "rte": [Example((("Rome won.", "Rome lost."),), 1)],
    "wic": [Example((("bank: The bank lends.", "bank: A river bank."),), 0)],
    "wsc": [Example((("She: Anna met Tom. She smiled.", "Anna"),), 1)],
}
REQUIRED = [  # task, path of a key that its encoding reads
    ("boolq", ["question"]), ("boolq", ["passage"]), ("cb", ["premise"]), ("cb", ["hypothesis"]),
    ("copa", ["premise"]), ("copa", ["choice1"]), ("copa", ["choice2"]), ("copa", ["question"]),
    ("multirc", ["idx"]), ("multirc", ["passage"]), ("multirc", ["passage", "text"]),
    ("multirc", ["passage", "questions"]), ("multirc", ["passage", "questions", 0, "question"]),
    ("multirc", ["passage", "questions", 0, "idx"]), ("multirc", ["passage", "questions", 0, "answers"]),
    ("multirc", ["passage", "questions", 0, "answers", 1, "text"]),
    ("record", ["idx"]), ("record", ["passage", "text"]), ("record", ["passage", "entities"]),
    ("record", ["passage", "entities", 0, "end"]), ("record", ["qas"]), ("record", ["qas", 0, "query"]),
    ("record", ["qas", 0, "idx"]), ("record", ["qas", 0, "answers", 0, "text"]),
    ("rte", ["premise"]), ("rte", ["hypothesis"]), ("wic", ["word"]), ("wic", ["sentence1"]), ("wic", ["sentence2"]),
    ("wsc", ["text"]), ("wsc", ["target"]), ("wsc", ["target", "span1_text"]), ("wsc", ["target", "span2_text"]),
]  # fmt: skip


def changed(name: str, path: list[Any]) -> tuple[dict[str, Any], Any, Any]:
    """A copy of the task's row, the node that holds the last key of `path`, and that key."""
    row = copy.deepcopy(ROWS[name])
    node: Any = row
    for key in path[:-1]:
        node = node[key]
    return row, node, path[-1]


def test_the_tasks_are_found_by_their_files() -> None:
    kinds = {
        "classification": ["boolq", "cb", "multirc", "next_sentence", "record", "rte", "wic", "wsc", *GLUE],
        "choice": ["copa"],
        "regression": ["stsb"],
        "token": ["btc", "conll03", "conll04", "conll05", "conll12", "ewt", "ontonotes", "wnut17"],
        "generation": ["cnn_dailymail", "dart", "e2e", "webnlg", "xsum"],
        "cloze": ["lama"],
        "span": ["squad", "squad_v2", "squad_v2_halves", "squadshifts"],
    }
    assert registry.names("ptuning.tasks") == sorted(name for names in kinds.values() for name in names)
    assert {name: tasks.load(name).head for name in registry.names("ptuning.tasks")} == {
        name: head for head, names in kinds.items() for name in names
    }
    assert [tasks.load(name).name for name in registry.names("ptuning.tasks")] == registry.names("ptuning.tasks")


def test_an_unknown_task_or_option_is_refused() -> None:
    with pytest.raises(InputError, match=r"task\.name=base is unknown: choose one of boolq, btc"):
        tasks.load("base")
    with pytest.raises(InputError, match=r"task\.options\.template is not an option of rte: it has none"):
        tasks.load("rte", template=1)
    with pytest.raises(InputError, match=r"task\.options\.temp is not an option of wic: its options are template"):
        tasks.load("wic", temp=1)
    with pytest.raises(InputError, match=r"task\.options\.template=2 is refused"):
        tasks.load("wic", template=2)


@pytest.mark.parametrize("name", ROWS)
def test_an_official_row_is_encoded_as_in_the_authors_code(name: str) -> None:
    assert tasks.load(name).examples(ROWS[name], "file:1") == EXAMPLES[name]


def test_wic_template_0_is_one_sequence_that_ends_in_a_question() -> None:
    (example,) = tasks.load("wic", template=0).examples(ROWS["wic"], "file:1")
    text = "The bank lends. A river bank. Does bank have the same meaning in both sentences?"
    assert example.segments == ((text, None),)


def test_copa_joins_an_effect_with_so() -> None:
    (example,) = tasks.load("copa").examples({**ROWS["copa"], "question": "effect"}, "file:1")
    assert [first for first, _ in example.segments] == ["The grass is wet. so"] * 2
    with pytest.raises(InputError, match=r"^file:1: question 'reason' is not one of cause, effect: "):
        tasks.load("copa").examples({**ROWS["copa"], "question": "reason"}, "file:1")


@pytest.mark.parametrize("name, path", REQUIRED)
def test_a_missing_or_mistyped_key_is_refused_with_its_place(name: str, path: list[Any]) -> None:
    row, node, key = changed(name, path)
    node[key] = 0.5
    with pytest.raises(InputError, match=rf"^RTE/train\.jsonl:17: {key}=0\.5 is not an? "):
        tasks.load(name).examples(row, "RTE/train.jsonl:17")
    del node[key]
    with pytest.raises(InputError, match=rf"^RTE/train\.jsonl:17: the key '{key}' is missing"):
        tasks.load(name).examples(row, "RTE/train.jsonl:17")


LABELS = {name: ["label"] for name in ROWS} | {"multirc": ["passage", "questions", 0, "answers", 0, "label"]}
del LABELS["record"]


@pytest.mark.parametrize("name", LABELS)
def test_a_row_with_another_label_is_refused_and_one_without_is_marked(name: str) -> None:
    row, node, key = changed(name, LABELS[name])
    for wrong in ("maybe", -1, 0.0):
        node[key] = wrong
        with pytest.raises(InputError, match=rf"^file:1: label {wrong!r} is not one of \w+, \w+"):
            tasks.load(name).examples(row, "file:1")
    del node[key]
    assert tasks.load(name).examples(row, "file:1")[0].label == -1


def test_labels_are_told_apart_by_type() -> None:
    with pytest.raises(InputError, match="label 1 is not one of false, true"):
        tasks.load("boolq").examples({**ROWS["boolq"], "label": 1}, "file:1")
    with pytest.raises(InputError, match="label True is not one of 0, 1"):
        tasks.load("copa").examples({**ROWS["copa"], "label": True}, "file:1")


def test_record_refuses_what_cannot_be_scored() -> None:
    task = tasks.load("record")
    row, qa, key = changed("record", ["qas", 0, "answers"])
    for unlabelled in ([], None):
        qa[key] = unlabelled
        assert {example.label for example in task.examples(row, "file:1")} == {-1}
    row, qa, key = changed("record", ["qas", 0, "query"])
    qa[key] = "nobody lost"
    with pytest.raises(InputError, match="has no @placeholder"):
        task.examples(row, "file:1")
    row, entity, key = changed("record", ["passage", "entities", 0, "end"])
    entity[key] = len(PASSAGE)
    with pytest.raises(InputError, match=r"^file:1: the span 10 to 45 is not inside the passage of 45 characters"):
        task.examples(row, "file:1")


def logits(predictions: list[int], classes: int) -> np.ndarray:
    return np.eye(classes)[predictions]


@pytest.mark.parametrize("name", ["boolq", "copa", "rte", "wic", "wsc"])
def test_accuracy_tasks_score_the_share_of_right_answers_in_percent(name: str) -> None:
    examples = [Example((("a", "b"),), label) for label in (0, 1, 1, 0)]
    assert tasks.load(name).score(examples, logits([0, 1, 0, 0], 2)) == {"accuracy": 75.0}


def test_cb_scores_accuracy_and_macro_f1() -> None:
    examples = [Example((("a", "b"),), label) for label in (0, 0, 1, 2)]
    scores = tasks.load("cb").score(examples, logits([0, 1, 1, 1], 3))
    # F1: class 0: 2/3; class 1: precision 1/3, recall 1, so 1/2; class 2: 0
    assert scores == pytest.approx({"accuracy": 50.0, "f1_macro": 100 * (2 / 3 + 1 / 2 + 0) / 3})


def test_multirc_scores_binary_f1_and_exact_match_by_question() -> None:
    examples = [
        Example((("a", "b"),), label, group)
        for label, group in ((1, (0, 0)), (0, (0, 0)), (1, (0, 1)), (1, (1, 0)), (0, (1, 0)))
    ]
    scores = tasks.load("multirc").score(examples, logits([1, 0, 1, 1, 1], 2))
    # 3 true and 1 false positive, no false negative; questions (0, 0) and (0, 1) are all right, (1, 0) is not
    assert scores == pytest.approx({"f1a": 100 * 6 / 7, "em": 100 * 2 / 3})


def test_record_scores_the_entity_with_the_highest_logit_of_the_right_class() -> None:
    golds = ("the U.S.", "Barack Obama")
    examples = [
        Example((("p", "q"),), 0, (0, 0), ("Michelle Obama", golds)),
        Example((("p", "q"),), 1, (0, 0), ("Barack Obama", golds)),
        Example((("p", "q"),), 1, (0, 1), ("US", golds)),
    ]
    task = tasks.load("record")
    # The second column decides, even where the first prefers "wrong" by far.
    assert task.score(examples, np.array([[0, 1], [9, 2], [0, 0]])) == {"f1": 100.0, "em": 100.0}
    assert task.score(examples, np.array([[0, 3], [0, 2], [0, 0]])) == {"f1": 75.0, "em": 50.0}


@pytest.mark.parametrize(
    "prediction, gold, f1, em",
    [
        ("The U.S.", "us", 1, 1),
        ("New  York", "new york", 1, 1),
        ("New York City", "York", 0.5, 0),
        ("Paris", "Rome", 0, 0),
        ("b b a-c", "b d", 0.4, 0),  # tokens b, b, ac: one b shared of 3 and 2
        ("theatre an", "theatre", 1, 1),  # articles go as whole words only
    ],
)
def test_squad_scores(prediction: str, gold: str, f1: float, em: float) -> None:
    assert squad.token_f1(prediction, gold) == pytest.approx(f1) == squad.token_f1(gold, prediction)
    assert squad.exact(prediction, gold) == em


@pytest.mark.parametrize("seed", range(20))
def test_metrics_agree_with_oracles(seed: int) -> None:
    draw = random.Random(seed)
    size = draw.randint(1, 30)
    labels, predictions = ([draw.randrange(3) for _ in range(size)] for _ in range(2))
    assert classification.accuracy(labels, predictions) == pytest.approx(
        100 * sum(a == b for a, b in zip(labels, predictions, strict=True)) / size
    )
    naive = []
    for one in range(3):
        hits = sum(a == b == one for a, b in zip(labels, predictions, strict=True))
        naive.append(2 * hits / (labels.count(one) + predictions.count(one)) if hits else 0)
    assert classification.macro_f1(labels, predictions, 3) == pytest.approx(100 * sum(naive) / 3)

    binary, guesses = [label % 2 for label in labels], [guess % 2 for guess in predictions]
    assert classification.binary_f1(binary, guesses) == pytest.approx(100 * f1_score(binary, guesses, zero_division=0))
    groups = [(draw.randrange(2), draw.randrange(4)) for _ in range(size)]
    wrong = {group for group, a, b in zip(groups, binary, guesses, strict=True) if a != b}
    expected = 100 * (1 - len(wrong) / len(set(groups)))
    assert classification.exact_match_by_group(groups, binary, guesses) == pytest.approx(expected)


@pytest.mark.parametrize("name", [*SUPERGLUE, *GLUE])
def test_right_logits_score_100_and_the_order_of_examples_does_not_matter(name: str) -> None:
    task, draw = tasks.load(name), random.Random(0)
    families = task.miniature(random.Random(1))
    rows = [{**row, "idx": idx} for idx, row in enumerate(row for _ in range(6) for row in next(families))]
    examples = [example for row in rows for example in task.examples(row, "here")]
    right = np.eye(len(task.labels))[[example.label for example in examples]]
    assert set(task.score(examples, right).values()) == {100.0}
    noisy = right + np.random.default_rng(0).normal(size=right.shape)
    order = draw.sample(range(len(examples)), len(examples))
    shuffled = task.score([examples[index] for index in order], noisy[order])
    assert shuffled == pytest.approx(task.score(examples, noisy))
    assert task.metric in shuffled
