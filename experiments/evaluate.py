"""Score trained prompts without training: as an ensemble, or on another task than theirs.

    python -m experiments.run -m task=cb method=prompt_tuning seed=1,2,3,4,5 runtime.save=true
    python -m experiments.evaluate task=cb method=prompt_tuning seed=1,2,3,4,5 evaluate.rule=majority_vote
    python -m experiments.evaluate evaluate.rule=majority_vote 'evaluate.prompts=["0123456789","1123456789"]'
    python -m experiments.evaluate task=qqp evaluate.rule=single +task@evaluate.targets.mrpc.task=mrpc \\
        '+evaluate.targets.mrpc.labels={not_equivalent:not_duplicate,equivalent:duplicate}'
    python -m experiments.evaluate task=cb,rte method=prompt_tuning evaluate.similarity=best    # how alike prompts are

Overrides ask for runs as for experiments.run; those that differ in their seed alone answer together where the rule
is of several. Prints each score and its record's path. Exits with 1 where evaluations failed, and with 2 where nothing
was begun, because something asked for is wrong. What has a record is not made again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

if not __package__:  # as a file, from which the packages beside it are not found
    sys.exit("error: call it as a module, in the repository's folder: python -m experiments.evaluate")

from experiments.output import escape_unprintable
from ptuning import evaluation, registry
from ptuning.analysis.prompt_similarities import compare
from ptuning.config import EvaluationConfig, SimilarityConfig
from ptuning.errors import InputError
from ptuning.launch import arguments, evaluations
from ptuning.records import similarities, store
from ptuning.records.identity import run_name
from ptuning.records.record import Record
from ptuning.records.writer import to_stderr

TOGETHER = 64  # evaluations in one stream


def main() -> None:
    escape_unprintable()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", help="which runs, and evaluate.KEY=VALUE", metavar="KEY=VALUE")
    overrides = parser.parse_args().overrides
    try:
        missing, compared = _missing(arguments.read(overrides))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    failed = 0
    for group in _groups(missing):
        for config, found in _made(group):
            if isinstance(found, Exception):
                to_stderr(f"{run_name(config)} failed: {found}")
                failed += 1
            else:
                print(_said(config, found), flush=True)
    failed += sum(not _compare(config) for config in compared)
    if failed:
        sys.exit(f"{failed} of {len(missing) + len(compared)} have no record; they are made again next time.")


def _missing(overrides: list[str]) -> tuple[list[EvaluationConfig], list[SimilarityConfig]]:
    """Evaluations without a record, checked, and prompts that were not compared; the others are told of. Raises
    InputError."""
    asked, compared = evaluations.expand(overrides), evaluations.compared(overrides)
    if not asked and not compared:
        known = ", ".join(registry.names("ptuning.rules"))
        raise InputError(f"evaluate.rule is not set: choose one of {known}, or an experiment that has evaluations.")
    missing = [config for config in asked if evaluation.finished(config) is None]
    for config in missing:
        evaluation.check(config)
    if asked and not missing:
        print(f"all {len(asked)} evaluation(s) are already there: nothing to do")
    return missing, [config for config in compared if similarities.find(config) is None]


def _compare(config: SimilarityConfig) -> bool:
    """Compare prompts, and whether that could be done."""
    try:
        compare(config)
    except (InputError, OSError) as error:
        to_stderr(f"the prompts of {config.backbone.name} were not compared: {error}")
        return False
    print(f"{len(config.prompts)} prompts of {config.backbone.name} compared: {similarities.path(config)}", flush=True)
    return True


def _groups(configs: Sequence[EvaluationConfig]) -> list[list[EvaluationConfig]]:
    """Those that are made together: on one backbone, not so many that a stop would lose much."""
    by_backbone: dict[str, list[EvaluationConfig]] = {}
    for config in configs:
        by_backbone.setdefault(evaluation.shared(config), []).append(config)
    return [own[begin : begin + TOGETHER] for own in by_backbone.values() for begin in range(0, len(own), TOGETHER)]


def _made(configs: Sequence[EvaluationConfig]) -> list[tuple[EvaluationConfig, Record | Exception]]:
    """The record of each, or what went wrong."""
    try:
        return list(zip(configs, evaluation.evaluate_together(configs), strict=True))
    except (InputError, OSError) as error:
        return [(config, error) for config in configs]


def _said(config: EvaluationConfig, record: Record) -> str:
    metric = record["metric"]
    scores = {"dev": record["scores"]["dev"], **record["scores"]["tests"]}
    shown = ", ".join(f"{name} {metric} {found[metric]:.1f}" for name, found in scores.items())
    singles = f" (mean {record['mean']['dev'][metric]:.1f}, best {record['best']['dev'][metric]:.1f} on dev)"
    beside = singles if len(record["prompts"]) > 1 else ""
    return f"{run_name(config)}: {shown}{beside}: {store.path(config)}"


if __name__ == "__main__":
    main()
