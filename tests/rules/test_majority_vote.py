"""What most prompts say counts; of a tie, the first."""

import numpy as np
import pytest

from ptuning import tasks
from ptuning.errors import InputError
from ptuning.rules.majority_vote import MajorityVote
from ptuning.tasks.kinds.examples import Example, Question
from ptuning.tasks.kinds.qa import Candidates


def logits(*labels):
    return np.eye(3)[list(labels)]


def test_the_label_of_most_and_of_a_tie_the_first():
    task = tasks.load("cb")
    combined = MajorityVote.combine(task, [None] * 4, [logits(0, 2, 1, 1), logits(1, 2, 0, 2), logits(1, 0, 0, 0)])
    assert combined.argmax(1).tolist() == [1, 2, 0, 1]
    assert MajorityVote.combine(task, [None], [logits(2), logits(0), logits(0), logits(2)]).argmax(1).tolist() == [2]


def test_answers_are_voted_on_by_their_text():
    """Two of three say "the hall", found at different places."""
    task = tasks.load("squad")
    question = Question("Where?", "the hall, not the shop: the hall.", None, "q")
    said = [Candidates(((begin, begin + 8, 1.0),), 0.0) for begin in (14, 0, 24)]
    (answer,) = MajorityVote.combine(task, [question], [[one] for one in said])
    assert task.answer(question, answer) == "the hall"


def test_entities_of_one_query_are_voted_on_together():
    """Each prompt's answer is the likeliest entity; the single logits would say otherwise."""
    task = tasks.load("record")
    examples = [Example((("a", "b"),), 0, (0, 0), (name, (name,))) for name in ("Ann", "Bob")]
    prompts = [np.array([[0.0, first], [0.0, second]]) for first, second in ((-1, -2), (-1, -2), (1, 9))]
    combined = MajorityVote.combine(task, examples, prompts)
    assert combined[:, 1].tolist() == [-1, -2]


def test_a_task_without_anything_to_vote_on_is_refused():
    with pytest.raises(InputError, match=r"answers of task.name=conll04 cannot be voted on"):
        MajorityVote.combine(tasks.load("conll04"), [], [[], []])
