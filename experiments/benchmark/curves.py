"""The table and the plot of what prompt length costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.artefacts import canvas, methods
from experiments.benchmark.shown import Result, from_zero, headline, markdown, ranged, whiskers

WORDS = {"prompt_tuning": "prompt at the input", "p_tuning_v2": "prompt in every layer"}


def table(result: Result) -> str:
    rows = [_row(length, _points(result, length=length)) for length in _lengths(result)]
    return "\n\n".join([caption(result), markdown(rows), notes(result)]) + "\n"


def _row(length: int, points: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Prompts of one length, side by side."""
    named = [(methods.shown(point["method"]).label, point) for point in points]
    return {
        "prompt length": str(length),
        **{f"{name} examples/s": ranged(one["examples_per_second"], ".3g") for name, one in named},
        **{f"{name} peak memory": f"{one['peak_memory_mb']:.0f} MB" for name, one in named},
        **{f"{name} trained": f"{one['trained_parameters']:,}" for name, one in named},
    }


def _lengths(result: Result) -> list[int]:
    return sorted({point["length"] for point in result["points"]})


def _points(result: Result, **wanted: Any) -> list[dict[str, Any]]:
    return [point for point in result["points"] if all(point[key] == value for key, value in wanted.items())]


def caption(result: Result) -> str:
    work, device = result["work"], result["device"]
    return (
        f"{work['shape']} (random weights), {work['task'].upper()} lengths, batch {work['batch_size']}, ours, one "
        f"run, on {device['name']} ({device['threads']} threads, {device['precision']['ours']}): median (min–max) of "
        f"{work['rounds']} rounds of {work['examples']} examples."
    )


def notes(result: Result) -> str:
    measured = (
        "the most that the GPU had allocated"
        if result["device"]["kind"] == "cuda"
        else "how far the resident size of a process rose that did nothing but two steps of it"
    )
    return (
        "PT: Prompt Tuning, the prompt at the input; PT-2: P-Tuning v2, a prompt in every layer, each of the length "
        f"given. Peak memory: of training, beyond the loaded model: {measured}. Trained: parameters of prompt and "
        "head."
    )


def plot(result: Result) -> Any:
    figure, (speed, memory) = canvas.panels(2, width=4.2, height=3.2)
    for method, words in WORDS.items():
        points, shown = _points(result, method=method), methods.shown(method)
        look = shown.look
        lengths, rates = [p["length"] for p in points], [p["examples_per_second"] for p in points]
        drawn: Any = {"color": look.color, "linestyle": look.line, "marker": look.marker,
                      "markerfacecolor": look.face, "label": f"{shown.label}: {words}"}  # fmt: skip
        speed.errorbar(lengths, [rate["median"] for rate in rates], yerr=whiskers(rates), capsize=3, **drawn)
        memory.plot(lengths, [p["peak_memory_mb"] for p in points], **drawn)
    speed.set(title="Training throughput", ylabel="examples/s (median; bar: min to max)")
    memory.set(title="Peak memory beyond the loaded model", ylabel="MB")
    for axes in (speed, memory):
        _length_axis(axes, _lengths(result))
        from_zero(axes)
    figure.legend(*memory.get_legend_handles_labels(), loc="outside lower center", ncols=len(WORDS))
    figure.suptitle(headline(result), fontsize=9)
    return figure


def _length_axis(axes: Any, lengths: list[int]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(lengths, [str(length) for length in lengths])
    axes.minorticks_off()
    axes.set(xlabel="prompt length (virtual tokens)")
