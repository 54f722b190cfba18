"""Paired differences, against scipy and by hand; and which runs can be paired."""

from __future__ import annotations

import pytest
from scipy import stats

from ptuning.analysis import comparisons
from ptuning.analysis.comparisons import Difference
from ptuning.launch import compose
from ptuning.records import store
from ptuning.records.identity import run_id
from tests.experiments.records import fake_record


def test_the_interval_is_that_of_the_paired_t_test():
    before, after = [70.0, 72.5, 71.0, 69.0], [71.0, 72.0, 74.0, 70.5]
    gaps = {seed: b - a for seed, (a, b) in enumerate(zip(before, after, strict=True))}
    oracle = stats.ttest_rel(after, before).confidence_interval(0.95)
    assert Difference(gaps, 4).interval == pytest.approx((oracle.low, oracle.high))


def test_three_pairs_by_hand():
    # 1, 2, 3: mean 2, s = 1, t(2) = 4.303, half width 4.303 / sqrt 3 = 2.484.
    assert Difference({1: 1.0, 2: 2.0, 3: 3.0}, 3).text == "+2.0 [-0.5, +4.5]"


@pytest.mark.parametrize(
    ("gaps", "expected", "text"),
    [
        ({}, 3, "--"),
        ({1: 2.0}, 1, "+2.0"),
        ({1: 2.0, 2: 2.0 + 1e-12}, 2, "+2.0 (2 alike)"),
        ({1: 2.0, 2: 1.0}, 3, "+1.5 (2/3)"),
    ],
)
def test_what_seeds_cannot_tell_has_no_interval(gaps, expected, text):
    found = Difference(gaps, expected)
    assert found.text == text
    assert found.interval is None


def test_only_seeds_that_both_have_are_paired(make_run):
    sides = []
    for placement, scores in (("prefix", {1: 70, 2: 80, 3: 90}), ("infix", {1: 71, 2: 79, 4: 60})):
        configs = [make_run(seed=seed, prompt__placement=placement) for seed in (1, 2, 3, 4)]
        for config in configs:
            if config.seed in scores:
                store.write(config, fake_record(config, [scores[config.seed]]))
        sides.append(configs)
    assert comparisons.difference(*sides, "best_dev").by_seed == {1: 1, 2: -1}


def test_runs_are_paired_if_they_differ_in_the_key_alone(make_run):
    def runs(**overrides):
        return [make_run(seed=seed, **overrides) for seed in (1, 2)]

    base, keep = runs(), runs(prompt__positions="keep")
    longer, longer_keep = runs(prompt__length=4), runs(prompt__length=4, prompt__positions="keep")
    lonely = runs(prompt__length=5, prompt__positions="keep")
    tuned = [make_run("fine_tuning")]
    found = comparisons.pairs(
        [*base, *longer, *lonely, *tuned, *keep, *longer_keep], "prompt.positions", "shift", "keep"
    )
    assert [(pair.first, pair.second) for pair in found] == [
        (tuple(base), tuple(keep)), (tuple(longer), tuple(longer_keep))
    ]  # fmt: skip


def test_a_key_outside_the_prompt_pairs_too(make_run):
    none, trained = make_run(), make_run(backbone__pooler="trained")
    (pair,) = comparisons.pairs([trained, none], "backbone.pooler", "none", "trained")
    assert (pair.first, pair.second) == ((none,), (trained,))
    off, on = make_run(), make_run(train__backbone_dropout=0.1)
    assert comparisons.pairs([on, off], "train.backbone_dropout", 0.0, 0.1)[0].second == (on,)


CHAIN = ["+sources.a.train.epochs=2", "+sources.a.sources.b.train.epochs=3"]


def from_sources(tmp_path, *overrides):
    where = [f'runtime.results="{tmp_path}"', "backbone=tiny_bert", "data=miniature", "init=prompt"]
    return compose.read(compose.composed([*where, *overrides]))


def test_runs_from_runs_from_runs_are_one_pair_over_their_seeds(tmp_path):
    sides = [
        [from_sources(tmp_path, *CHAIN, f"prompt.positions={positions}", f"seed={seed}") for seed in (1, 2)]
        for positions in ("shift", "keep")
    ]
    (pair,) = comparisons.pairs([*sides[0], *sides[1]], "prompt.positions", "shift", "keep")
    assert (pair.first, pair.second) == (tuple(sides[0]), tuple(sides[1]))
    other = from_sources(tmp_path, "+sources.a.train.epochs=9", CHAIN[1], "prompt.positions=keep")
    assert comparisons.pairs([*sides[0], other], "prompt.positions", "shift", "keep") == []


def test_runs_whose_sources_are_given_by_id_are_paired_by_what_those_are(tmp_path):
    where = [f'runtime.results="{tmp_path}"', "backbone=tiny_bert", "data=miniature", "task=cb"]
    sides = []
    for positions in ("shift", "keep"):
        sides.append([])
        for seed in (1, 2):
            asked = [f"prompt.positions={positions}", f"seed={seed}"]
            source = compose.read(compose.composed([*where, *asked]))
            store.write(source, fake_record(source, [50]))
            by_id = f'+sources.a.id="{run_id(source)}"'
            sides[-1].append(from_sources(tmp_path, *asked, by_id, "+sources.a.step=best"))
    (pair,) = comparisons.pairs([*sides[0], *sides[1]], "prompt.positions", "shift", "keep")
    assert (pair.first, pair.second) == (tuple(sides[0]), tuple(sides[1]))
