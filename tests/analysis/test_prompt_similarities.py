"""Trained prompts compared with each other: from saved runs to a file that tables are made of."""

from __future__ import annotations

import json

import pytest

from ptuning.analysis.prompt_similarities import compare
from ptuning.config import SimilarityConfig
from ptuning.errors import InputError
from ptuning.records import similarities, weights
from ptuning.records.identity import run_id
from ptuning.run import run


def asked(configs, step="best", **overrides):
    prompts = [{"id": run_id(one), "step": step} for one in configs]
    given = configs[0].model_dump(include={"backbone", "runtime"}) | {"prompts": prompts} | overrides
    return SimilarityConfig.model_validate(given)


@pytest.fixture
def trained(make_run):
    configs = [make_run("prompt_tuning", task, runtime__save=True) for task in ("rte", "cb")]
    run(configs)
    return configs


def test_prompts_are_compared_by_every_measure_and_found_again_in_any_order(trained):
    made = compare(asked(trained))
    assert {"cosine_averaged", "euclidean_pairs", "neurons_1-3", "neurons_all"} <= set(made.metrics)
    own, other = (run_id(one) for one in trained)
    for metric in ("cosine_concatenated", "euclidean_averaged", "neurons_all"):
        assert made.between(metric, own, own) == pytest.approx(1)
        assert made.between(metric, own, other) == pytest.approx(made.between(metric, other, own))
    found = similarities.find(asked(trained[::-1]))
    assert found == made and similarities.find(asked(trained, step="last")) is None


def test_a_prompt_of_an_early_step_is_compared_too(make_run):
    configs = [make_run("prompt_tuning", seed=seed, runtime__keep_steps=[2]) for seed in (1, 2)]
    run(configs)
    assert [one.step for one in compare(asked(configs, step=2)).prompts] == [2, 2]
    with pytest.raises(InputError, match=r"has no weights of step=3 in"):
        compare(asked(configs, step=3))


def test_what_cannot_be_compared_is_refused(make_run, trained):
    longer = make_run("prompt_tuning", prompt__length=4, runtime__save=True)
    deep = make_run("p_tuning_v2", runtime__save=True)
    tiny = {"name": "tiny_roberta", "source": "random", "id": "tiny_roberta", "pooler": "none"}
    other = make_run("prompt_tuning", backbone=tiny, runtime__save=True)
    for one in (longer, deep, other):
        run([one])
    with pytest.raises(
        InputError, match=r"holds a prompt of 4 tokens, and .* one of 3: compare prompts of one prompt."
    ):
        compare(asked([trained[0], longer]))
    with pytest.raises(InputError, match=r"method=p_tuning_v2, which learns no input prompt"):
        compare(asked([trained[0], deep]))
    with pytest.raises(InputError, match=r"was trained on another backbone"):
        compare(asked([trained[0], other]))
    weights.path(trained[1]).unlink()
    with pytest.raises(InputError, match=r"has no weights of step=best in .*: train it with runtime.save=true"):
        compare(asked(trained))


@pytest.mark.parametrize("damage", [
    lambda content: content["prompts"][0].update(id="0123456789"),
    lambda content: content["metrics"]["cosine_averaged"].pop(),
    lambda content: content["metrics"]["cosine_averaged"][0].__setitem__(0, "much"),
    lambda content: content.pop("metrics"),
])  # fmt: skip
def test_a_damaged_file_is_refused(trained, damage):
    config = asked(trained)
    compare(config)
    file = similarities.path(config)
    content = json.loads(file.read_text())
    damage(content)
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"(holds no similarities of prompts|is of other prompts than its name says)"):
        similarities.find(config)
