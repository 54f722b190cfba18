"""What `experiments.run --help` prints: what can be set, what it means, and examples."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from experiments import reference
from ptuning.config import RunConfig
from ptuning.launch import compose
from ptuning.launch.composition_errors import names

INTRODUCTION = """ptuning: learn a prompt for a frozen backbone, and record what comes out.

  ptuning run task=rte method=p_tuning_v2 prompt.length=20 seed=1        one run
  ptuning run -m task=cb,rte method=prompt_tuning,p_tuning_v2 seed=1,2   a sweep: all combinations of the values
  ptuning run -m experiment=p_tuning_v2/table2 profile=laptop            an experiment of conf/experiment
  ptuning run task=rte data=local data.root=<folder>                     official files of one's own
  ptuning run plugins=<folder> task=mine                                 parts of one's own: tasks/, methods/, conf/
  ptuning run --config-dir <folder> task=mine                            files of one's own: <folder>/task/mine.yaml
  ptuning run --cfg job task=rte                                         what that composes to, without running it

In a clone, `python -m experiments.run` is the same. What has a record is not run again."""
WIDTH, COLUMN = 119, 34
LISTED = ("backbone", "task", "data", "method", "head", "init", "reparameterization", "paper", "profile")


def text() -> str:
    """The whole of it."""
    return "\n".join([INTRODUCTION, "", "Files to choose (group=name):", *_groups(), "", *_keys()])


def _groups() -> Iterator[str]:
    for group in LISTED:
        yield from _entry(group, ", ".join(names(compose.CONF / group)))


def _keys() -> Iterator[str]:
    """The keys of every run, and of the method and the initialization that it has by default."""
    plain = compose.composed([])
    yield "Keys of every run (key=value), with their defaults:"
    for key, allowed, default, meaning in reference.rows(RunConfig, plain):
        yield from _entry(_bare(key), f"{_bare(meaning)} [{_bare(default) or _bare(allowed)}]".lstrip())
    yield ""
    yield "Keys of methods, heads, initializations, tasks' options and sources: docs/reference.md."


def _bare(shown: str) -> str:
    return shown.replace("`", "").replace("\\|", "|")


def _entry(name: str, said: str) -> Iterator[str]:
    first = f"  {name}".ljust(COLUMN - 1) + " "
    yield from textwrap.wrap(said, WIDTH, initial_indent=first, subsequent_indent=" " * COLUMN, break_on_hyphens=False)
