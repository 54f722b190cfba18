"""From the command line to checked runs: every config file composes, and bad input gets one sentence."""

import pytest
import torch
from omegaconf import OmegaConf

from ptuning import registry
from ptuning.data import splits
from ptuning.errors import InputError
from ptuning.launch import compose
from ptuning.launch.overrides import union_of_sweeps
from ptuning.records import store
from ptuning.records.identity import run_id, run_name
from ptuning.sweep import sweep
from ptuning.sweep.resume import done

TINY = ["backbone=tiny_bert", "data=miniature"]


def test_the_documented_command_line_is_one_run():
    (run,) = compose.expand(
        [
            "task=rte", "backbone=minilm_l6", "method=p_tuning_v2", "data=local", "data.root=../shared/data",
            "prompt.length=20", "prompt.layers=4-6", "prompt.placement=prefix", "prompt.reparameterization=mlp",
            "prompt.positions=keep", "train.epochs=3", "train.lr=1e-2", "seed=1",
        ]
    )  # fmt: skip
    assert (run.task.name, run.backbone.name, run.method, run.seed) == ("rte", "minilm_l6", "p_tuning_v2", 1)
    assert run.prompt["layers"] == "4-6"
    assert run.prompt["positions"] == "keep"
    assert (run.train.epochs, run.train.lr) == (3, 0.01)


SEVERAL = [
    {"method": "fine_tuning"},
    {"method": "prompt_tuning,p_tuning_v2", "prompt.length": "4,20"},
    {"method": "p_tuning_v2", "train.lr": "0.01,0.001"},
]


@pytest.mark.parametrize(
    ("overrides", "asked"),
    [
        ([], [
            ["seed=1,2", "method=fine_tuning"],
            ["seed=1,2", "method=prompt_tuning,p_tuning_v2", "prompt.length=4,20"],
            ["seed=1,2", "method=p_tuning_v2", "train.lr=0.01,0.001"]]),
        (["method=fine_tuning", "seed=3"], [["method=fine_tuning", "seed=3"]]),
        (["method=fine_tuning,prompt_tuning"], [["seed=1,2", "method=fine_tuning"],
                                                ["seed=1,2", "method=prompt_tuning", "prompt.length=4,20"]]),
        (["method=p_tuning_v2", "train.lr=0.001"], [
            ["seed=1,2", "method=p_tuning_v2", "prompt.length=4,20", "train.lr=0.001"],
            ["seed=1,2", "method=p_tuning_v2", "train.lr=0.001"]]),
        (["method=p_tuning_v2", "train.lr=0.5"], [
            ["seed=1,2", "method=p_tuning_v2", "prompt.length=4,20", "train.lr=0.5"],
            ["seed=1,2", "method=p_tuning_v2", "train.lr=0.5"]]),
        (["method=fine_tuning", "task=rte", "+task@sources.a.task=cb", "task=wic"], [
            ["seed=1,2", "method=fine_tuning", "task=rte", "+task@sources.a.task=cb", "task=wic"]]),
    ],
    ids=lambda one: " ".join(one) if one and isinstance(one[0], str) else "",
)  # fmt: skip
def test_what_is_asked_for_chooses_among_an_experiments_sweeps(overrides, asked):
    assert union_of_sweeps({"seed": "1,2"}, SEVERAL, overrides) == asked


def test_values_of_different_sweeps_are_not_asked_for_at_once():
    with pytest.raises(InputError, match=r"method=prompt_tuning train.lr=0.001 belong to different sweeps"):
        union_of_sweeps(
            {},
            [{"method": "prompt_tuning", "train.lr": "0.01"}, SEVERAL[2]],
            ["method=prompt_tuning", "train.lr=0.001"],
        )


def test_commas_sweep_and_equal_runs_are_one():
    runs = compose.expand([*TINY, "method=prompt_tuning,p_tuning_v2", "prompt.length=4,8", "seed=1,2,2"])
    assert len(runs) == 8
    assert len({run_id(run) for run in runs}) == 8


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["task=rtee"], r"task=rtee is unknown: choose one of boolq, btc, cb, .*wsc"),
        (
            ["method=lora"],
            r"method=lora is unknown: choose one of dept, fine_tuning, .*p_tuning_v2, prefix_tuning",
        ),
        (["experiment=table2"], r"experiment=table2 is unknown: choose one of .*p_tuning_v2/table2"),
        (["paper=null"], r"Config group override must be a string"),
        (["backbone=bert"], r"backbone=bert is unknown: choose one of .*minilm_l6"),
        (["prompt.lenght=3"], r"prompt.lenght is not a config key .*did you mean prompt.length"),
        (["method=prompt_tuning", "prompt.layers=all"], r"prompt.layers is not a config key"),
        (["method=fine_tuning", "prompt.length=3"], r"prompt.length is not a config key"),
        (["train.lr=fast"], r"train.lr='fast' is refused"),
        (["train.epochs=0"], r"train.epochs=0 is refused: input should be greater than or equal to 1"),
        (
            ["prompt.placement=middle"],
            r"prompt.placement='middle' is refused: input should be 'prefix', 'infix' or 'template'",
        ),
        (["selection=best_test"], r"selection=best_test is unknown: choose one of best_dev, last"),
        (["data=local"], r"data.root is not set"),
        (["backbone=hub", "backbone.id=org/some-model"], r"backbone.name is not set"),
        (["backbone=hub", "backbone.id=org/m", "backbone.name=org/m"], r"backbone.name='org/m' is refused"),
        (["task=glob(*)"], r"cannot be swept"),
        (["seed=interval(1,2)"], r"cannot be swept"),
        (["runtime.device=tpu"], r"runtime.device=tpu is not on this machine"),
        (["task.options.template=1"], r"task.options.template is not a config key|template"),
        (["prompt.length=,"], r"is not an override"),
        (["+promtp.length=3"], r"^promtp is not a config key .*did you mean prompt\?"),
        (["+sede=3"], r"^sede is not a config key .*did you mean seed\?"),
        (["train.lrs={head:1e-3}"], r"^train.lrs has keys of any name.* add them one by one, as \+train.lrs.<name>="),
        (["train.lrs.head=1e-3"], r"add them one by one, as \+train.lrs.head=\.\.\.$"),
        (["sources.first.seed=3"], r"^sources has keys of any name.* as \+sources.first.seed=\.\.\.$"),
        (
            ["prompt.reparameterization=mlp", "prompt.reparameterization.hidden=64"],
            r"^prompt.reparameterization.hidden is a key of reparameterization=lstm, .*=mlp and .* alone",
        ),
        (["prompt.init.text=so"], r"^prompt.init.text is a key of init=activations and init=text alone"),
        (["train.steps=100"], r"^train is refused: both are set of train.epochs and train.steps"),
    ],
    ids=str,
)
def test_bad_input_is_refused_in_one_sentence(overrides, sentence):
    with pytest.raises(InputError, match=sentence) as refused:
        compose.expand(
            [*(o for o in TINY if o.partition("=")[0] not in {x.partition("=")[0] for x in overrides}), *overrides]
        )
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("profile", ["laptop", "small", "paper"])
def test_table2_is_a_whole_grid_in_every_profile(profile):
    runs = compose.expand(["experiment=p_tuning_v2/table2", f"profile={profile}", "seed=11"])
    backbones = {run.backbone.name for run in runs}
    assert len(runs) == len(backbones) * 3 * 8
    if profile == "laptop":
        assert backbones == {"minilm_l3", "minilm_l6"}
        assert {run.task.name: run.data.source for run in runs}["boolq"] == "package"
        assert all(run.data.source == "miniature" for run in runs if run.task.name != "boolq")
    if profile == "paper":
        (run,) = [r for r in runs if run_name(r).startswith("boolq-roberta_large-p_tuning_v2-seed11")]
        assert (run.train.lr, run.prompt["length"], run.train.epochs, run.train.backbone_dropout) == (
            7e-3,
            8,
            100,
            0.1,
        )


@pytest.mark.parametrize(("instruction", "wanted"), [("avx512_bf16", "bf16"), ("bf16", "bf16"), ("avx512_f", "fp32")])
def test_the_laptop_profile_trains_in_the_precision_that_the_processor_multiplies(monkeypatch, instruction, wanted):
    """What it resolves to is the run's, in its config and its id."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {instruction: True})
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    asked = ["task=cb", "profile=laptop", "runtime.device=cpu"]
    (run,) = compose.expand(asked)
    assert run.train.precision == wanted
    assert run_id(run) == run_id(compose.expand([*asked, f"train.precision={wanted}"])[0])
    assert compose.expand(["task=cb", "profile=small", "runtime.device=cpu"])[0].train.precision == "fp32"


@pytest.mark.parametrize(("native", "wanted"), [(True, "bf16"), (False, "fp32")])
def test_on_a_gpu_the_laptop_profile_asks_the_gpu(monkeypatch, native, wanted):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    assert compose.expand(["task=cb", "profile=laptop"])[0].train.precision == wanted


def test_keys_are_added_to_an_open_mapping_one_by_one():
    (run,) = compose.expand([*TINY, "+train.lrs.head=1e-3"])
    assert run.train.lrs == {"head": 1e-3}


def test_the_laptop_profile_caps_a_task_that_it_has_no_line_for():
    config = compose.composed(["profile=laptop", "task=rte"])
    config.task.name = "new"
    assert config.data.train_rows == 320


def test_local_data_can_be_given_to_a_profile():
    runs = compose.expand(
        ["experiment=p_tuning_v2/table2", "profile=small", "data=local", "data.root=/data", "task=rte"]
    )
    assert {run.data.source for run in runs} == {"local"}
    assert {run.seed for run in runs} == {11, 12, 13}
    assert len(runs) == 3 * 3 * 3


def names(group):
    return {file.stem for file in (compose.CONF / group).glob("*.yaml")}


def test_every_method_and_task_has_its_python_and_its_yaml():
    mixtures = {name for name in names("task") if "tasks" in OmegaConf.load(compose.CONF / "task" / f"{name}.yaml")
                or "task@tasks" in (compose.CONF / "task" / f"{name}.yaml").read_text()}  # fmt: skip
    assert names("method") - {"mpt_2"} == set(
        registry.names("ptuning.methods")
    )  # which is p_tuning_v2 from a source run
    declared = {name for name in names("task") if "kind" in OmegaConf.load(compose.CONF / "task" / f"{name}.yaml")}
    assert names("task") - mixtures - declared == set(registry.names("ptuning.tasks"))


def test_a_fixed_key_that_only_some_runs_have_is_explained():
    with pytest.raises(
        InputError, match=r"^task.options.stride is not a config key of this method and task: .* write ..task"
    ):
        compose.expand(["task=squad,squad_v2", "task.options.stride=16"])
    assert len(compose.expand(["task=squad,squad_v2", "++task.options.stride=16"])) == 2


def test_what_follows_an_unset_key_says_so():
    with pytest.raises(InputError, match=r"^sources\.shared\.task follows task\.mixture, which is not set: set one"):
        compose.expand(["task=rte", "method=mpt_2"])
    assert compose.expand(["task=ner_open", "profile=laptop", "backbone=minilm_l3"])[0].data.train_rows == 320


@pytest.mark.parametrize("backbone", sorted(names("backbone") - {"hub"}))
def test_every_backbone_composes_with_every_method(backbone):
    files = {name: OmegaConf.load(compose.CONF / f"method/{name}.yaml") for name in registry.names("ptuning.methods")}
    training = {name for name, file in files.items() if file.train.get("steps") != 0}  # zero-shot needs another head
    runs = compose.expand([f"backbone={backbone}", f"method={','.join(training)}"])
    assert {run.method for run in runs} == training


def test_a_record_of_other_data_or_without_its_weights_is_no_answer(make_run, tmp_path):
    row = '{"premise": "p", "hypothesis": "%s", "label": "%s", "idx": %d}\n'
    local = {"data__source": "local", "data__root": str(tmp_path)}
    folder = tmp_path / "superglue" / "RTE"
    folder.mkdir(parents=True)
    for name in ("train", "val"):
        lines = [row % (f"h{i}", ("entailment", "not_entailment")[i % 2], i) for i in range(4)]
        (folder / f"{name}.jsonl").write_text("".join(lines))
    config = make_run(**local)
    sweep.launch(config)
    assert done(config)
    assert not done(make_run(**local, runtime__save=True))
    sweep.launch(make_run(**local, runtime__save=True))
    assert done(make_run(**local, runtime__save=True)), "trained again, for its weights"
    (folder / "val.jsonl").write_text(row % ("new", "entailment", 0))
    splits._load_cached.cache_clear()
    with pytest.raises(InputError, match="was made from other data"):
        sweep.launch(config)


def test_a_finished_run_is_not_run_again_and_a_failed_one_is(make_run, monkeypatch):
    config = make_run()
    first = sweep.launch(config)

    def fails(_config):
        raise RuntimeError("should not run")

    monkeypatch.setattr("ptuning.run.prepare_backbone", fails)
    assert sweep.launch(config) == first
    other = make_run(seed=2)
    with pytest.raises(RuntimeError):
        sweep.launch(other)
    assert store.failure_path(other).exists()
    monkeypatch.undo()
    assert sweep.launch(other)["status"] == "finished"
    assert not store.failure_path(other).exists()


def test_runs_that_differ_in_where_their_data_are_alone_are_refused():
    """Their ids are one: the content decides, and the last of them would stand for all."""
    declared = ["task=custom", "task.name=mine", "task.kind=classification", "data=local", "data.root=here"]
    with pytest.raises(InputError, match=r"mine-.* would be two runs .* \(task\): give each its own task\.name"):
        compose.expand([*declared, "++task.options={files: {dev: d.csv}}", "++task.options.files.train=a.csv,b.csv"])
