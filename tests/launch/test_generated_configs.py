"""Generated configs, sensible ones and others: each is a run whose printed command makes it again, or is refused in a
sentence. `N=` makes more of them than the default."""

from __future__ import annotations

import json
import os
import random
import shlex
from typing import Any, Literal, get_args, get_origin

import annotated_types
import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from pydantic import BaseModel

from ptuning import methods, registry
from ptuning.config import (
    LARGEST,
    DataConfig,
    RunConfig,
    SourceConfig,
    TrainConfig,
)
from ptuning.errors import InputError
from ptuning.launch import compose, rerun
from ptuning.launch.overrides import is_sweep
from ptuning.prompts import inits, reparameterizations
from ptuning.records import configs, store
from ptuning.records.identity import run_id, run_name
from tests.damage import is_sentence, within_limits

PARTS = 10
COUNT = -(-int(os.environ.get("N", "500")) // PARTS)
ALIKE = 10  # configs in a row that choose the same files, which are composed once
GROUPS = ("backbone", "task", "data", "method", "head", "init", "reparameterization", "profile", "paper")
STRANGE = [
    "null", "", "true", "false", "-1", "0", "1", "2", "0.5", "1e400", "inf", "-inf", "nan", "1e-320", "9" * 25,
    "9" * 5000, str(LARGEST), str(-LARGEST - 2), "[]", "[1]", "[null]", "{}", "{a: 1}", "{a: {b: [1, {c: 2}]}}",
    "[1,2,3]", "[inf]", "[" * 29 + "]" * 29, "[" * 500 + "]" * 500, "{a:" * 25 + "1" + "}" * 25, "x", "x" * 300,
    "x" * 30000, "a b", "'a'", '"a', "'", "../../x", "/", "~", "~/x", "a=b", "a:b", "\\", "\x00", "\n", "\t",
    "é", "東京", "\ud800", "'\ud800'", "\u200b", "{folder}", "1-2", "2-1", "01", "1_000", "0x10", "1.0", "yes",
    "None", "???", "'???'", "rte", "minilm_l6", "tiny_bert", "random", "${seed}", "${train.lr}", "${nothing}",
    "${task}", "${train}", "${prompt.init}", "${", "${}", "${seed", "$", "${oc.env:HOME}",
    "${oc.env:NONE_OF_THAT}", "'${oc.env:HOME}'", "${oc.decode:'1'}", "${oc.create:{a: 1}}",
    "${oc.select:seed}", "${hydra:job.name}", "${foo:1}", "${unless:1,2}", "${native_precision:tpu}",
    "${usual_head_dropout:x,y}", "${.lr}", "${..seed}", "${data.root}", "1,2", "1,null", "1,x", ",", "1,",
    "range(1,3)", "range(1,10**9)", "range(1,1000000)", "interval(0,1)", "glob(*)", "choice(1,2)", "sort(2,1)",
    "shuffle(1,2)", "int(1.5)", "str(1)", "float(a)", "bool(1)", "json_str({a:1})", "extend_list(1)",
    "0123456789",
]  # fmt: skip
KEYS = [
    "sede", "train.epoch", "prompt.lenght", "a.b.c", "", ".", "train.", ".seed", "seed.x", "train.lr.x",
    "data.files.train", "task.options.template", "task.options.stride", "train.lrs.head", "train.lrs", "prompt",
    "train", "task.tasks.btc.max_length", "sources.a.task.name", "sources", "sources.a", "sweep.nonsense",
    "sweep.rows.rte", "shown.label", "variant", "mixtures.ner.cap", "hydra.sweeper.params.seed",
    "hydra.run.dir", "hydra", "hydra.launcher.devices", "hydra/launcher", "task@sources.a.task",
    "task@mixtures.x", "method@train", "/task", "task/x", "paper/p_tuning_v2", "experiment", "é", "a b",
    "\ud800", "x" * 300, "defaults", "_target_", "prompt@_global_", "init@prompt.init", "0", "train.0",
    "data.files.0",
]  # fmt: skip


def fields(schema: type[BaseModel], prefix: str) -> dict[str, Any]:
    """Dotted keys, and what their annotations say of sensible values."""
    found: dict[str, Any] = {}
    for name, field in schema.model_fields.items():
        key = f"{prefix}{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found |= fields(field.annotation, f"{key}.")
        else:
            found[key] = (field.annotation, list(field.metadata))
    return found


def known_keys() -> dict[str, Any]:
    found = fields(RunConfig, "")
    for name in registry.names("ptuning.methods"):
        if (prompt := methods.load(name).Prompt) is not None:
            found |= fields(prompt, "prompt.")
    for name in registry.names("ptuning.prompts.inits"):
        found |= fields(inits.load(name).Config, "prompt.init.")
    for name in registry.names("ptuning.prompts.reparameterizations"):
        found |= fields(reparameterizations.load(name).Config, "prompt.reparameterization.")
    for prefix, schema in (
        ("sources.a.", SourceConfig),
        ("sources.a.train.", TrainConfig),
        ("sources.a.data.", DataConfig),
    ):
        found |= fields(schema, prefix)
    return found


KNOWN = known_keys()
ORDINARY = sorted(
    key for key in KNOWN if key.startswith(("train.", "runtime.", "seed", "prompt.l", "prompt.d", "data.t"))
)


def sensible(annotation: Any, metadata: list[Any], draw: random.Random) -> str:
    """A value of that type."""
    if get_origin(annotation) is Literal:
        return str(draw.choice(get_args(annotation)))
    if annotation is bool:
        return draw.choice(["true", "false"])
    if annotation is int:
        least = next((one.ge for one in metadata if isinstance(one, annotated_types.Ge)), 0)
        return str(least + draw.choice([0, 1, 2, 7, 100]))
    if annotation is float:
        return draw.choice(["0", "0.1", "0.5", "1", "1e-3", "1.0"])
    if annotation is str:
        return draw.choice(["x", "rte", "tiny_bert", "none", "normal", "all", "2-3", "a.b"])
    inner = [one for one in get_args(annotation) if one is not type(None)]
    if type(None) in get_args(annotation) and draw.random() < 0.3:
        return "null"
    if get_origin(annotation) in (list, tuple):
        return "[" + ",".join(sensible(draw.choice(inner), [], draw) for _ in range(draw.randrange(3))) + "]"
    if get_origin(annotation) is dict:
        return draw.choice(["{}", "{a: 1}", "{train: a, dev: b}"])
    return sensible(draw.choice(inner), metadata, draw) if inner else draw.choice(STRANGE)


def chosen_files(draw: random.Random) -> list[str]:
    chosen = {"backbone": "tiny_bert", "data": "miniature"}
    for group in draw.sample(GROUPS, draw.choice([0, 1, 2, 3])):
        chosen[group] = draw.choice(sorted(file.stem for file in (compose.CONF / group).glob("*.yaml")))
    return [f"{group}={name}" for group, name in chosen.items()]


def drawn(files: list[str], draw: random.Random) -> list[str]:
    """Overrides: files, some sensible values, and up to two that are drawn from anything."""
    given = list(files)
    for key in draw.sample(ORDINARY, draw.choice([0, 1, 1, 2])):
        given.append(f"{key}={sensible(*KNOWN[key], draw)}")
    if draw.random() < 0.4:
        return given
    key = draw.choice(sorted(KNOWN))
    given.append(f"{draw.choice(['', '+', '++'])}{key}={sensible(*KNOWN[key], draw)}")
    for _ in range(draw.choice([0, 1, 1, 2])):
        key = draw.choice([draw.choice(sorted(KNOWN)), draw.choice(KEYS), draw.choice(GROUPS)])
        given.append(
            draw.choice([f"{draw.choice(['', '', '+', '++', '~'])}{key}={draw.choice(STRANGE)}", f"~{key}", key])
        )
    draw.shuffle(given)
    return given


class Launch:
    """Reads overrides as a launch does: by all of its path or, where that is not asked for, with what the files
    compose to, as jobs share it."""

    def __init__(self) -> None:
        self.files = compose.FileChoices()

    def run(self, overrides: list[str], whole: bool) -> RunConfig:
        """The last of their runs. Raises InputError."""
        if whole or any(map(is_sweep, overrides)):
            return compose.expand(overrides)[-1]
        GlobalHydra.instance().clear()
        with initialize_config_dir(str(compose.CONF), version_base="1.3"):
            return compose.read(self.files.compose(overrides))


def check(launch: Launch, overrides: list[str], whole: bool) -> bool:
    """Whether they are accepted; else they are refused. Raises where neither is done well."""
    try:
        run = launch.run(overrides, whole)
    except InputError as error:
        said = str(error)
        said.encode()
        assert is_sentence(error) and said.endswith((".", "?", "...")), said
        assert said.isprintable(), said
        return False
    check_run(launch, run, whole)
    return True


def check_run(launch: Launch, run: RunConfig, whole: bool) -> None:
    stored = json.loads(json.dumps(store.dump(run), allow_nan=False, ensure_ascii=False).encode())
    identifier = run_id(run)
    assert run_id(configs.parse_run(stored, run.runtime)) == identifier
    assert len(run_name(run)) < 250 and "/" not in run_name(run)
    record = {"id": identifier, "status": "finished", "config": stored, "history": []}
    again = launch.run(shlex.split(rerun.command(record))[3:], whole)
    assert run_id(again) == identifier


@pytest.mark.parametrize("part", range(PARTS))
def test_a_config_is_a_run_or_is_refused_in_a_sentence(part: int) -> None:
    launch, outcomes = Launch(), set()
    for number in range(COUNT):
        files = chosen_files(random.Random(f"{part}/{number // ALIKE}"))
        overrides = drawn(files, random.Random(f"{part}/{number}"))
        try:
            with within_limits():
                outcomes.add(check(launch, overrides, whole=number % ALIKE == 0))
        except Exception as error:
            raise AssertionError(
                f"part {part}, number {number}: {type(error).__name__} for {overrides!a:.2000}"
            ) from error
    assert outcomes == {True, False}
