"""Adapted backbones: a checkpoint that is trained on, once, as a language model on plain text, before any run has it.

base checkpoint, text ──> objective ──> steps ──> <cache>/backbones/<base>-<objective>-<recipe>-<text>/

What it is follows from what it is made of: the base's content, the recipe (`backbone.adaptation`) and the text. That
is its fingerprint, since its weights come out the same on every machine only up to rounding.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm.auto import tqdm
from transformers import MODEL_FOR_MASKED_LM_MAPPING, PreTrainedConfig, PreTrainedModel
from transformers.optimization import Adafactor

from ptuning import seeds
from ptuning.backbones import checkpoint_cache, objectives, plain_text
from ptuning.backbones.content import Content
from ptuning.backbones.objectives.base import Objective, Vocabulary
from ptuning.config import AdaptationConfig
from ptuning.devices import find_device
from ptuning.errors import InputError

log = logging.getLogger(__name__)
VERSION = 1  # raise it when what is made changes: folders of an older one are then left aside
HELD_OUT = 20  # one in so many tokens, the last ones of the text, are not trained on
MEASURED = 8  # batches of those, whose loss is told before and after

LanguageModel = tuple[PreTrainedModel, Any, str]  # with its tokenizer and its architecture


@dataclass(frozen=True)
class Adapted:
    """A backbone as `recipe` makes it of the one called `name`, whose content is `base`, that of its language-model
    head included."""

    recipe: AdaptationConfig
    name: str
    base: Content

    @property
    def content(self) -> Content | None:
        """What it is, its language-model head included, of which the same is to be said. None where the text is not on
        this machine, and what was made of one neither."""
        text = self._text()
        if text is None:
            return None
        fingerprint = _hash([self._made_of, text])
        return self.base | {"pooler": None, "fingerprint": fingerprint, "lm_head": fingerprint}

    @property
    def folder(self) -> Path | None:
        """Where it is, or would be, in the cache; None as for `content`."""
        text = self._text()
        return None if text is None else checkpoint_cache.home(f"{self._prefix}{text}")

    def made(self, language_model: Callable[[], LanguageModel]) -> Path:
        """Its folder, for `from_pretrained`: the base's language model is trained on if need be. Raises InputError
        where the base cannot be trained so, the text is missing or too short, or there is no room."""
        text = self._text()
        if text is None:
            check_text(self.recipe)
        return checkpoint_cache.made(f"{self._prefix}{text}", partial(self._make, language_model))

    @property
    def _made_of(self) -> str:
        """A hash of the base and the recipe."""
        recipe = self.recipe.model_dump(mode="json", exclude={"text"})
        return _hash([VERSION, {key: value for key, value in self.base.items() if key != "pooler"}, recipe])

    @property
    def _prefix(self) -> str:
        """Of the folder's name, which the text's hash ends."""
        return f"{self.name}-{self.recipe.objective}-{self._made_of}-"

    def _text(self) -> str | None:
        """The hash of the text; where none is given, of that on which it was made here. Raises InputError where there
        are two of these."""
        if self.recipe.text is not None:
            return plain_text.fingerprint(self.recipe.text)
        beside = checkpoint_cache.home(self._prefix)
        found = sorted(
            one.name.removeprefix(beside.name) for one in beside.parent.glob(f"{beside.name}*") if one.is_dir()
        )
        if len(found) > 1:
            raise InputError(
                f"{plain_text.KEY} is not set, and the backbone was made here of {len(found)} texts: say by which."
            )
        return found[0] if found else None

    def _make(self, language_model: Callable[[], LanguageModel], folder: Path, scratch: Path) -> dict[str, Any]:
        text = check_text(self.recipe)
        model, tokenizer, architecture = language_model()
        objective = objective_for(self.recipe, architecture)(Vocabulary.of(tokenizer), self.recipe.length)
        tokens = plain_text.tokens(text, tokenizer)
        losses = train(model, objective, tokens, self.recipe)
        checkpoint_cache.save(model.cpu(), folder)
        tokenizer.save_pretrained(folder)
        return {"adaptation": self.recipe.model_dump(mode="json", exclude={"text"}), "base": self.base} | losses


def check_text(recipe: AdaptationConfig) -> str:
    """Where its text is. Raises InputError where none is given, or it is not there."""
    if recipe.text is None:
        raise InputError(
            f"{plain_text.KEY} is not set, and no such backbone was made on this machine yet: say where plain text "
            "is, by text=<folder>, text=<file> or text=hub:<data set>."
        )
    plain_text.check(recipe.text)
    return recipe.text


def objective_for(recipe: AdaptationConfig, architecture: str) -> type[Objective]:
    """Its objective. Raises InputError where that is not of the backbone's architecture."""
    found = objectives.load(recipe.objective)
    if found.architecture != architecture:
        known = [name for name in objectives.names() if objectives.load(name).architecture == architecture]
        raise InputError(
            f"backbone.adaptation.objective={recipe.objective} trains backbones of the architecture "
            f"{found.architecture}, and this one's is {architecture}: choose {' or '.join(known)}."
        )
    return found


def architecture_of(config: PreTrainedConfig) -> str:
    """The architecture of a model that can be a language model, as far as its config tells."""
    if config.is_encoder_decoder:
        return "encoder_decoder"
    return "encoder" if type(config) in MODEL_FOR_MASKED_LM_MAPPING else "decoder"


def train(
    model: PreTrainedModel, objective: Objective, tokens: Tensor, recipe: AdaptationConfig
) -> dict[str, dict[str, float]]:
    """Train all of a language model on windows of `tokens` `[N]`, drawn by the recipe's seed, without dropout. Returns
    its loss, in nats a token that is asked for, before and after, on the last tokens, which it is not trained on.

    Raises InputError where the text is too short, and where the loss is no number any more.
    """
    shown = max(objective.window, len(tokens) // HELD_OUT)
    if objective.window < 2 or len(tokens) - shown < objective.window:
        raise InputError(
            f"{plain_text.KEY}={recipe.text} has {len(tokens)} tokens, and two windows of "
            f"backbone.adaptation.length={recipe.length} do not fit: give more text, or shorten the windows."
        )
    model.eval().requires_grad_(True).to(find_device("auto"))
    asked = list(_batches(objective, tokens[-shown:], recipe, "measured", MEASURED))
    before, optimizer = _mean_loss(model, objective, asked), _optimizer(model, recipe)
    log.warning("adapting the backbone (%s, %d steps), once: loss %.3f before", recipe.objective, recipe.steps, before)
    pause = 0.1 if sys.stderr.isatty() else 30
    with tqdm(total=recipe.steps, unit="step", desc=recipe.objective, dynamic_ncols=True, mininterval=pause) as bar:
        for batch in _batches(objective, tokens[:-shown], recipe, "trained", recipe.steps):
            optimizer.zero_grad()
            loss = objective.loss(model, _on(model, batch))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            bar.update()
    after = _mean_loss(model, objective, asked)
    if not after < float("inf"):
        raise InputError(
            f"backbone.adaptation.lr={recipe.lr} is too high: the loss is no number any more; lower it, or give fewer "
            "backbone.adaptation.steps."
        )
    log.warning("adapted: loss %.3f after", after)
    return {"loss": {"before": before, "after": after}}


def _batches(
    objective: Objective, tokens: Tensor, recipe: AdaptationConfig, purpose: str, count: int
) -> Iterator[dict[str, Tensor]]:
    draws = seeds.generator(recipe.seed, f"adaptation/{purpose}")
    for _ in range(count):
        starts = torch.randint(len(tokens) - objective.window + 1, (recipe.batch_size,), generator=draws)
        yield objective.batch([tokens[start : start + objective.window] for start in starts.tolist()], draws)


@torch.no_grad()
def _mean_loss(model: PreTrainedModel, objective: Objective, batches: list[dict[str, Tensor]]) -> float:
    return sum(objective.loss(model, _on(model, batch)).item() for batch in batches) / len(batches)


def _on(model: PreTrainedModel, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.to(model.device) for name, tensor in batch.items()}


def _optimizer(model: PreTrainedModel, recipe: AdaptationConfig) -> torch.optim.Optimizer:
    """Adafactor with T5's scaling by the size of the parameters."""
    if recipe.optimizer == "adafactor":
        return Adafactor(
            model.parameters(), lr=recipe.lr, scale_parameter=True, relative_step=False, warmup_init=False
        )
    return torch.optim.AdamW(model.parameters(), lr=recipe.lr, weight_decay=0.0)


def _hash(of: Any) -> str:
    return hashlib.sha256(json.dumps(of, sort_keys=True).encode()).hexdigest()[:16]
