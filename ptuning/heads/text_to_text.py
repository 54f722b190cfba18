"""Text-to-text: a task of another kind asked as a text, and answered with a text that the backbone generates (Raffel
et al., 2020, section 2.4; Prompt Tuning, Lester et al., 2021, section 3).

What is read and said is the task's (`ptuning.tasks.kinds.text_forms`); a text of another form is wrong, and counted
(`unread`, in percent). Tasks with a few labels have `head=verbalizer`, which scores each label's words instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ptuning.config import RunConfig
from ptuning.data.encoded import Encoded
from ptuning.errors import InputError
from ptuning.heads.base import HeadContext
from ptuning.heads.generation import Generation
from ptuning.tasks.base import AnyTask
from ptuning.tasks.kinds.examples import Request
from ptuning.tasks.kinds.text_forms import TextForm


class TextToText(Generation):
    """As `generation`, of tasks with other answers than texts."""

    also_answers = ("span", "token", "regression")

    @classmethod
    def fields(cls, task: AnyTask) -> Sequence[str]:
        return ("source",)

    @classmethod
    def check(cls, config: RunConfig, task: AnyTask) -> None:
        _form(task)
        super().check(config, task)

    @classmethod
    def requests(cls, context: HeadContext, examples: Sequence[Any]) -> list[Request]:
        form = _form(context.task)
        return [form.request(example) for example in examples]

    @classmethod
    def unread(cls, context: HeadContext, examples: Sequence[Any], texts: Sequence[str]) -> int:
        form = _form(context.task)
        return sum(form.read(example, text) is None for example, text in zip(examples, texts, strict=True))

    @classmethod
    def collect(
        cls, context: HeadContext, examples: Sequence[Any], encoded: Encoded, predictions: Sequence[np.ndarray]
    ) -> Any:
        """The answers that the texts stand for."""
        return _form(context.task).answers(examples, cls.texts(context, predictions))


def _form(task: AnyTask) -> TextForm[Any]:
    """Raises InputError for a task without one."""
    form = task.text_form()
    if form is None:
        raise InputError(
            f"head=text_to_text is refused: task.name={task.name} has no form as a text; choose head=auto."
        )
    return form
