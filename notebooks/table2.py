# %% [markdown]
# # A tour of Table 2
#
# Reads `results/` only: nothing is trained here. Every number below comes from a record in `results/runs/`, and every
# record from a run that `make reproduce-table2` can repeat.

# %%
import sys
from pathlib import Path

sys.path += [".", ".."]  # the repository, from its own folder or from notebooks/

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.ticker import MaxNLocator

from experiments.artefacts import methods, sidecar
from ptuning.records import store

results = next(
    folder / "results" for folder in [Path.cwd(), *Path.cwd().parents] if (folder / "results/runs").is_dir()
)
table2 = sidecar.read(results / "tables/p_tuning_v2/table2_small.records.json")
names = {name for cell in table2.cells for name in cell.records}
behind = [record for file, record in store.read_all(results) if file.name in names]

# %% [markdown]
# ## The runs
# One line a run: the score at the epoch that the paper's rule (best dev epoch) chooses, and at the last epoch, to show
# the rule's selection optimism.

# %%
runs = pd.DataFrame(
    {
        "task": record["config"]["task"]["name"],
        "backbone": record["config"]["backbone"]["name"],
        "method": record["config"]["method"],
        "seed": record["config"]["seed"],
        "data": record["data"]["source"],
        "metric": record["metric"],
        "best dev": max(epoch["dev"][record["metric"]] for epoch in record["history"]),
        "last": record["history"][-1]["dev"][record["metric"]],
        "trained %": 100 * record["parameters"]["share"],
        "examples/s": record["speed"]["examples_per_second"],
    }
    for record in behind
    if record["history"]
)
print(runs.round(2).to_string(index=False))

# %% [markdown]
# ## Learning curves
# Dev score by epoch. Methods differ in colour, marker and line, so that the plots read in print and without colour.

# %%
groups = sorted({(r["config"]["task"]["name"], r["config"]["backbone"]["name"]) for r in behind})
columns = min(3, max(1, len(groups)))
rows = max(1, -(-len(groups) // columns))
figure, axes = plt.subplots(rows, columns, figsize=(4 * columns, 3 * rows), squeeze=False, layout="constrained")
for axis, (task, backbone) in zip(axes.flat, groups, strict=False):
    labelled = set()
    for record in behind:
        config = record["config"]
        if (config["task"]["name"], config["backbone"]["name"]) != (task, backbone) or not record["history"]:
            continue
        shown = methods.shown(config["method"])
        axis.plot(
            [epoch["epoch"] for epoch in record["history"]],
            [epoch["dev"][record["metric"]] for epoch in record["history"]],
            color=shown.color, marker=shown.marker, linestyle=shown.line, markersize=4,
            label=None if shown.label in labelled else shown.label,
        )  # fmt: skip
        labelled.add(shown.label)
        axis.set_ylabel(f"dev {record['metric']} (%)")
    axis.set_title(f"{task}, {backbone}")
    axis.set_xlabel("epoch")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.legend()
for axis in axes.flat[len(groups) :]:
    axis.set_visible(False)
plt.show()
