# %% [markdown]
# # A tour of the speed benchmark
#
# Reads `results/benchmarks/*.json` only: nothing is timed here. `make benchmark` measures anew, on the machine that it
# runs on; every number below is of the machine that its line names.

# %%
import json
import sys
from math import log
from pathlib import Path

sys.path += [".", ".."]  # the repository, from its own folder or from notebooks/

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.patches import Patch

from experiments.artefacts.style import LOOKS, PAPER
from experiments.benchmark.contestants import FLOOR, FLOORS, NAMES, OTHERS, OURS, OWN, RATIOS
from experiments.benchmark.shown import whiskers

results = next(
    folder / "results" for folder in [Path.cwd(), *Path.cwd().parents] if (folder / "results/benchmarks").is_dir()
)
read = {file.stem: json.loads(file.read_text()) for file in sorted((results / "benchmarks").glob("*.json"))}
runs = {name: run for name, run in read.items() if run.get("kind", "contestants") == "contestants"}
titles = {name: f"{run['work']['shape']}, {run['work']['task'].upper()} lengths" for name, run in runs.items()}

# %% [markdown]
# ## What is measured
# An epoch of training, on an encoder of a real shape with random weights and on random tokens: neither changes how
# long a step takes. The lengths of the texts do, and they are those of a real task. All contestants run in one
# process, in turns, so that a disturbance hits them alike; ratios are taken within a round.
#
# * **The authors' recipe**: P-Tuning v2 as in their scripts, every text padded to the limit, the prefix laid out as a
#   cache for each example, eager attention, dropout on. A bare loop of ours, without the overhead of their Trainer.
# * **PEFT**: `PrefixTuningConfig` in transformers' Trainer, as it comes and with every dropout 0.
# * **Fine-tuning**: every weight, in transformers' Trainer.
# * **Ours**: the engine behind `experiments.run`. One run; the same with the backbone's dropout on; several runs
#   packed on one backbone; prompts in the top third of the layers only, from the second epoch on.
# * **The floor**: forward and activation-only backward of the bare backbone on the same texts, sorted by length. No
#   prompt, no head, no optimizer.

# %%
for name, run in runs.items():
    work, device = run["work"], run["device"]
    print(
        f"{titles[name]}: {work['rounds']} rounds of {work['examples']} examples ({work['tokens']} tokens), batch "
        f"{work['batch_size']}, prompt length {work['prompt_length']}\n"
        f"    {device['name']}, {device['kind']}, {device['threads']} threads, {device['precision']['ours']}, torch "
        f"{device['torch']}"
    )

# %% [markdown]
# ## The table
# Examples a second: the median over the rounds, and the slowest and the fastest. The share of the floor is how fast a
# contestant is beside the bare backbone.

# %%
table = pd.DataFrame(
    {
        "work": titles[name],
        "contestant": label,
        "examples/s": one["examples_per_second"]["median"],
        "slowest": one["examples_per_second"]["min"],
        "fastest": one["examples_per_second"]["max"],
        "tokens/s": round(one["tokens_per_second"]),
        "% of floor": round(100 * one["share_of_floor"]),
    }
    for name, run in runs.items()
    for key, one in run["contestants"].items()
    for label in [NAMES[key]]
)
for title, rows in table.groupby("work", sort=False):
    print(title, rows.drop(columns="work").round(1).to_string(index=False), sep="\n", end="\n\n")

# %%
HATCHES = {OURS: "", OTHERS: "//", FLOOR: ".."}


def grid(count):
    """Two panels a row, those without a work left out."""
    rows = -(-count // 2)
    figure, axes = plt.subplots(rows, 2, figsize=(12.4, 4.2 * rows), squeeze=False, layout="constrained")
    for spare in axes.flat[count:]:
        spare.set_visible(False)
    return figure, list(axes.flat[:count])


figure, panels = grid(len(runs))
for panel, (name, run) in zip(panels, runs.items(), strict=True):
    keys = [key for key in NAMES if key in run["contestants"]]
    spreads = [run["contestants"][key]["examples_per_second"] for key in keys]
    looks = [OURS if key in OWN else FLOOR if key in FLOORS else OTHERS for key in keys]
    panel.barh(
        [NAMES[key] for key in keys], [one["median"] for one in spreads], xerr=whiskers(spreads),
        color=[look.color for look in looks], hatch=[HATCHES[look] for look in looks], edgecolor=PAPER, capsize=3,
        error_kw={"ecolor": "#666666"},
    )  # fmt: skip
    for place, one in enumerate(spreads):
        panel.annotate(
            f"{one['median']:.3g}", (one["max"], place), xytext=(6, 0), textcoords="offset points", va="center"
        )
    panel.invert_yaxis()
    panel.margins(x=0.12)
    panel.spines[["top", "right"]].set_visible(False)
    panel.set(title=titles[name], xlabel="examples/s (median; whiskers: slowest to fastest round)")
    panel.legend(
        handles=[Patch(facecolor=look.color, hatch=HATCHES[look], edgecolor=PAPER, label=kind)
                 for kind, look in {"ours": OURS, "others": OTHERS, "floor": FLOOR}.items()],
        loc="upper right",
    )  # fmt: skip
figure.suptitle("Training throughput")
plt.show()

# %% [markdown]
# ## How much faster
# Ratios of throughput, each within a round: right of the line, ours is faster. One run of ours, and the runs of a
# packed sweep one by one, against the authors' recipe and against PEFT.

# %%
SHOWN = [
    "ours_over_official", "ours_over_peft", "ours_over_peft_no_dropout", "packed_over_official", "packed_over_peft",
    "ours_over_fine_tuning",
]  # fmt: skip
ratios = pd.DataFrame(
    {"work": titles[name], "ratio": RATIOS[key], **run["ratios"][key]} for name, run in runs.items() for key in SHOWN
)
for title, rows in ratios.groupby("work", sort=False):
    print(title, rows.drop(columns="work").round(2).to_string(index=False), sep="\n", end="\n\n")

# %%
figure, axis = plt.subplots(figsize=(8, 3.8), layout="constrained")
for number, (name, run) in enumerate(runs.items()):
    look, spreads = LOOKS[number], [run["ratios"][key] for key in SHOWN]
    medians = [one["median"] for one in spreads]
    rows = [place + 0.44 / len(runs) * (number - (len(runs) - 1) / 2) for place in range(len(SHOWN))]
    axis.errorbar(
        medians, rows, xerr=whiskers(spreads), fmt=look.marker, color=look.color, capsize=3, label=titles[name]
    )
axis.axvline(1, color="#000000", linewidth=1, linestyle=":", label="equally fast")
axis.set_yticks(range(len(SHOWN)), [RATIOS[key] for key in SHOWN])
axis.invert_yaxis()
axis.set_xlim(left=0)
axis.spines[["top", "right"]].set_visible(False)
axis.set(title="Ours over the others", xlabel="ratio of examples/s (median; whiskers: all rounds)")
axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
plt.show()

# %% [markdown]
# ## Where the lead over PEFT comes from
# Partly from doing less: ours leaves the frozen backbone's dropout off; PEFT as it comes, and the authors, leave it
# on. What dropout costs is measured twice, on PEFT and on ours. Its share of the lead is one of logarithms, since
# factors multiply.

# %%
for name, run in runs.items():
    lead, engine, ours = (
        run["ratios"][key]["median"] for key in ("ours_over_peft", "ours_over_peft_no_dropout", "dropout_off_over_on")
    )
    print(
        f"{titles[name]}: {lead:.2f} times as fast as PEFT as it comes, {engine:.2f} times as PEFT with dropout 0\n"
        f"    dropout off is worth {lead / engine:.2f} to PEFT, {log(lead / engine) / log(lead):.0%} of the lead, "
        f"and {ours:.2f} to ours, {log(ours) / log(lead):.0%} of it"
    )

# %% [markdown]
# What leaving it off does to accuracy is another question, which no throughput answers:
# `experiments/ablations/protocol.py` compares the two. For the authors' own protocol, set
# `train.backbone_dropout=0.1`.
#
# ## What limits it
# The backbone. Where a run takes about as long as the floor, there is little left to win but by sending less through
# it: ours works out only [CLS] in the last layer, which is how it can pass a floor that works out every token, and
# prompts in the top layers only need the layers below them once a text.

# %%
for name, run in runs.items():
    floor, third, packed = (
        run["ratios"][key]["median"] for key in ("floor_over_ours", "top_third_over_all", "packed_over_ours")
    )
    work, matrix = run["work"], run["matrix"]
    print(
        f"{titles[name]}\n"
        f"    one run goes at {floor:.2f} times the rate of the floor\n"
        f"    prompts in layers {work['top_third']} only: {third:.1f} times the rate of prompts in all layers\n"
        f"    {work['packed_runs']} runs packed: {packed:.2f} times the throughput of one, and "
        f"{matrix['packed_share']:.0%} of the {matrix['device_tflops']:.2g} TFLOP/s of large matrix products\n"
        f"    a run more in a pack keeps {run['memory_per_lane_mb']:.1f} MB"
    )

# %% [markdown]
# Packing pays where one run leaves the device idle. The left panel adds runs of a small batch to one backbone: a flat
# line says that the first run fills the machine already. The right panel lengthens the prompt of a single run.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.8), layout="constrained")
for look, (name, run) in zip(LOOKS, runs.items(), strict=False):
    for size in sorted({point["batch_size"] for point in run["lanes"]}):
        points = [point for point in run["lanes"] if point["batch_size"] == size]
        left.plot(
            [point["lanes"] for point in points], [point["examples_per_second"] for point in points], color=look.color,
            marker=look.marker, linestyle="-" if size == run["work"]["batch_size"] else "--",
            label=f"{titles[name]}, batch {size}",
        )  # fmt: skip
    right.plot(
        [point["length"] for point in run["lengths"]], [point["examples_per_second"] for point in run["lengths"]],
        color=look.color, marker=look.marker, label=f"{titles[name]}, batch {run['work']['batch_size']}",
    )  # fmt: skip
lanes = sorted({point["lanes"] for run in runs.values() for point in run["lanes"]})
left.set_xscale("log", base=2)
left.set_xticks(lanes, map(str, lanes))
left.set(title="Runs that share the backbone", xlabel="runs at once", ylabel="examples/s, all runs together")
right.set(title="Length of the prompt", xlabel="virtual tokens a layer", ylabel="examples/s")
for axis in (left, right):
    axis.margins(y=0.15)
    axis.set_ylim(bottom=0)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(loc="lower left", frameon=False)
plt.show()

# %% [markdown]
# ## How far to trust it

# %%
for name, run in runs.items():
    rates = {key: one["examples_per_second"] for key, one in run["contestants"].items()}
    widest = max(rates, key=lambda key: rates[key]["max"] / rates[key]["min"])
    tokens = run["work"]["tokens"] / run["work"]["examples"] / run["work"]["max_length"]
    print(
        f"{titles[name]}\n"
        f"    {run['work']['rounds']} rounds; widest between them: {NAMES[widest]}, whose fastest is "
        f"{rates[widest]['max'] / rates[widest]['min']:.2f} times its slowest\n"
        f"    a text fills {tokens:.0%} of the {run['work']['max_length']} tokens that the authors' recipe pads it to"
    )

# %% [markdown]
# * The ranges are all there is: a few rounds, on a machine that others may use. Two contestants whose ranges overlap
#   are not told apart.
# * The two curves above were taken apart from the table, on fewer examples: their rates do not compare with its.
# * The recipe of the authors pads, so that the lead over it is the larger the shorter the texts are.
# * It is also our rewriting of that recipe for current libraries: the same operations, not their code.
# * Packing is made for GPUs; what is measured on one has "cuda" in its line at the top.
# * A throughput says nothing about accuracy: Tables 2 and 3 do.
