"""Every template of conf/task is of its task's fields and labels, and one of its own miniature examples fills it."""

from __future__ import annotations

import random

import pytest
from omegaconf import OmegaConf

from ptuning import heads, tasks
from ptuning.config import TaskConfig
from ptuning.data.templates import Template
from ptuning.heads.verbalizer import Verbalizer
from ptuning.launch import compose
from ptuning.launch.compose import CONF
from ptuning.parsed import Run

FILES = {file.stem: OmegaConf.to_container(OmegaConf.load(file)) for file in sorted((CONF / "task").glob("*.yaml"))}
TEMPLATES = [(task, name) for task, file in FILES.items() for name in file.get("templates", {})]


def reader(task):
    """The head that reads the templates of a task: its own, or the verbalizer in its place."""
    own = heads.load(tasks.own_head(task))
    return own if own.Keys is not None and "template" in own.Keys.model_fields else Verbalizer


@pytest.mark.parametrize(("task", "name"), TEMPLATES)
def test_a_template_is_of_its_tasks_fields_and_labels(make_run, task, name):
    found = TaskConfig.model_validate(
        {key: FILES[task][key] for key in ("name", "max_length", "bundled", "templates")}
    )
    template = found.templates[name]
    loaded = tasks.load(task, **FILES[task]["options"])
    head = reader(task)
    keys = {"template": template.text, "words": template.words, "loss": "labels", "z_loss": 0.0}
    own = {key: value for key, value in keys.items() if key in head.Keys.model_fields}
    head.check(make_run(task=task, head={"name": heads.name_of(head), **own}), loaded)
    labels = {str(label) for label in loaded.labels}
    assert template.words.keys() in (labels, set())
    (row, *_) = next(loaded.miniature(random.Random(1)))
    (example, *_) = loaded.examples(row | {"idx": 0}, "here")
    parts = Template.parse(template.text, "templates").parts
    text = "".join(part.written(example.texts) for part in parts if part.is_text)
    for value in {example.texts[field] for field in Template.parse(template.text, "templates").fields}:
        assert value.rstrip(".,:;!?").lower() in text.lower()


@pytest.mark.parametrize("task", sorted({task for task, _ in TEMPLATES if reader(task) is Verbalizer}))
def test_a_run_takes_the_first_by_default(task):
    config = compose.read(compose.composed([f"task={task}", "head=verbalizer", "backbone=tiny_t5"]))
    first = next(iter(FILES[task]["templates"].values()))
    assert (config.head.keys["template"], config.head.keys["words"]) == (first["text"], first["words"])
    Run.parse(config)
