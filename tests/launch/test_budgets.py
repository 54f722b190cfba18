"""What a run has beyond its method's own values: nothing by itself, a profile's budget, a paper's hyperparameters."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from ptuning.errors import InputError
from ptuning.launch import compose

PAPERS = sorted(file.stem for file in (compose.CONF / "paper").glob("*.yaml"))
FILES = sorted(
    (compose.CONF / "paper").glob("*/*/*.yaml")
)  # <paper>/{backbone,task}/<method>-<backbone>[-<task>].yaml
BUDGET = OmegaConf.to_container(OmegaConf.load(compose.CONF / "profile/small.yaml").sweep.budget)
CHOICES = ["method", "backbone", "task"]


def read(*overrides):
    return compose.read(compose.composed(overrides))


def options(group):
    return {file.stem for file in (compose.CONF / group).glob("*.yaml")}


def leaves(node, path=()):
    """Every value of a config, with the keys that lead to it."""
    for key, value in node.items():
        yield from leaves(value, (*path, key)) if isinstance(value, dict) else [((*path, key), value)]


def test_a_plain_run_has_its_methods_own_values():
    for overrides in (["task=boolq"], ["task=rte", "backbone=roberta_large"]):
        run = read(*overrides)
        assert (run.train.epochs, run.train.lr, run.train.batch_size, run.prompt["length"]) == (10, 1e-2, 32, 20)
        assert (run.data.train_rows, run.data.dev_rows, run.train.backbone_dropout) == (None, None, 0.0)


def test_the_small_profile_has_a_budget():
    def budget(*overrides):
        run = read("profile=small", *overrides)
        return run.train.epochs, run.data.train_rows, run.data.dev_rows, run.data.test_rows

    assert budget("task=boolq", "backbone=minilm_l12", "method=fine_tuning") == (1, 800, 400, None)
    assert budget("task=ewt", "method=prompt_tuning") == (4, 1500, 300, 400)
    assert budget("task=copa") == (10, None, None, None)
    assert budget("task=boolq", "backbone=tiny_bert") == (10, None, None, None)
    assert budget("task=boolq", "train.epochs=7", "data.train_rows=9") == (7, 9, 400, None)
    shared = read("profile=small", "task=btc", "method=mpt_2")
    assert (shared.method, shared.train.epochs, shared.source_runs[0].run.train.epochs) == ("p_tuning_v2", 5, 3)
    assert read("task=btc", "method=mpt_2", "train.epochs=4").source_runs[0].run.train.epochs == 4, "as the run itself"
    steps = read("profile=small", "task=btc", "method=mpt_2", "train.epochs=null", "train.steps=9").source_runs[0].run
    assert (steps.train.epochs, steps.train.steps) == (None, 9), "as the run itself"


def test_every_line_of_the_budget_is_of_a_run_that_can_be_chosen():
    for path, value in leaves(BUDGET):
        *choice, key = path
        assert all(one in options(group) for one, group in zip(choice, CHOICES, strict=True)), path
        assert key in {"epochs", "source_epochs", "train_rows", "dev_rows", "test_rows"} and value > 0


@pytest.mark.parametrize("paper", PAPERS)
def test_a_paper_says_where_its_hyperparameters_stand(paper):
    assert (compose.CONF / "paper" / paper / "hyperparameters.yaml").exists()
    with pytest.raises(InputError, match=rf"^paper={paper} has no file for .*p_tuning_v2.*: leave it out"):
        compose.expand([f"paper={paper}"])


def test_the_paper_profile_leaves_a_run_that_its_paper_says_nothing_of_to_its_method():
    """But for the optimizer, which the authors have for all."""
    profile, plain = read("profile=paper", "task=rte"), read("task=rte", "data=hub", "train.optimizer=adamw_hf")
    assert profile == plain


def test_only_question_answering_has_no_dropout_on_its_head_and_no_paper_gives_it_any():
    def rate(*overrides):
        return read(*overrides).train.head_dropout

    tasks = ("rte", "copa", "wnut17", "ner", "squad", "squad_v2", "qa_open")
    assert {task: rate(f"task={task}") for task in tasks} == {
        "rte": 0.1, "copa": 0.1, "wnut17": 0.1, "ner": 0.1, "squad": 0.0, "squad_v2": 0.0, "qa_open": 0.0,
    }  # fmt: skip
    assert rate("task=squad", "train.head_dropout=0.3") == 0.3
    authors = ("paper=p_tuning_v2", "method=p_tuning_v2", "backbone=roberta_large")
    assert [rate(*authors, f"task={task}") for task in ("squad", "squad_v2", "boolq")] == [0.0, 0.0, 0.1]
    with pytest.raises(InputError, match=r"^task\.name=none is unknown"):
        rate("task.name=none")


@pytest.mark.parametrize("task", ["rte", "squadshifts", "wnut17"])
def test_the_small_profile_is_as_its_committed_records_were_made(task):
    small, plain = read("profile=small", f"task={task}").train, read(f"task={task}").train
    assert (small.batching, small.head_dropout) == ("bucketed", 0.1)
    assert (plain.batching, plain.optimizer, small.optimizer) == ("shuffled", "adamw", "adamw")


def test_another_paper_is_refused():
    with pytest.raises(InputError, match=f"^paper=another is unknown: choose one of {', '.join(PAPERS)}"):
        read("paper=another")


# A task that a paper's head answers, and of which it has no file, where that is not a class's.
OF_PAPER = {"p_tuning_lama": "lama", "prefix_tuning": "cnn_dailymail"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_papers_file_names_a_run_and_sets_what_it_says(file):
    """Where its run has a task's file too, that one goes before its backbone's."""
    paper, names = file.parent.parent.name, file.stem.split("-")
    chosen = dict(zip(CHOICES, names, strict=False))
    assert len(names) == {"method": 1, "backbone": 2, "task": 3, "dataset": 1, "run": 2}[file.parent.name]
    if file.parent.name == "run":  # a method's on a task, whatever the backbone
        chosen = {"method": names[0], "backbone": "tiny_t5", "task": names[1]}
    if file.parent.name == "dataset":  # whatever the method and backbone
        chosen = {"method": paper, "backbone": "tiny_t5", "task": names[0]}
    assert all(one in options(group) for group, one in chosen.items())
    if file.parent.name == "method":  # any backbone that can speak
        chosen |= {"backbone": "tiny_t5", "task": OF_PAPER.get(paper, "rte")}
    task = chosen.pop("task", "ner_open" if chosen["method"] != "mpt_2" else "wnut17")  # of which no paper has a file
    run = read(f"paper={paper}", *(f"{group}={one}" for group, one in chosen.items()), f"task={task}").model_dump()
    said = OmegaConf.to_container(OmegaConf.load(file))
    assert said
    for path, value in leaves(said):
        node = run
        for key in path:
            node = node[key]
        node = node.get("name") if isinstance(node, dict) else node  # a bare name reads its file
        assert node == value or float(node) == float(value), path


def test_the_paper_profile_takes_its_papers_hyperparameters():
    asked = ["method=p_tuning_v2", "backbone=roberta_large", "task=boolq", "data=hub"]
    paper, profile = read(*asked, "paper=p_tuning_v2"), read(*asked, "profile=paper")
    assert paper == profile
    assert (paper.train.lr, paper.prompt["length"], paper.train.epochs, paper.train.backbone_dropout) == (
        7e-3, 8, 100, 0.1,
    )  # fmt: skip
