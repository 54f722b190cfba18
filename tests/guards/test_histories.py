"""Tiny runs from beginning to end give the numbers that they gave when this guard was made: the loss of every epoch to
the last bit, scores on dev and test sets, the examples answered rightly, the epoch chosen, the parameters.

Whoever moves, splits or renames code changes nothing here. A change that is meant to move a number raises
`PROTOCOL`, and only then, or when a pinned version moves (requirements.txt), or a run is added or removed here, are
the expectations made anew, on one machine and all at once:

    REMAKE_GUARDS=1 python -m pytest tests/guards/test_histories.py

Look at the difference: where only a run was added, no other line may change.

The last bits depend on the processor and on the versions of the libraries. The file says which made it; where they are
others, losses are compared to 1e-4 of their size, and all else exactly. (On another processor, therefore, remake
nothing to make this pass.)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import torch

from tests.guards.support import (
    PROTOCOL,
    REMAKING,
    Expectations,
    Make,
    RunConfig,
    from_mixture,
    made_with,
    numbers,
    on_mixture,
    run,
)


class Asked(NamedTuple):
    """A run: what `make_run` is asked for, and the mixture it is on, or that its source run is on."""

    method: str
    task: str = "rte"
    overrides: dict[str, Any] = {}  # noqa: RUF012
    mixture: str | None = None


SETS = {"a": "wnut17", "b": "btc", "c": "rte"}
DEEP, INPUT = "p_tuning_v2", "prompt_tuning"
MLP = {"prompt__reparameterization": {"name": "mlp", "hidden": 16}}
INFIX = {"prompt__placement": "infix"}
KEEP = {"prompt__positions": "keep"}
DROPOUT = {"prompt__dropout": 0.2}
TESTS = {"data__test_rows": 8}
NER = TESTS | {"train__lr": 1e-3}  # small, so that not every word is soon said to be O
WINDOWED = {"task__options": {"stride": 16}, "task__max_length": 48}  # a question's passage in several windows
TASKS: dict[str, dict[str, Any]] = {  # at least one of each head, and of each metric
    "cb": {}, "copa": {}, "multirc": {}, "record": {"task__max_length": 128}, "wnut17": NER | {"seed": 3},
    "conll04": NER, "squad": WINDOWED, "squad_v2": WINDOWED, "conll05": TESTS, "ewt": TESTS,
}  # fmt: skip
PROMPTS: dict[str, dict[str, Any]] = {
    "mlp": MLP, "infix": INFIX, "keep": KEEP, "dropout": DROPOUT, "infix-keep": INFIX | KEEP,
    "mlp-infix-dropout": MLP | INFIX | DROPOUT, "long": {"prompt__length": 20}, "wide": {"prompt__init__std": 1.0},
}  # fmt: skip
TRAINING: dict[str, dict[str, Any]] = {
    "warmup": {"train__warmup": 0.4},
    "constant": {"train__schedule": "constant"},
    "exponential": {"train__schedule": "exponential", "train__gamma": 0.5},
    "exponential-warmup": {"train__schedule": "exponential", "train__warmup": 0.2},
    "weight_decay": {"train__weight_decay": 0.1},
    "unclipped": {"train__clip": None},
    "backbone_dropout": {"train__backbone_dropout": 0.1},
    "head_dropout": {"train__head_dropout": 0.5},
    "patience": {"train__patience": 1, "train__epochs": 6, "train__lr": 1e-5},
    "last_epoch": {"selection": "last", "train__epochs": 3},
    "another_seed": {"seed": 7},
    "gradient_checkpointing": {"runtime__gradient_checkpointing": True},
    "eager_attention": {"runtime__attention": "eager"},
    # Without dropout, because how a batch is cut decides what is dropped.
    "cut_into_passes": {"runtime__tokens_per_pass": 64, "train__head_dropout": 0.0},
    "diverged": {"train__lr": 1e30},
}
DEPTHS: dict[str, dict[str, Any]] = {
    "layers_3_to_4": {"prompt__layers": "3-4"},
    "layers_1_and_3": {"prompt__layers": [1, 3]},
    "last_layer": {"prompt__layers": 4},
    "last_layer-uncached": {"prompt__layers": 4, "runtime__hidden_cache_memory_gb": 0.0},
    "layers_3_to_4-infix-mlp": {"prompt__layers": "3-4"} | INFIX | MLP,
}
POOLERS = {pooler: {"backbone__pooler": pooler} for pooler in ("trained", "random")}
FAMILIES = {
    family: {"backbone__name": f"tiny_{family}", "backbone__id": f"tiny_{family}"}
    for family in ("roberta", "deberta", "deberta_v2", "mpnet")
}


def _solo() -> Iterator[tuple[str, Asked]]:
    for method in ("fine_tuning", INPUT, DEEP):
        yield method, Asked(method)
        yield from ((f"{method}-{task}", Asked(method, task, keys)) for task, keys in TASKS.items())
        yield from ((f"{method}-{family}", Asked(method, "rte", keys)) for family, keys in FAMILIES.items())
        yield from ((f"{method}-{pooler}_pooler", Asked(method, "rte", keys)) for pooler, keys in POOLERS.items())
        yield from ((f"{method}-{what}", Asked(method, "rte", keys)) for what, keys in TRAINING.items())
        yield f"{method}-mixture", Asked(method, mixture="on")
    for method in (INPUT, DEEP):
        yield from ((f"{method}-{what}", Asked(method, "rte", keys)) for what, keys in PROMPTS.items())
        for task in ("copa", "wnut17", "squad"):
            keys = TASKS[task] | INFIX | DROPOUT
            yield f"{method}-infix-dropout-{task}", Asked(method, task, keys)
        for family, keys in FAMILIES.items():
            if method == DEEP or family == "roberta":  # the others refuse it (`families.counts_columns`)
                yield f"{method}-infix-keep-{family}", Asked(method, "cb", keys | INFIX | KEEP)
        yield f"{method}-from_mixture", Asked(method, "btc", NER, mixture="before")
        yield f"{method}-infix-from_mixture", Asked(method, "wnut17", NER | INFIX | DROPOUT, mixture="before")
    yield from ((f"{DEEP}-{what}", Asked(DEEP, "rte", keys)) for what, keys in DEPTHS.items())
    yield f"{DEEP}-last_layer-squad", Asked(DEEP, "squad", WINDOWED | {"prompt__layers": 4})
    double = {"prompt__double_embedding": True}
    yield f"{INPUT}-double_embedding", Asked(INPUT, "rte", double)
    yield f"{INPUT}-double_embedding-infix-roberta", Asked(INPUT, "cb", double | INFIX | FAMILIES["roberta"])


def _packs() -> Iterator[tuple[str, list[Asked]]]:
    for method in (INPUT, DEEP):
        yield f"{method}-tasks", [Asked(method, task, keys) for task, keys in TASKS.items()]
        yield f"{method}-prompts", [Asked(method, "rte", keys) for keys in PROMPTS.values()]
        yield f"{method}-infix", [Asked(method, task, INFIX | TASKS[task]) for task in ("cb", "copa", "squad")]
    yield "depths", [Asked(DEEP, "rte", DEPTHS[what]) for what in ("layers_3_to_4", "last_layer", "layers_1_and_3")]
    both = (INPUT, DEEP)
    yield "methods", [Asked(method, "cb", {"seed": seed, **DROPOUT}) for method in both for seed in (1, 2)]
    alone = ("backbone_dropout", "gradient_checkpointing", "eager_attention", "cut_into_passes")
    yield "trainings", [Asked(DEEP, "rte", keys) for what, keys in TRAINING.items() if what not in alone]
    keys: dict[str, Any] = {"runtime__tokens_per_pass": 100}
    yield "waiting_for_room", [Asked(method, "rte", keys | MLP) for method in both] + [Asked(DEEP, "cb", keys)]
    yield "mixture", [Asked(DEEP, mixture="on"), Asked(DEEP, "btc", NER), Asked(INPUT, "cb")]
    yield "backbone_dropout", [Asked(method, "rte", TRAINING["backbone_dropout"]) for method in both]
    yield "random_pooler", [Asked(DEEP, "rte", {"seed": seed, **POOLERS["random"]}) for seed in (1, 2)]
    for family, keys in FAMILIES.items():
        # A tiny DeBERTa scores places of a passage alike, so that rounding would choose the answer.
        names = ("cb", "wnut17", "copa" if family == "deberta" else "squad")
        asked = [Asked(method, task, keys | TASKS[task]) for method in both for task in names]
        yield family, [*asked, Asked(DEEP, "cb", keys | INFIX)]


RUNS: dict[str, list[Asked]] = {name: [asked] for name, asked in _solo()}
RUNS |= {f"packed-{name}": asked for name, asked in _packs()}
EXPECTATIONS = "histories.json"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _config(make_run: Make, asked: Asked) -> list[RunConfig]:
    config = make_run(asked.method, asked.task, **asked.overrides)
    if asked.mixture == "before":
        return from_mixture(config, SETS, epochs=1, lr=3e-3)
    return [on_mixture(config, SETS) if asked.mixture == "on" else config]


def _told(make_run: Make, asked: list[Asked]) -> list[dict[str, Any]]:
    """The numbers of runs in one call; those of its source run come before its own."""
    configs = [_config(make_run, one) for one in asked]
    if len(configs) > 1:
        return [numbers(record) for record in run([config for (config,) in configs])]
    return [numbers(record) for config in configs[0] for record in run([config])]


def _rounded(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same, with losses that equal others to 1e-4 of their size."""
    return [
        one | {"history": [line | {"loss": pytest.approx(line["loss"], rel=1e-4)} for line in one["history"]]}
        for one in told
    ]


@pytest.mark.parametrize("name", RUNS)
def test_a_run_gives_the_numbers_that_it_gave(make_run: Make, name: str) -> None:
    found = _told(make_run, RUNS[name])
    expected, same_machine = Expectations(EXPECTATIONS, made_with()).of(name, found, RUNS)
    assert found == (expected if same_machine else _rounded(expected))


@pytest.mark.skipif(REMAKING, reason="the expectations are being remade")
def test_the_expectations_are_of_these_runs_and_of_this_protocol() -> None:
    kept = Expectations(EXPECTATIONS, made_with()).read()
    assert list(kept["entries"]) == list(RUNS)
    assert kept["made_with"]["protocol"] == PROTOCOL, "PROTOCOL has moved: remake the expectations, as said above"
