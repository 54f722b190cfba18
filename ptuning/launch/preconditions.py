"""What can be seen to be wrong with runs before any is begun, although their configs alone do not tell: it takes a
look at this machine. Records are read without it, where neither data nor backbones need be."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

from ptuning import methods, tasks
from ptuning.backbones import load
from ptuning.backbones.shape import Shape
from ptuning.config import BackboneConfig, RunConfig
from ptuning.data import sources


def check(runs: Iterable[RunConfig]) -> None:
    """Raise InputError for the first of `runs` whose data are not here, whose backbone cannot be adapted as it is to
    be, or cannot take its prompt. Of backbones the configs alone are read, and nothing is fetched: one that is not
    here is looked at when it is."""
    shape_here, check_adaptation = cache(load.shape_here), cache(load.check_adaptation)
    for run in runs:
        check_adaptation(run.backbone)
        _check_data(run)
        _check_prompt(run, shape_here)


def _check_data(run: RunConfig) -> None:
    for one in run.by_task.values():
        sources.check(tasks.of(one.single), one.data)


def _check_prompt(run: RunConfig, shape_here: Callable[[BackboneConfig], Shape | None]) -> None:
    shape = shape_here(run.backbone)
    if shape is None:
        return
    method, prompt = methods.load(run.method), methods.prompt_of(run)
    for one in run.by_task.values():
        method.check_shape(prompt, shape, one.single.max_length)
