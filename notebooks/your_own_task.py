# %% [markdown]
# # A task of your own
#
# A task is two files, found by their name: `ptuning/tasks/<name>.py` says what its rows are, how they become text and
# how answers are scored; `conf/task/<name>.yaml` says what of that a run may set. There is no list to add it to. This
# notebook makes both for a small task, looks at what the project asks of them, and trains a run.
#
# So that it leaves the repository as it is, the files go into a temporary folder here; for yours, put them in the two
# folders above, and leave out the two lines marked below.

# %%
import json
import sys
import tempfile
from pathlib import Path

sys.path += [".", ".."]  # the repository, from its own folder or from notebooks/

import pandas as pd
import torch
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from ptuning import registry, tasks
from ptuning.backbones import load
from ptuning.config import DataConfig
from ptuning.data import splits
from ptuning.errors import InputError
from ptuning.launch import compose
from ptuning.parsed import Run
from ptuning.records import store
from ptuning.sweep import sweep
from ptuning.training.datasets import DatasetCache

torch.set_num_threads(1)  # the backbone is tiny: threads would only wait for each other
workplace = tempfile.TemporaryDirectory()
folder = Path(workplace.name)

# %% [markdown]
# ## The two files
# The task: whoever gets a thing pays for it. *Tom had a lamp from a baker* goes with *Tom paid the baker*, not with
# *The baker paid Tom*. A row is a JSON object with `scene`, `claim` and `label`, and a subclass of `Task` says the
# rest. `AccuracyTask` brings the metric; `ptuning/tasks/kinds/` has what named entities, questions and roles share.

# %%
TASK = '''
"""Payer: whoever gets a thing pays for it."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import ClassVar

from ptuning.formats import fields
from ptuning.formats.rows import Row
from ptuning.tasks.kinds.classification import AccuracyTask
from ptuning.tasks.kinds.examples import Example
from ptuning.tasks.kinds.miniature_words import PEOPLE, THINGS

JOBS = ["baker", "cook", "driver", "farmer", "guard", "nurse", "pilot", "sailor", "singer", "teacher", "waiter"]


class Payer(AccuracyTask):
    name = "payer"
    version = 1
    head = "classification"
    labels = ("yes", "no")
    folder = "payer"
    files: ClassVar = {"train": "payer/train.jsonl", "dev": "payer/dev.jsonl"}

    def examples(self, row: Row, where: str) -> list[Example]:
        scene, claim = fields.text(row, "scene", where), fields.text(row, "claim", where)
        return [Example(((scene, claim),), fields.label(row, self.labels, where))]

    def from_hub(self, rows: Iterable[Row]) -> Iterator[Row]:
        return iter(rows)  # a copy on the hub would have the same columns

    def miniature(self, rng: random.Random) -> Iterator[list[Row]]:
        """Swapping who paid flips the answer, with the same words."""
        while True:
            person, thing, job = rng.choice(PEOPLE), rng.choice(THINGS), rng.choice(JOBS)
            claims = {"yes": f"{person} paid the {job}.", "no": f"The {job} paid {person}."}
            yield [
                {"scene": f"{person} had a {thing} from a {job}.", "claim": claim, "label": label}
                for label, claim in claims.items()
            ]
'''
CONF = """
# Payer: made up for notebooks/your_own_task.py.
name: payer
max_length: 32
bundled: miniature # what data=bundled means
options: {}
"""
for file, content in {"tasks/payer.py": TASK, "conf/task/payer.yaml": CONF}.items():
    (folder / file).parent.mkdir(parents=True)
    (folder / file).write_text(content.lstrip())

tasks.__path__.append(str(folder / "tasks"))  # only because the task is not in ptuning/tasks
searchpath = f'hydra.searchpath=["file://{folder}/conf"]'  # and its YAML not in conf/task

payer = tasks.load("payer")
print(f"payer is found: {'payer' in registry.names('ptuning.tasks')}")

# %% [markdown]
# ## What is refused
# Rows are read with `ptuning.formats.fields`, so that a malformed one is refused before training, in one sentence:
# where it stands, what is wrong, and what to do.

# %%
malformed = [
    {"scene": "Tom had a lamp from a baker.", "claim": 7, "label": "yes"},
    {"scene": "Tom had a lamp from a baker.", "claim": "Tom paid the baker.", "label": "maybe"},
    {"scene": "Tom had a lamp from a baker.", "label": "yes"},
]
for number, row in enumerate(malformed, 1):
    try:
        payer.examples(row, f"payer/train.jsonl:{number}")
    except InputError as error:
        print(f"error: {error}")

# %% [markdown]
# ## What the miniature must be
# Every task generates a *miniature* of itself, for tests and for machines without its data. It is worth a run only if
# no shortcut solves it: always giving one answer, and a linear classifier of each sentence's bag of words, must stay
# at chance. `tests/tasks/test_miniatures.py` asks that of the tasks named in `tests/conftest.py`: add yours there.

# %%
drawn = splits.load(payer, DataConfig(source="miniature"))
sets = {"train": drawn.train, "dev": drawn.dev}
labels = {name: [example.label for example in rows] for name, rows in sets.items()}
texts = {
    name: pd.DataFrame([example.segments[0] for example in split], columns=["scene", "claim"])
    for name, split in sets.items()
}

bags = make_column_transformer((CountVectorizer(), "scene"), (CountVectorizer(), "claim"))
classifier = make_pipeline(bags, LogisticRegression()).fit(texts["train"], labels["train"])
print(texts["dev"].assign(label=[payer.labels[label] for label in labels["dev"]]).head(4).to_string(index=False))
print()
print(f"{len(labels['train'])} training and {len(labels['dev'])} dev examples")
print(f"always yes:    {labels['dev'].count(0) / len(labels['dev']):.0%} right")
print(f"bags of words: {classifier.score(texts['dev'], labels['dev']):.0%} right")

# %% [markdown]
# ## What the backbone reads
# The head's name, `classification`, decides how examples are encoded: two segments in one sequence, `[CLS]` in front.
# Deep prompts with `placement=prefix` stand before all of it; with `infix`, after the first segment's last token. (The
# tokenizer is a toy that cuts words into pairs of letters, as the backbone below is a toy.)

# %%
(run,) = compose.expand([searchpath, "task=payer", "data=miniature", "backbone=tiny_bert"])
backbone = load.load(run.backbone, run.train)
encoded = DatasetCache(backbone).of(Run.parse(run), "payer").dev.first(1)
tokens = backbone.tokenizer.convert_ids_to_tokens(encoded.tokens)
print("first segment: ", *tokens[: encoded.infix[0]])
print("second segment:", *tokens[encoded.infix[0] :])
print("token types:   ", *encoded.types)
print("target:        ", *encoded.targets, "=", payer.labels[encoded.targets[0]])

# %% [markdown]
# ## A run
# From config to record, on a tiny BERT with random weights. They must be fine-tuned: frozen, they give a prompt
# nothing to work with. With the two files in place, `python -m experiments.run task=payer data=miniature ...` does the
# same; without `backbone` and `method`, it trains P-Tuning v2 on a real encoder. Rows of your own, in
# `<folder>/payer/train.jsonl` and `dev.jsonl`, are read with `data=local data.root=<folder>`.

# %%
(run,) = compose.expand([
    searchpath, "task=payer", "data=miniature", "data.train_rows=1000", "backbone=tiny_bert", "method=fine_tuning",
    "train.epochs=4", "train.lr=2e-3", "train.warmup=0", "runtime.device=cpu", "runtime.wandb=disabled",
    "runtime.progress=false", f"runtime.results={folder}/results", f"runtime.weights={folder}/weights",
])  # fmt: skip
record = sweep.launch(run)
print(store.path(run).name)

# %% [markdown]
# Its record, without the config and what differs from one execution to the next (speed, machine, versions, commit):

# %%
told = ("id", "status", "metric", "score", "selection", "parameters", "data")
print(json.dumps({key: record[key] for key in told}, indent=1))
print("dev accuracy by epoch:", ", ".join(f"{epoch['dev']['accuracy']:.1f} %" for epoch in record["history"]))

# %% [markdown]
# ## And away with it

# %%
tasks.__path__.remove(str(folder / "tasks"))
workplace.cleanup()
print(f"payer is found: {'payer' in registry.names('ptuning.tasks')}")
