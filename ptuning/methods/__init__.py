"""How a backbone is adapted: one file a method, found by its name."""

from __future__ import annotations

from ptuning import registry
from ptuning.config import RunConfig, parse
from ptuning.errors import InputError
from ptuning.methods.base import Method, PromptConfig

registry.open_to_plugins(__name__)


def load(name: str) -> type[Method]:
    """The class of the method in `methods/<name>.py`. Raises InputError for a name without a file."""
    return registry.find_class(__name__, name, Method, "method")


def check(config: RunConfig) -> None:
    """Raise InputError where the run's method does not know its `prompt` keys, or has no parameters by a name in
    `train.lrs`."""
    method = load(config.method)
    method.check(config)
    groups = (*method.groups, "head", *(("backbone",) if trains_backbone(config) else ()))
    for name in config.train.lrs:
        if name not in groups:
            raise InputError(f"train.lrs.{name} is the rate of nothing: this run trains {', '.join(groups)}.")


def prompt_of(config: RunConfig) -> PromptConfig | None:
    """The run's `prompt` keys as its method's own schema has them; None of a method without a prompt. Raises
    InputError."""
    schema = load(config.method).Prompt
    return None if schema is None else parse(schema, config.prompt or {}, "prompt")


def trains_backbone(config: RunConfig) -> bool:
    """Whether the run changes the backbone, and so cannot share it: what it says itself, else what its method does."""
    chosen = config.train.backbone
    return load(config.method).trains_backbone if chosen is None else chosen
