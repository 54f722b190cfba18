"""The table and the plot of the contestants' throughput."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt

from experiments.artefacts.style import LOOKS, PAPER
from experiments.benchmark.shown import Result, from_zero, headline, markdown, ranged, whiskers

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
    "peft_bf16": "PEFT in bf16",
    "ours_bf16": "ours in bf16, one run",
    "floor_bf16": "floor in bf16",
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
    "ours_bf16_over_official": "ours in bf16 over the official recipe",
    "ours_bf16_over_peft_bf16": "ours in bf16 over PEFT in bf16",
    "ours_bf16_over_ours": "ours in bf16 over ours",
    "floor_bf16_over_ours_bf16": "in bf16, the floor's time over ours",
}
MEMORY = "Peak memory: beyond what was there before the epoch, the models apart."
NO_MEMORY = "Memory of contestants in one process cannot be told apart on a CPU: see the benchmark of prompt lengths."
OURS, OTHERS, FLOOR = LOOKS[0], LOOKS[5], LOOKS[3]
OWN = {"ours", "packed", "top_third", "ours_dropout", "ours_bf16"}
FLOORS = {"floor", "floor_bf16"}


def table(result: Result) -> str:
    rows = []
    for key, name in _names(result).items():
        one = result["contestants"][key]
        rows.append({
            "": name + (f" ({result['work']['packed_runs']} runs)" if key == "packed" else ""),
            "examples/s": ranged(one["examples_per_second"], ".3g"),
            "tokens/s": f"{one['tokens_per_second']:.0f}",
            "share of floor": f"{100 * one['share_of_floor']:.0f} %",
            **({"peak memory": f"{one['peak_memory_mb']:.0f} MB"} if _on_gpu(result) else {}),
        })  # fmt: skip
    ratios = [
        {"ratio, within a round": name, "": ranged(result["ratios"][key], ".2f")}
        for key, name in RATIOS.items()
        if key in result["ratios"]
    ]
    return "\n\n".join([caption(result), markdown(rows), markdown(ratios), notes(result)]) + "\n"


def _names(result: Result) -> dict[str, str]:
    """Of the contestants that took part: those in bf16 do where the others are not in it and the device has it."""
    return {key: name for key, name in NAMES.items() if key in result["contestants"]}


def caption(result: Result) -> str:
    work, device = result["work"], result["device"]
    return (
        f"{work['shape']} (random weights), {work['task'].upper()} lengths, batch {work['batch_size']}, prompt length "
        f"{work['prompt_length']}, on {device['name']} ({device['threads']} threads, {device['precision']['ours']}; "
        f"official float32): median (min–max) of {work['rounds']} rounds of {work['examples']} examples."
    )


def notes(result: Result) -> str:
    inference = {name: ranged(one, ".3g") for name, one in result["inference"].items()}
    matrix = result["matrix"]
    return (
        f"The packed sweep reaches {100 * matrix['packed_share']:.0f} % of the {matrix['device_tflops']:.3g} TFLOP/s "
        f"of the device's matrix products; a run more in a pack keeps {result['memory_per_lane_mb']:.1f} MB. A stream "
        f"of questions of eight tasks: {inference['mixed']} examples/s in mixed batches, {inference['task_by_task']} "
        "task by task. " + (MEMORY if _on_gpu(result) else NO_MEMORY) + " The top third skips the layers below from "
        "its second epoch on, which is what was timed. Numbers of one panel or table were measured in turns; those of "
        "different ones at different times, on a machine that may have been busier."
    )


def _on_gpu(result: Result) -> bool:
    return bool(result["device"]["kind"] == "cuda")


def plot(result: Result) -> Any:
    figure, (left, middle, right) = plt.subplots(
        1, 3, figsize=(10.8, 3.7), width_ratios=(1.4, 1, 1), layout="constrained"
    )
    _bars(left, result)
    _lanes(middle, result)
    _lengths(right, result)
    for axes in (middle, right):
        from_zero(axes)
    figure.suptitle(headline(result), fontsize=9)
    return figure


def _bars(axes: Any, result: Result) -> None:
    keys = list(_names(result))[::-1]
    rates = [result["contestants"][key]["examples_per_second"] for key in keys]
    looks = [OURS if key in OWN else FLOOR if key in FLOORS else OTHERS for key in keys]
    hatches = {OURS: "", OTHERS: "//", FLOOR: ".."}
    bars = axes.barh([NAMES[key] for key in keys], [rate["median"] for rate in rates], xerr=whiskers(rates),
                     color=[look.color for look in looks], hatch=[hatches[look] for look in looks], edgecolor=PAPER,
                     error_kw={"lw": 1})  # fmt: skip
    for bar, rate in zip(bars, rates, strict=True):
        axes.annotate(f"{rate['median']:.3g}", (rate["max"], bar.get_y() + bar.get_height() / 2), va="center",
                      xytext=(5, 0), textcoords="offset points")  # fmt: skip
    axes.set(title="Training throughput", xlabel="examples/s (median; bar: min to max)")
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.15)


def _lanes(axes: Any, result: Result) -> None:
    for size, look in {8: LOOKS[1], result["work"]["batch_size"]: OURS}.items():
        points = [point for point in result["lanes"] if point["batch_size"] == size]
        if points:
            axes.plot([p["lanes"] for p in points], [p["examples_per_second"] for p in points], color=look.color,
                      linestyle=look.line, marker=look.marker, label=f"batch {size} a run")  # fmt: skip
    lanes = sorted({point["lanes"] for point in result["lanes"]})
    axes.set_xscale("log", base=2)
    axes.set_xticks(lanes, [str(count) for count in lanes])
    axes.set(title="Runs that share the backbone", xlabel="runs (lanes)", ylabel="examples/s, all runs")
    axes.legend(loc="lower left")


def _lengths(axes: Any, result: Result) -> None:
    points = result["lengths"]
    axes.plot([p["length"] for p in points], [p["examples_per_second"] for p in points], color=OURS.color,
              linestyle=OURS.line, marker=OURS.marker)  # fmt: skip
    axes.set(title="Prompt length, one run", xlabel="virtual tokens a layer", ylabel="examples/s")
