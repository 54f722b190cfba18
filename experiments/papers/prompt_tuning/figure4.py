"""Figure 4 of Prompt Tuning: the parameters that each task costs, by method, on the sizes of T5 1.1.

    python -m experiments.papers.prompt_tuning.figure4

Each method is built on a model of the real config that has no weights, and asked what it trains and what it leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import pandas as pd
import torch
from torch import nn
from transformers import PreTrainedModel, T5Config, T5ForConditionalGeneration
from transformers.initialization import no_init_weights

from experiments.artefacts import canvas, methods, published, style
from experiments.artefacts.artefact import Output
from experiments.artefacts.counted import Counted
from experiments.artefacts.style import Look
from ptuning import methods as adapting
from ptuning.analysis import rendering
from ptuning.backbones.backbone import Backbone
from ptuning.backbones.sites import Site
from ptuning.config import RunConfig
from ptuning.errors import InputError
from ptuning.parsed import Run
from ptuning.prompts import depth, inits
from ptuning.prompts.inits.base import InitContext

# Width, feed-forward width, layers a stack and heads, as the checkpoints' configs have them.
CONFIGS = {
    "google/t5-v1_1-small": (512, 1024, 8, 6),
    "google/t5-v1_1-base": (768, 2048, 12, 12),
    "google/t5-v1_1-large": (1024, 2816, 24, 16),
    "google/t5-v1_1-xl": (2048, 5120, 24, 32),
    "google/t5-v1_1-xxl": (4096, 10240, 24, 64),
}
PAPER = "Prompt Tuning, length 100 (paper)"


@dataclass(frozen=True)
class Model:
    """A T5 without weights, as far as a method asks a backbone."""

    model: PreTrainedModel

    @property
    def parameters(self) -> int:
        """The language-model head included, which T5 1.1 does not tie to the embeddings that both stacks share."""
        return sum(one.numel() for name, one in self.model.named_parameters() if "embed_tokens" not in name)

    @property
    def layers(self) -> int:
        return int(self.model.config.num_layers)

    @property
    def embedding(self) -> int:
        return int(self.model.config.d_model)

    hidden = embedding
    stack = "encoder"

    def sites_at(self, layers: str | int | Sequence[int], stacks: None) -> list[Site]:
        """Of the encoder, whose hidden states heads read."""
        config, chosen = self.model.config, depth.layers(layers, self.layers)
        return [Site(self.stack, layer, nn.Identity(), config.num_heads, config.d_kv) for layer in chosen]


@dataclass(frozen=True)
class Count:
    """What a run's method trains, and what of it each task has to keep."""

    run: RunConfig
    backbone: int
    trained: int
    kept: int

    @property
    def series(self) -> str:
        prompt = self.run.prompt
        if prompt is None:
            return methods.label(self.run)
        way = prompt["reparameterization"]["name"]
        through = "" if way == "none" else f", {way}"
        return f"{methods.label(self.run)}, length {prompt['length']}{through}"


class Parameters(Counted):
    kind = "figures"
    experiment = "prompt_tuning/figure4"
    title = "Prompt Tuning, Figure 4: parameters per task"
    caption = (
        "Parameters that a task costs, against those of the backbone, T5 1.1 (Prompt Tuning, Figure 4). Counted from "
        "the methods on the real configs; nothing is trained. All answer by the language-model head, which has none."
    )

    def build(self, runs: Sequence[RunConfig], stem: str) -> Output:
        counts = [_count(run) for run in runs]
        with style.styled():
            drawn = canvas.rendered(self.draw(counts))
        frame, notes = self.frame(counts), self.notes()
        text = rendering.markdown(frame, [self.caption, *notes])
        return Output(text, {"md": text, "csv": frame.to_csv(index=False), **drawn}, [frame], [], notes)

    def frame(self, counts: Sequence[Count]) -> pd.DataFrame:
        """A row a method and size, the paper's below."""
        rows = [
            [one.run.backbone.name, one.series, f"{one.trained:,}", f"{100 * one.trained / one.backbone:.3g} %",
             f"{one.kept:,}"]
            for one in counts
        ]  # fmt: skip
        papers = [
            [f"paper: {value['model']}", value["method"], f"{int(value['value']):,}"
             + published.CONFIDENCE[value["confidence"]], "", ""]
            for value in published.read(self.experiment)
        ]  # fmt: skip
        columns = ["Backbone", "Method", "trained", "of the backbone", "kept for a task"]
        return pd.DataFrame(rows + papers, columns=columns)

    def notes(self) -> list[str]:
        return [
            "Kept: what is left when what makes a prompt is dropped. PT-2 has prompts in all layers of the encoder; "
            "the other methods of the paper's figure are not here. Its numbers for all but prompts of 100 are not at "
            "hand.",
            published.MARKS,
        ]

    def draw(self, counts: Sequence[Count]) -> Any:
        figure, (axes,) = canvas.panels(1, width=6.0, height=4.0)
        series = list(dict.fromkeys(one.series for one in counts))
        for name, look in zip(series, style.LOOKS, strict=False):
            mine = [one for one in counts if one.series == name]
            _line(axes, [one.backbone for one in mine], [one.trained for one in mine], name, look)
        sizes = {_size(one.run.backbone.id): one.backbone for one in counts}
        papers = [
            (sizes[size], value) for value in published.read(self.experiment) if (size := _named(value)) in sizes
        ]
        _line(axes, [at for at, _ in papers], [int(value["value"]) for _, value in papers], PAPER,
              Look(style.INK, "s", "", hollow=True))  # fmt: skip
        axes.set(xscale="log", yscale="log", title=self.title, xlabel="parameters of the backbone")
        axes.set_ylabel("trained parameters per task")
        figure.legend(loc="outside lower center", ncols=2)
        return figure


def _line(axes: Any, at: Sequence[int], values: Sequence[int], name: str, look: Look) -> None:
    axes.plot(at, values, color=look.color, linestyle=look.line, marker=look.marker, markerfacecolor=look.face,
              label=name)  # fmt: skip


def _size(name: str) -> str:
    return name.rpartition("-")[2]


def _named(value: published.Value) -> str:
    """`T5 1.1 Small` is small."""
    return value["model"].rpartition(" ")[2].lower()


def _count(run: RunConfig) -> Count:
    if run.backbone.id not in CONFIGS:
        raise InputError(f"backbone.id={run.backbone.id} has no config here: choose of {', '.join(CONFIGS)}.")
    model = _model(run.backbone.id)
    if run.prompt is None:
        return Count(run, model.parameters, model.parameters, model.parameters)
    backbone, prompt = cast("Backbone", model), Run.parse(run).prompt
    assert prompt is not None
    zero = inits.load("zero")  # what it starts from does not count
    init = zero(zero.Config(name="zero"), InitContext(backbone, (), (), torch.Generator()))
    method = adapting.load(run.method)(prompt, backbone, init)
    trained = sum(one.numel() for group in method.parameter_groups().values() for one in group)
    return Count(run, model.parameters, trained, sum(one.numel() for one in method.folded().values()))


@cache
def _model(name: str) -> Model:
    width, inner, layers, heads = CONFIGS[name]
    config = T5Config(vocab_size=32128, d_model=width, d_kv=64, d_ff=inner, num_layers=layers, num_heads=heads,
                      feed_forward_proj="gated-gelu")  # fmt: skip
    with torch.device("meta"), no_init_weights():
        return Model(T5ForConditionalGeneration(config))


FIGURE = Parameters()

if __name__ == "__main__":
    FIGURE.main()
