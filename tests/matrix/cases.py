"""Every kind of run that there is, from what is found by name: a new method, init, head or family joins by
itself."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import get_args

from omegaconf import OmegaConf

from ptuning import heads, methods, registry, tasks
from ptuning.backbones import tiny
from ptuning.errors import InputError
from ptuning.launch import rerun
from ptuning.launch.compose import CONF
from ptuning.methods.base import PromptMethod
from ptuning.prompts import inits, reparameterizations
from ptuning.prompts.placement import Placement, Positions
from tests.matrix.covering import Case, covering

SENTENCE = '"does the second text follow from the first one or does it not"'
OPEN = {str: SENTENCE, int: "2", float: "0.5"}  # values of keys that a file of conf/ leaves open (`???`)
TINY = {
    "max_target_length": 16,
    "most_frequent": 100,
    "hidden": 16,
    "stride": 16,
    "vectors": 8,
}  # of keys whose values in conf/ are for real backbones and texts


def dimensions(prompted: bool) -> dict[str, list[str]]:
    """What tells runs with a prompt apart, or those without: the names of each part."""
    everything = registry.names("ptuning.methods")
    chosen = [name for name in everything if issubclass(methods.load(name), PromptMethod) is prompted]
    found = {"family": list(tiny.FAMILIES), "head": _answering(), "method": chosen}
    if prompted:
        found["init"] = registry.names("ptuning.prompts.inits")
        found["reparameterization"] = registry.names("ptuning.prompts.reparameterizations")
        found["placement"] = list(get_args(Placement))
        found["positions"] = list(get_args(Positions))
    return found


def meeting(size: int) -> list[Case]:
    """Cases in which any `size` values meet: where they can, in one whose prompt has something to start from, and a
    place to stand."""
    return [*covering(dimensions(False), min(size, 2)), *covering(dimensions(True), size, _can_start)]


def name(case: Case) -> str:
    return "-".join(case.values())


def overrides(case: Case, folder: Path) -> list[str]:
    """What composes to the case's run: tiny, on generated data, with its files in `folder`."""
    task = task_of(case["head"])
    options = OmegaConf.load(CONF / f"task/{task}.yaml").get("options") or {}
    return [
        f"backbone={case['family']}", f"head={case['head']}", f"method={case['method']}", f"task={task}",
        "task.max_length=64", *_tiny("task.options", options),
        *_tiny("head", OmegaConf.load(CONF / f"head/{case['head']}.yaml")),
        "data=miniature", "data.train_rows=8", "data.dev_rows=4", "data.test_rows=4",
        *_length(case["method"]), "train.batch_size=4", "runtime.device=cpu", "runtime.wandb=disabled",
        "runtime.progress=false", "runtime.tokens_per_pass=4096",
        f'runtime.results="{folder}/results"', f'runtime.weights="{folder}/weights"',
        *(_prompt(case) if "placement" in case else []),
    ]  # fmt: skip


def _length(method: str) -> list[str]:
    """One epoch, but of a method whose own file says how long it trains."""
    own = OmegaConf.load(CONF / f"method/{method}.yaml").train
    return [] if "steps" in own else ["train.epochs=1"]


def _prompt(case: Case) -> Iterator[str]:
    init, reparameterization = inits.load(case["init"]), reparameterizations.load(case["reparameterization"])
    yield from ("prompt.length=4", f"prompt.placement={case['placement']}", f"prompt.positions={case['positions']}")
    yield from _template(case)
    for group, schema in (("init", init.Config), ("reparameterization", reparameterization.Config)):
        yield f"{group}={case[group]}"
        file = OmegaConf.load(CONF / group / f"{case[group]}.yaml")
        yield from _tiny(f"prompt.{group}", file)
        for key in OmegaConf.missing_keys(file):
            yield f"prompt.{group}.{key}={OPEN[schema.model_fields[key].annotation]}"
    if init.uses_sources:
        yield "+sources.first.seed=2"


def _template(case: Case) -> Iterator[str]:
    """Its task's first template, or the head's own, with places for a prompt of four rows, apart from each other."""
    if case["placement"] == "template" and _has_templates(case["head"]):
        templates = OmegaConf.load(CONF / f"task/{task_of(case['head'])}.yaml").get("templates") or {}
        first = next(iter(templates.values()), None) or OmegaConf.load(CONF / f"head/{case['head']}.yaml")
        text = first.get("text") or first.template
        before, *behind = re.split(r"<p(?::\d+)?>", text)
        text = f"<p> {before}<p:3>{''.join(behind)}"
        yield f"head.template={rerun.format_value(text)}"


def _has_templates(head: str | None) -> bool:
    """Whether a head reads a template, or, where none is chosen yet, one can be."""
    keys = None if head is None else heads.load(head).Keys
    return head is None or (keys is not None and "template" in keys.model_fields)


def _tiny(node: str, keys: Container[str]) -> Iterator[str]:
    return (f"{node}.{key}={value}" for key, value in TINY.items() if key in keys)


def _answering() -> list[str]:
    """The heads that some task can be answered by."""
    wanted = set(_own_heads().values())
    return [name for name in registry.names("ptuning.heads") if wanted & {name, *heads.load(name).also_answers}]


@cache
def _own_heads() -> dict[str, str]:
    return {name: tasks.load(name).head for name in registry.names("ptuning.tasks")}


@cache
def task_of(head: str) -> str:
    """The first task that the head answers: as its own, or else in the place of another head."""
    wanted = _own_heads()
    answered = [head, *heads.load(head).also_answers]
    return min(wanted, key=lambda name: answered.index(wanted[name]) if wanted[name] in answered else len(answered))


def _can_start(case: Case) -> bool:
    """Whether what a case says so far can be made one whose prompt has something to start from, and a place."""
    if case.get("placement") == "template" and not _has_templates(case.get("head")):
        return False
    return any(all(case.get(key, value) == value for key, value in recipe.items()) for recipe in _recipes())


@cache
def _recipes() -> list[Case]:
    """Methods, inits and reparameterizations that go together."""
    names = ("method", "init", "reparameterization")
    found = [dict(zip(names, one, strict=True)) for one in product(*(dimensions(True)[name] for name in names))]
    return [recipe for recipe in found if not _is_refused(**recipe)]


def _is_refused(method: str, init: str, reparameterization: str) -> bool:
    gives_prompt = reparameterizations.load(reparameterization).starts_from_prompt
    kind, start = methods.load(method).kind, inits.load(init)
    try:
        start.check(init, kind, gives_prompt, int(start.uses_sources))
    except InputError:
        return True
    return False
