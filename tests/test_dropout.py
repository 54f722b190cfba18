"""The dropout table: paired differences by seed, written out by hand."""

from test_table2 import fake_record

from experiments import dropout
from ptuning import records


def test_differences_are_paired_by_seed(make_run):
    scores = {0.0: [70, 80, 90], 0.1: [71, 79, None]}
    runs = []
    for rate, found in scores.items():
        for seed, score in enumerate(found, start=1):
            config = make_run(seed=seed, train__backbone_dropout=rate)
            runs.append(config)
            if score is not None:
                records.write(config, fake_record(config, [score]))
    (line,) = dropout.rows(runs)
    # Seed 3 has no partner: the pairs are -1 and +1, mean 0, s = sqrt 2, t = 12.706, half width 12.706.
    assert line == ["rte", "80.0 ± 10.0", "-- (2/3)", "+0.0 [-12.7, +12.7]"]


def test_one_pair_has_no_interval():
    assert dropout.difference({1: 70.0, 2: 71.0}, {2: 70.0}) == "--"
