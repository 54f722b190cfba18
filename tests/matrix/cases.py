"""Every kind of run that there is, from what is found by name: a new method, head or family joins by itself."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import get_args

from omegaconf import OmegaConf

from ptuning import heads, methods, registry, tasks
from ptuning.backbones import tiny
from ptuning.launch.compose import CONF
from ptuning.prompts.placement import Placement, Positions
from tests.matrix.pairs import Case, every_case, every_pair

TINY = {"stride": 16}  # of task.options whose values in conf/ are for long texts


def dimensions(prompted: bool) -> dict[str, list[str]]:
    """What tells runs with a prompt apart, or those without: the names of each part."""
    chosen = [
        name for name in registry.names("ptuning.methods") if (methods.load(name).Prompt is not None) is prompted
    ]
    found = {"family": list(tiny.FAMILIES), "head": registry.names("ptuning.heads"), "method": chosen}
    if prompted:
        found["reparameterization"] = registry.names("ptuning.prompts.reparameterizations")
        found["placement"] = list(get_args(Placement))
        found["positions"] = list(get_args(Positions))
    return found


def paired() -> list[Case]:
    """Cases in which every two values meet."""
    return [*every_pair(dimensions(False)), *every_pair(dimensions(True))]


def all_cases() -> list[Case]:
    return [*every_case(dimensions(False)), *every_case(dimensions(True))]


def name(case: Case) -> str:
    return "-".join(case.values())


def overrides(case: Case, folder: Path) -> list[str]:
    """What composes to the case's run: tiny, on generated data, with its files in `folder`."""
    task = task_of(case["head"])
    options = OmegaConf.load(CONF / f"task/{task}.yaml").get("options") or {}
    return [
        f"backbone={case['family']}", f"head={case['head']}", f"method={case['method']}", f"task={task}",
        "task.max_length=64", *(f"task.options.{key}={value}" for key, value in TINY.items() if key in options),
        "data=miniature", "data.train_rows=8", "data.dev_rows=4", "data.test_rows=4",
        "train.epochs=1", "train.batch_size=4", "runtime.device=cpu", "runtime.wandb=disabled",
        "runtime.progress=false", "runtime.tokens_per_pass=4096",
        f'runtime.results="{folder}/results"', f'runtime.weights="{folder}/weights"',
        *(_prompt(case) if "placement" in case else []),
    ]  # fmt: skip


def _prompt(case: Case) -> list[str]:
    where = [f"prompt.{key}={case[key]}" for key in ("placement", "positions")]
    return [f"reparameterization={case['reparameterization']}", *where, "prompt.length=4", "prompt.init.std=0.5"]


@cache
def task_of(head: str) -> str:
    """The first task that the head answers: as its own, or else in the place of another head."""
    wanted = {name: tasks.load(name).head for name in registry.names("ptuning.tasks")}
    answered = [head, *heads.load(head).also_answers]
    return min(wanted, key=lambda name: answered.index(wanted[name]) if wanted[name] in answered else len(answered))
