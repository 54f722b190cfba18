"""Comparing the trained prompts of one backbone: their files -> every metric of every pair -> results/similarities."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ptuning import methods
from ptuning.analysis.neurons import activated_neurons
from ptuning.analysis.similarity import similarities
from ptuning.config import RunConfig, SimilarityConfig
from ptuning.errors import InputError
from ptuning.methods.base import InputPromptMethod
from ptuning.parsed import Run
from ptuning.records import similarities as stored
from ptuning.records import weights
from ptuning.records.identity import run_name
from ptuning.records.similarities import Compared, Similarities
from ptuning.run import prepare_backbone


def compare(config: SimilarityConfig) -> Similarities:
    """Compare the prompts and write what was found. Raises InputError where one is not there, is of another backbone
    or length than the first, or no input prompt."""
    files = [weights.trained_file(prompt, config.runtime) for prompt in config.prompts]
    runs = [weights.read_run(file, config.runtime) for file in files]
    for run in runs:
        _check_kind(run)
    backbone = prepare_backbone(Run.parse(runs[0]))
    backbone.hidden_cache = None  # the text is the prompt's own
    for file in files:
        weights.check_backbone(file, config.backbone, backbone)
    prompts = [weights.load_prompt(file) for file in files]
    _check_alike(files, prompts)
    found = similarities(prompts, activated_neurons(backbone, torch.stack(prompts)))
    compared = [
        Compared(id=one.id, step=one.step, record=f"{run_name(run)}.json")
        for one, run in zip(config.prompts, runs, strict=True)
    ]
    return stored.write(config, compared, found, backbone.content)


def _check_kind(run: RunConfig) -> None:
    if not issubclass(methods.load(run.method), InputPromptMethod):
        raise InputError(
            f"{run_name(run)} was made by method={run.method}, which learns no input prompt: compare runs that do, "
            "such as those of method=prompt_tuning."
        )


def _check_alike(files: Sequence[Path], prompts: Sequence[Tensor]) -> None:
    for file, prompt in zip(files, prompts, strict=True):
        if prompt.shape != prompts[0].shape:
            raise InputError(
                f"{file} holds a prompt of {len(prompt)} tokens, and {files[0]} one of {len(prompts[0])}: compare "
                "prompts of one prompt.length."
            )
