# %% [markdown]
# # The ablations
#
# Reads `results/` only: nothing is trained here. Every number comes from a record in `results/runs/`;
# `python -m experiments.explain figure4 rte` (or any other name and words) prints what stands behind it, and
# `make report` writes a page on which every point leads there. Real data, MiniLM backbones, two CPU cores: few epochs
# and mostly one seed, so that only large differences mean something. The paper is arXiv:2110.07602; its numbers were
# not read in it, and carry marks that say how sure they are (`results/published/README.md`).

# %%
import json
from pathlib import Path

import pandas as pd

results = next(
    folder / "results" for folder in [Path.cwd(), *Path.cwd().parents] if (folder / "results/runs").is_dir()
)


def show(stem: str) -> pd.DataFrame:
    """Print the data behind a figure, and how they were made; the data."""
    sidecar = json.loads((results / f"figures/{stem}.records.json").read_text())
    (frame,) = sidecar["frames"]
    table = pd.DataFrame(frame["rows"], columns=frame["columns"])
    print(table.to_string(index=False))
    print("\n" + "\n".join(sidecar["notes"]))
    print(f"\npython -m experiments.{sidecar['name']} " + " ".join(sidecar["overrides"]))
    return table


# %% [markdown]
# ## Size (Figure 1)
# ![score against size](../results/figures/figure1_small.png)

# %%
size = show("figure1_small")

# %% [markdown]
# TEXT1

# %% [markdown]
# ## Length and reparameterization (Figure 4)
# ![score against prompt length](../results/figures/figure4_small.png)

# %%
length = show("figure4_small")

# %% [markdown]
# TEXT4

# %% [markdown]
# ## Prefix or infix
# ![infix against prefix](../results/figures/placement_small.png)

# %%
placement = show("placement_small")

# %% [markdown]
# TEXTP

# %% [markdown]
# ## What protocols leave unsaid
# ![differences](../results/figures/protocol_small.png)

# %%
protocol = show("protocol_small")

# %% [markdown]
# TEXTPR

# %% [markdown]
# ## What choosing the best dev epoch flatters
# ![flattery](../results/figures/selection_small.png)

# %%
selection = show("selection_small")

# %% [markdown]
# TEXTS

# %% [markdown]
# ## What a trained parameter buys
# ![score against trained parameters](../results/figures/efficiency_small.png)

# %%
efficiency = show("efficiency_small")

# %% [markdown]
# TEXTE
