# %% [markdown]
# # Which layers to prompt
#
# Reads `results/` only: nothing is trained here. Every number comes from a record in `results/runs/`;
# `python -m experiments.explain figure3` prints what stands behind each. Made by
# `make reproduce-figure3 PROFILE=small DATA=<your folder>`.
#
# P-Tuning v2 gives every layer a prompt of its own. Figure 3 of the paper (arXiv:2110.07602) asks which of them
# matter, on BERT-large with its 24 layers: as many prompted layers, counted from the bottom or from the top. It finds
# that prompts in the upper layers do more, and that on RTE layers 17-24 do about as much as all. Here: MiniLM with 6
# layers, in thirds.

# %%
import sys
from pathlib import Path

sys.path += [".", ".."]  # the repository, from its own folder or from notebooks/

import matplotlib.pyplot as plt
import pandas as pd

from experiments.artefacts import sidecar, style
from ptuning.analysis.comparisons import Difference
from ptuning.records import store

results = next(
    folder / "results" for folder in [Path.cwd(), *Path.cwd().parents] if (folder / "results/runs").is_dir()
)
figure3 = sidecar.read(results / "figures/p_tuning_v2/figure3_small.records.json")
cells = pd.DataFrame(
    {**cell.keys, "score": cell.text, "record": name} for cell in figure3.cells for name in cell.records
)
behind = {file.name: record for file, record in store.read_all(results) if file.name in set(cells["record"])}
order = list(dict.fromkeys(cells["prompted layers"]))

# %% [markdown]
# ## The scores
# Dev scores in percent at the best dev epoch (the paper's rule). Missing runs are gaps.

# %%
table = cells.drop_duplicates(["panel", "prompted layers"]).pivot(
    index="prompted layers", columns="panel", values="score"
)
print(table.loc[order].fillna("--").to_string())

# %% [markdown]
# ## As many layers, lower against higher ones
# Lower minus higher, paired by seed, with the 95 % interval of Student's t.

# %%
found = {name: (record["config"]["seed"], record["score"]) for name, record in behind.items()}
scores = {
    (cell["panel"], cell["prompted layers"], found[cell["record"]][0]): found[cell["record"]][1]
    for cell in cells.to_dict("records")
}
seeds = sorted({seed for *_, seed in scores})
pairs = [("1-2", "5-6"), ("1-2", "3-4"), ("3-4", "5-6"), ("1-4", "3-6")]


def lower_minus_higher(panel: str, low: str, high: str) -> str:
    both = [seed for seed in seeds if {(panel, low, seed), (panel, high, seed)} <= scores.keys()]
    return Difference({s: scores[panel, low, s] - scores[panel, high, s] for s in both}, len(seeds)).text


panels = list(dict.fromkeys(cells["panel"]))
compared = {panel: [lower_minus_higher(panel, *pair) for pair in pairs] for panel in panels}
print(pd.DataFrame(compared, index=[" minus ".join(pair) for pair in pairs]).to_string())

# %% [markdown]
# ## What the prompts cost
# Trained parameters grow with the prompted layers. Where the lowest prompt stands high, training is faster, because
# the layers below it run once a text and no gradient goes through them; but the times here (medians over seeds) are
# of runs that shared the machine and, with several lanes, the pass, so that CB's alone show it: `make benchmark`
# measures it.

# %%
costs = pd.DataFrame(
    {
        "task": record["config"]["task"]["name"],
        "layers": record["config"]["prompt"]["layers"],
        "trained": record["parameters"]["trained"],
        "examples/s": record["speed"]["examples_per_second"],
        "lanes": record["speed"]["lanes"],
    }
    for record in behind.values()
)
print(costs.groupby(["task", "trained", "layers"]).median().round(1).to_string())

# %% [markdown]
# ## Learning curves
# The score a figure shows is one epoch's. Where the curves cross, that epoch decides who wins.

# %%
looks = dict(zip(order, style.LOOKS, strict=False))
figure, axes = plt.subplots(1, len(panels), figsize=(4.2 * len(panels), 3.4), squeeze=False, layout="constrained")
for axis, panel in zip(axes.flat, panels, strict=True):
    mine = cells[cells["panel"] == panel].drop_duplicates("record")
    curves = {}
    for layers, name in zip(mine["prompted layers"], mine["record"], strict=True):  # a curve a seed
        record, look = behind[name], looks[layers]
        epochs = [epoch["epoch"] for epoch in record["history"]]
        heights = [epoch["dev"][record["metric"]] for epoch in record["history"]]
        drawn = {"color": look.color, "marker": look.marker, "linestyle": look.line, "markersize": 4, "linewidth": 1}
        (curves[f"layers {layers}"],) = axis.plot(epochs, heights, **drawn)
    axis.set(title=panel, xlabel="epoch", ylabel=f"dev {record['metric']} (%)", xticks=epochs)
figure.legend(curves.values(), curves, loc="outside lower center", ncols=len(curves), fontsize=7)
plt.show()

# %% [markdown]
# ## What it says
# * **On WNUT17** (1,000 training sentences) more layers are better, and all of them together best. For the same
#   number of prompted layers the *lower* ones do as well or better: 1-4 above 3-6 in each of three seeds, by a point
#   (an interval without zero), 1-2 level with 5-6, and the middle third above both (above 1-2 with an interval that
#   just leaves out zero; four were looked at). That is not what the paper finds on BERT-large, where the upper layers
#   do more. The backbone has a quarter of its depth and was tuned for sentence embeddings: enough to say that "prompt
#   the top" is no rule, not enough for a rule of its own.
# * **On CB** nothing can be told apart: the means of all six settings lie within one dev example (1.8 points), and the
#   curves cross. The paper's claim that the top third does as well as all layers is consistent with it, and so is
#   every other claim.
# * RTE and BoolQ, which the paper uses, are not here: `minilm_l6` stays at chance on both
#   (`results/tables/p_tuning_v2/table2_small.md`), so that their depth curves would be noise.
