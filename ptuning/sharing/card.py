"""The card of a folder (README.md): what the hub reads at its head, and what people read below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from ptuning import tasks
from ptuning.config import TaskConfig
from ptuning.sharing import origin


def of(said: Mapping[str, Any], has_backbone: bool) -> str:
    """The text of a card, from what the folder's config says."""
    config, score = said["config"], said["score"]
    title = f"{config['method']} for {said['task']} on {config['backbone']['name']}"
    wanted = "" if has_backbone or said["origin"]["kind"] != origin.LOCAL else ', backbone="<its folder>"'
    told = "" if score is None else f"| dev {score['metric']} | {score['value']:.2f} (epoch {score['epoch']:g}) |\n"
    labels = f"| labels | {', '.join(said['labels'])} |\n" if said["labels"] else ""
    where = "in this folder" if has_backbone else origin.in_words(said["origin"])
    fingerprint = said["backbone"].get("fingerprint", "not known")
    return f"""---
{_data(said, title).to_yaml()}
---
# {title}

A trained prompt and its head{", with their backbone" if has_backbone else ", without the backbone"}. It is loaded
by one line:

```python
import ptuning

model = ptuning.load("<this folder>"{wanted})
```

| what | |
| --- | --- |
| method | {config["method"]} |
| task, head | {said["task"]}, {said["head"]} |
| data | {_data_used(config["data"])} |
{labels}{told}| run | `{said["id"]}`, seed {config["seed"]} |
| backbone | {where} |
| its weights' fingerprint | `{fingerprint}` |

On a backbone of other content it does not load. Made with ptuning {said["version"]}; `config.json` has every key of
the run and the checksum of each file.
"""


def _data(said: Mapping[str, Any], title: str) -> ModelCardData:
    """What the hub knows of a model. `base_model` and `datasets` are ids there: left out where there are none."""
    known = _hub_data_set(said["config"])
    score = said["score"]
    results = [] if score is None else [
        EvalResult(
            task_type=said["task"], dataset_type=known or said["task"], dataset_name=said["task"],
            metric_type=score["metric"], metric_value=score["value"], dataset_split="validation",
        )
    ]  # fmt: skip
    return ModelCardData(
        library_name="ptuning",
        base_model=origin.published(said["origin"]),
        datasets=[known] if known else None,
        metrics=[score["metric"]] if score else None,
        tags=["prompt-tuning", said["config"]["method"]],
        model_name=title if results else None,
        eval_results=results or None,
    )


def _data_used(data: Mapping[str, Any]) -> str:
    rows = "all" if data["train_rows"] is None else f"{data['train_rows']}"
    source = "generated (miniature), not the task's own" if data["source"] == "miniature" else data["source"]
    return f"{source}; {rows} train rows"


def _hub_data_set(config: Mapping[str, Any]) -> str | None:
    """The id of the official data set; None of generated data, and where it is not on the hub."""
    task = tasks.of(TaskConfig.model_validate(config["task"]))
    return None if task.hub is None or config["data"]["source"] == "miniature" else task.hub[0]
