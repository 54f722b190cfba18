"""Trained prompts as a library has them: loaded by one line, asked with texts, given to others.

model = ptuning.load("outputs/weights/rte-minilm_l6-p_tuning_v2-seed1-0123456789.safetensors")
model.predict([("The cat sat.", "There is a cat.")])
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from ptuning import heads, tasks
from ptuning.config import BackboneConfig, RunConfig, RuntimeConfig
from ptuning.errors import InputError
from ptuning.parsed import Run
from ptuning.predict import Answer, Answerer
from ptuning.records import configs, store, weights
from ptuning.records.identity import run_id
from ptuning.records.record import Record, choose_epoch
from ptuning.records.run_record import backbone_of
from ptuning.sharing import folder, origin, peft
from ptuning.sharing.folder import About, Folder
from ptuning.tasks.base import AnyTask

Asked = str | Sequence[str] | Mapping[str, Any]  # a text, several (a pair), or a row of the task's official format
Source = str | Path | Record


@dataclass(frozen=True)
class Trained:
    """A trained prompt that was found: the file of its weights, what is said of it, and where its backbone is, None
    where the file says that itself."""

    file: Path
    about: About
    backbone: BackboneConfig | None


class Model:
    """Trained prompts and heads on the frozen backbone that they share."""

    def __init__(self, found: Sequence[Trained], runtime: RuntimeConfig) -> None:
        """Raises InputError as `load` does."""
        self._found = {one.file.stem: one for one in found}
        placed = next((one.backbone for one in found if one.backbone is not None), None)
        self._answerer = Answerer([one.file for one in found], runtime, placed)

    @classmethod
    def load(
        cls,
        *sources: Source,
        backbone: str | Path | None = None,
        device: str = "auto",
        results: str | Path = "results",
        weights: str | Path = "outputs/weights",
    ) -> Model:
        """One or more trained prompts, to answer together where there are several.

        A source is a file of weights (`runtime.save=true` writes them), a folder or an id of the hub that
        `save_pretrained` or `push_to_hub` has written, or a run that trained here: its record, the record's file or
        name, or its id, whose weights lie in the folder `weights` and whose record in `results`. `backbone` is a
        folder or hub id of the backbone, for a prompt that was trained on a folder of another machine; what is in it
        is compared. `device` is `auto` (the GPU where there is one), `cpu`, `cuda` or `cuda:1`.

        Raises InputError for a source that is none of these, is damaged or was changed; where a run left no weights;
        where the backbone cannot be had or is of other content; and where several prompts cannot share one.
        """
        if not sources:
            raise InputError("nothing is to be loaded: give a file of weights, a folder, a record or a run's id.")
        runtime = _runtime(device, Path(results), Path(weights))
        return cls([_find(source, backbone, runtime) for source in sources], runtime)

    @property
    def names(self) -> list[str]:
        """What the prompts are known by: their files' names, without the ending. A row names one as its `run`."""
        return list(self._found)

    def predict(self, texts: Sequence[Asked]) -> list[Any]:
        """The answer to each of `texts`: a label, a choice, the entities or roles, a part of the passage, a score, or
        a text, as the task has it; of a row that may ask several things (MultiRC's, ReCoRD's, roles') a list of them.

        One of `texts` is a string or a tuple of strings, where the task needs nothing else (a sentence; premise and
        hypothesis; question and passage), or a row of its official format as a dict. With several prompts loaded each
        is a dict with the `task`, or the `run`, that it is for.

        Raises InputError for a text that the task cannot be asked with, naming its place.
        """
        return self._of_each(texts, lambda name, answer: answer[self._task(name).answer_key])

    def predict_proba(self, texts: Sequence[Asked]) -> list[Any]:
        """The probability of each label or choice, by its name, for each of `texts`, as `predict` takes and arranges
        them. They sum to 1, but where a text may have several labels. Raises InputError as that does, and for a task
        that is not answered with labels."""
        return self._of_each(texts, self._probabilities)

    def answers(self, texts: Sequence[Asked]) -> list[list[Answer]]:
        """All that is known of the answers to each of `texts`, a dict for each thing that it asks: the `run` that
        answered, and what `task.format_prediction` says. Raises InputError as `predict` does."""
        if isinstance(texts, str | Mapping):
            raise InputError("one text alone is given where a list of them is due: put it in brackets.")
        questions = [(f"texts[{index}]", self._row(one, f"texts[{index}]")) for index, one in enumerate(texts)]
        return self._answerer.answer(questions) if questions else []

    def save_pretrained(self, to: str | Path, include_backbone: bool = False) -> Path:
        """Write a folder that `ptuning.load` reads anywhere: weights, the backbone's fingerprint and origin, labels,
        a card; the backbone's files too where `include_backbone`. It is returned.

        Raises InputError where the folder is there and not empty, several prompts are loaded, the head needs the
        task's data to answer, or the backbone has no files to be included.
        """
        name, found = self._alone()
        adapter = self._answerer.adapters[name]
        if adapter.head.needs_data(adapter.config):
            raise InputError(
                f"{name} answers with words of its task's data, which a folder does not hold: it cannot be given away."
            )
        run = Run.parse(adapter.config)
        content = weights.read_header(found.file).backbone or backbone_of(run, self._answerer.backbone)
        return folder.write(
            Path(to), found.file, found.about, self._answerer.backbone_config, dict(content), include_backbone
        )

    def save_peft(self, to: str | Path) -> Path:
        """Write a folder that `peft.PeftModel.from_pretrained` reads, and return it. The model is the backbone's of
        the hub, or, where it is from elsewhere, one that is written to `base_model` in it.

        Raises InputError where the folder is there and not empty, several prompts are loaded, or PEFT has no prompt
        that computes the same, naming what it is that PEFT has not.
        """
        name, found = self._alone()
        adapter, backbone, path = self._answerer.adapters[name], self._answerer.backbone, Path(to)
        peft.check(adapter, backbone)
        folder.make(path)
        there = found.about.origin
        on_hub = there["kind"] == "hub"
        base = there["id"] if on_hub else str(peft.write_base(adapter, backbone, path / peft.BASE))
        trained_with = (weights.read_header(found.file).config["prompt"] or {}).get("reparameterization", {})
        return peft.write(adapter, trained_with, backbone, base, path, there["commit"] if on_hub else None)

    def push_to_hub(
        self,
        repo_id: str,
        include_backbone: bool = False,
        private: bool | None = None,
        token: str | None = None,
        commit_message: str = "Upload a trained prompt",
    ) -> str:
        """Upload what `save_pretrained` writes to the Hugging Face hub, to a repository that is made if need be, and
        return its address. Raises InputError as `save_pretrained` does, and what the hub answers where it refuses."""
        api = huggingface_hub.HfApi(token=token)
        with tempfile.TemporaryDirectory() as scratch:
            written = self.save_pretrained(Path(scratch) / "model", include_backbone)
            try:
                made = api.create_repo(repo_id, private=private, exist_ok=True)
                api.upload_folder(repo_id=repo_id, folder_path=written, commit_message=commit_message)
            except (HfHubHTTPError, HFValidationError, OSError) as error:
                said = " ".join(str(error).split())[:300]
                raise InputError(f"{repo_id} cannot be uploaded ({said}): check the name and the token.") from error
        return str(made)

    def _alone(self) -> tuple[str, Trained]:
        if len(self._found) > 1:
            raise InputError(f"{len(self._found)} prompts are loaded, and a folder holds one: load it alone.")
        ((name, found),) = self._found.items()
        return name, found

    def _of_each(self, texts: Sequence[Asked], take: Callable[[str, Answer], Any]) -> list[Any]:
        """What `take` takes of each answer, of a row that may ask several things a list."""
        found = []
        for answers in self.answers(texts):
            taken = [take(answer["run"], answer) for answer in answers]
            found.append(taken if self._task(answers[0]["run"]).asks_several else taken[0])
        return found

    def _task(self, name: str) -> AnyTask:
        return self._answerer.adapters[name].task

    def _probabilities(self, name: str, answer: Answer) -> dict[str, float]:
        if "probabilities" not in answer:
            key = self._task(name).answer_key
            raise InputError(
                f"{name} answers with {key}, which have no probabilities of labels: call predict, or answers."
            )
        found: dict[str, float] = answer["probabilities"]
        return found

    def _row(self, asked: Asked, where: str) -> Mapping[str, Any]:
        """What is asked as an official row that names the prompt which is to answer it. Raises InputError."""
        if isinstance(asked, Mapping):
            alone = len(self.names) == 1 and not {"run", "task"} & asked.keys()
            return {**asked, "run": self.names[0]} if alone else asked
        if len(self.names) > 1:
            raise InputError(
                f'{where}: {len(self.names)} prompts are loaded: give a dict with the "task", or the "run", that it '
                f"is for, one of {', '.join(self.names)}."
            )
        texts = [asked] if isinstance(asked, str) else list(asked)
        if not all(isinstance(text, str) for text in texts):
            raise InputError(f"{where}: {str(asked)[:80]} is refused: give a string, a tuple of strings, or a dict.")
        try:
            return {**self._task(self.names[0]).row(texts), "run": self.names[0]}
        except InputError as error:
            raise InputError(f"{where}: {error}") from None


def _find(source: Source, backbone: str | Path | None, runtime: RuntimeConfig) -> Trained:
    """Raises InputError as `Model.load` does."""
    if isinstance(source, Mapping):
        return _of_run(str(source.get("id")), backbone, runtime)
    path = Path(source).expanduser()
    if path.is_dir():
        return _of_folder(path, backbone)
    if path.suffix == ".safetensors":
        return _of_file(path, backbone, runtime)
    if path.is_file():
        return _of_run(str(store.read(path)["id"]), backbone, runtime)
    name = str(source).removesuffix(".json")
    if re.fullmatch(r"(.*-)?[0-9a-f]{10}", Path(name).name):
        return _of_run(name[-10:], backbone, runtime)
    if re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        return _of_folder(_fetched(name), backbone)
    raise InputError(
        f"{source} is no trained prompt: give a file of weights (.safetensors), a folder that save_pretrained has "
        "written, a record or its run's id, or an id of the hub (owner/name)."
    )


def _of_folder(path: Path, backbone: str | Path | None) -> Trained:
    found: Folder = folder.read(path)
    config = weights.read_header(found.weights).config["backbone"]
    if backbone is None and found.backbone is None and found.about.origin["kind"] == origin.LOCAL:
        raise InputError(
            f"{path} was trained on a backbone that was a folder of its maker ({config['name']}): give "
            "backbone=<the folder, or hub id>, whose content is then compared."
        )
    placed = found.backbone if backbone is None else folder.at(str(backbone), config["name"])
    return Trained(found.weights, found.about, placed)


def _of_run(identifier: str, backbone: str | Path | None, runtime: RuntimeConfig) -> Trained:
    kept = sorted(runtime.weights.glob(f"*-{identifier}.safetensors"))
    if not kept:
        raise InputError(
            f"the run {identifier} has no weights in {runtime.weights}: train it with runtime.save=true, or say where "
            "they are (weights=)."
        )
    return _of_file(kept[0], backbone, runtime)


def _of_file(file: Path, backbone: str | Path | None, runtime: RuntimeConfig) -> Trained:
    header = weights.read_header(file)
    run = configs.parse_run(header.config, runtime, str(file))
    placed = None if backbone is None else folder.at(str(backbone), run.backbone.name)
    return Trained(file, _about(run, header.labels), placed)


def _about(run: RunConfig, labels: Sequence[str]) -> About:
    """What others are told of a run that was trained here; `labels`: those of its data, where its task has none."""
    identifier, task = run_id(run), tasks.of(run.single)
    task = task.with_labels(labels) if labels and not task.labels else task
    head = heads.name_of(heads.of_run(run, task))
    record = store.find_id(run.runtime.results, identifier)
    return About(identifier, origin.of(run.backbone), task.name, head, list(task.labels), _score(record, run))


def _score(record: Record | None, run: RunConfig) -> dict[str, Any] | None:
    chosen = None if record is None else choose_epoch(record, run.selection)
    if record is None or chosen is None:
        return None
    epoch, value = chosen
    return {"metric": record["metric"], "value": value, "rule": run.selection, "epoch": epoch}


def _fetched(repo_id: str) -> Path:
    """The folder of a repository of the hub. Raises InputError where it cannot be had."""
    try:
        return Path(huggingface_hub.snapshot_download(repo_id))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        said = " ".join(str(error).split())[:200]
        raise InputError(
            f"{repo_id} is no folder here, and the hub does not give it ({said}): check the name and the network."
        ) from None


def _runtime(device: str, results: Path, weights: Path) -> RuntimeConfig:
    """For answering alone: nothing is written."""
    return RuntimeConfig(
        device=device, results=results, weights=weights, wandb="disabled", wandb_project="ptuning", progress=False,
        save=False, attention="sdpa", gradient_checkpointing=False, tokens_per_pass="auto", hidden_cache_memory_gb=0,
        hidden_cache_disk_gb=0,
    )  # fmt: skip
