"""Hydra's sweeper for our sweeps (`hydra/sweeper=several`): a grid, or the union of several, for ablations that are
none.

`params` are swept in each of `sweeps`, which say what one adds. What is given on the command line goes for all, or,
where it names values that sweeps add, chooses among them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from ptuning.launch.overrides import union_of_sweeps


class SeveralSweeper(BasicSweeper):
    """Hydra's basic sweeper, once for each of `sweeps`; all their jobs are launched together."""

    def __init__(
        self,
        max_batch_size: int | None,
        params: Mapping[str, str] | None = None,
        sweeps: Sequence[Mapping[str, str]] | None = None,
    ) -> None:
        super().__init__(max_batch_size, dict(params or {}))
        self.sweeps = sweeps

    def sweep(self, arguments: list[str]) -> Any:
        self.arguments = arguments
        return super().sweep(arguments)

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """That is known: `experiments.run` has composed all jobs, and so does the launcher before it begins one."""

    def split_arguments(  # type: ignore[override]  # static there, where one sweep is all there is
        self, overrides: list[Override], max_batch_size: int | None
    ) -> list[list[list[str]]]:
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)  # type: ignore[union-attr]
        jobs: list[list[str]] = []
        for asked in union_of_sweeps(self.params, self.sweeps, self.arguments):
            jobs += BasicSweeper.split_arguments(parser.parse_overrides(asked), None)[0]
        return list(self.split_overrides_to_chunks(jobs, max_batch_size))
