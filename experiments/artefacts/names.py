"""What a table or figure is called, and where its code and files are.

All follows from its experiment, `<paper>/<name>` or `ablations/<name>` below conf/experiment/: its module is
experiments.papers.<paper>.<name> or experiments.ablations.<name>, its files are in results/{tables,figures}/<paper>/.
"""

from __future__ import annotations

ABLATIONS = "ablations"
SHORT = ("p_tuning_v2", ABLATIONS)  # whose names need no paper before them (the Makefile has this rule too)


def called(experiment: str) -> str:
    """Its name among those of all papers, as in `make reproduce-<name>`: `table2`, `placement`,
    `prompt-tuning-figure1`."""
    folder, _, name = experiment.rpartition("/")
    return name if folder in SHORT else f"{folder.replace('_', '-')}-{name}"


def module(experiment: str) -> str:
    """The module that makes it."""
    folder, _, name = experiment.rpartition("/")
    return f"experiments.{folder}.{name}" if folder == ABLATIONS else f"experiments.papers.{folder}.{name}"
