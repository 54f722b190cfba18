"""From results/benchmarks/*.json to a table and a plot each: `python -m experiments.benchmark.report`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd

from ptuning.files import write_atomic

NAMES = {
    "official": "official recipe",
    "peft": "PEFT, as it comes",
    "peft_no_dropout": "PEFT, dropout 0",
    "fine_tuning": "fine-tuning (Trainer)",
    "ours_dropout": "ours, backbone dropout on",
    "ours": "ours, one run",
    "packed": "ours, packed sweep",
    "top_third": "ours, top third of the layers",
    "floor": "floor: the bare backbone",
}
RATIOS = {
    "ours_over_official": "ours, one run, over the official recipe",
    "ours_over_peft": "ours over PEFT as it comes",
    "ours_over_peft_no_dropout": "ours over PEFT with every dropout 0",
    "ours_over_fine_tuning": "ours over fine-tuning",
    "dropout_off_over_on": "ours over ours with the backbone's dropout on",
    "top_third_over_all": "top third over all layers, from the second epoch on",
    "packed_over_official": "packed sweep over the official recipe, run by run",
    "packed_over_peft": "packed sweep over PEFT, run by run",
    "floor_over_ours": "the floor's time over ours",
}
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#999999"


def make(file: Path) -> str:
    """Write the table and the plot beside `file`; the table."""
    result = json.loads(file.read_text())
    text = table(result)
    write_atomic(file.with_suffix(".md"), text)
    figure = plot(result)
    for kind in ("png", "svg"):
        figure.savefig(
            file.with_suffix(f".{kind}"),
            dpi=150,
            bbox_inches="tight",
            metadata={"Date": None} if kind == "svg" else None,
        )
    plt.close(figure)
    return text


def table(result: dict[str, Any]) -> str:
    rows = []
    for key, name in NAMES.items():
        one = result["contestants"][key]
        rows.append({
            "": name + (f" ({result['work']['packed_runs']} runs)" if key == "packed" else ""),
            "examples/s": _shown(one["examples_per_second"], ".3g"),
            "tokens/s": f"{one['tokens_per_second']:.0f}",
            "share of floor": f"{100 * one['share_of_floor']:.0f} %",
            "peak memory": f"{one['peak_memory_mb']:.0f} MB",
        })  # fmt: skip
    ratios = [
        {"ratio, within a round": name, "": _shown(result["ratios"][key], ".2f")} for key, name in RATIOS.items()
    ]
    return "\n\n".join([caption(result), _markdown(rows), _markdown(ratios), notes(result)]) + "\n"


def _markdown(rows: list[dict[str, str]]) -> str:
    return str(pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True))


def _shown(spread: dict[str, float], digits: str) -> str:
    return f"{spread['median']:{digits}} ({spread['min']:{digits}}–{spread['max']:{digits}})"


def caption(result: dict[str, Any]) -> str:
    work, device = result["work"], result["device"]
    return (
        f"{work['shape']} (random weights), {work['task'].upper()} lengths, batch {work['batch_size']}, prompt length "
        f"{work['prompt_length']}, on {device['name']} ({device['threads']} threads, {device['precision']['ours']}; "
        f"official float32): median (min–max) of {work['rounds']} rounds of {work['examples']} examples."
    )


def notes(result: dict[str, Any]) -> str:
    inference = {name: _shown(one, ".3g") for name, one in result["inference"].items()}
    matrix = result["matrix"]
    return (
        f"The packed sweep reaches {100 * matrix['packed_share']:.0f} % of the {matrix['device_tflops']:.3g} TFLOP/s "
        f"of the device's matrix products; a run more in a pack keeps {result['memory_per_lane_mb']:.1f} MB. A stream "
        f"of questions of eight tasks: {inference['mixed']} examples/s in mixed batches, {inference['task_by_task']} "
        "task by task. Peak memory: beyond what was there before the epoch, the models apart; on a CPU only what the "
        "allocator had to ask the system for, so 0 says that earlier epochs had asked for it."
    )


def plot(result: dict[str, Any]) -> Any:
    plt.rcParams.update(
        {"svg.hashsalt": "ptuning", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    )
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4), width_ratios=(1.5, 1, 1), layout="constrained")
    work = result["work"]
    _bars(left, result)
    for size, style, color in ((8, "--", ORANGE), (work["batch_size"], "-", BLUE)):
        points = [point for point in result["lanes"] if point["batch_size"] == size]
        if not points:
            continue
        middle.plot([p["lanes"] for p in points], [p["examples_per_second"] for p in points], style, color=color,
                    marker="o" if size == 8 else "s", label=f"batch {size} a run")  # fmt: skip
    middle.set_xscale("log", base=2)
    middle.set_xticks([1, 2, 4, 8, 16, 32], ["1", "2", "4", "8", "16", "32"])
    middle.set(title="Runs that share the backbone", xlabel="runs (lanes)", ylabel="examples/s, all runs")
    middle.legend(frameon=False)
    right.plot([p["length"] for p in result["lengths"]], [p["examples_per_second"] for p in result["lengths"]],
               color=BLUE, marker="s")  # fmt: skip
    right.set(title="Prompt length, one run", xlabel="virtual tokens a layer", ylabel="examples/s")
    for axes in (middle, right):
        axes.margins(y=0.15)
        axes.set_ylim(bottom=0)
    figure.suptitle(
        f"{work['shape']}, {work['task'].upper()} lengths, batch {work['batch_size']}, {result['device']['name']}",
        fontsize=10,
    )
    return figure


def _bars(axes: Any, result: dict[str, Any]) -> None:
    keys = list(NAMES)[::-1]
    rates = [result["contestants"][key]["examples_per_second"] for key in keys]
    medians = [rate["median"] for rate in rates]
    spread = [[m - r["min"] for m, r in zip(medians, rates, strict=True)],
              [r["max"] - m for m, r in zip(medians, rates, strict=True)]]  # fmt: skip
    ours = ("ours", "packed", "top_third", "ours_dropout")
    colors = [BLUE if key in ours else GREY if key == "floor" else ORANGE for key in keys]
    hatches = ["" if key in ours else ".." if key == "floor" else "//" for key in keys]
    bars = axes.barh([NAMES[key] for key in keys], medians, xerr=spread, color=colors, edgecolor="white",
                     error_kw={"lw": 1})  # fmt: skip
    for bar, hatch, value in zip(bars, hatches, rates, strict=True):
        bar.set_hatch(hatch)
        axes.annotate(f"{value['median']:.3g}", (value["max"], bar.get_y() + bar.get_height() / 2), va="center",
                      xytext=(6, 0), textcoords="offset points")  # fmt: skip
    axes.set(title="Training throughput", xlabel="examples/s (median; bar: min to max)")
    axes.margins(x=0.15)


def main() -> None:
    for file in sorted(Path("results/benchmarks").glob("*.json")):
        print(make(file))


if __name__ == "__main__":
    main()
