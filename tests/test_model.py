"""Trained prompts as a library has them."""

import json

import numpy as np
import pytest

import ptuning
from ptuning.data import splits
from ptuning.data.sources import rows
from ptuning.errors import InputError
from ptuning.predict import Answerer
from ptuning.records import store, weights
from ptuning.run import run
from ptuning.tasks import load as load_task
from tests.records.test_matching import saved
from tests.test_predict import unlabelled


def trained(make_run, *arguments, **overrides):
    config = make_run(*arguments, runtime__save=True, train__epochs=1, **overrides)
    run([config])
    return config, weights.path(config)


@pytest.fixture
def rte(make_run):
    return trained(make_run)


def test_texts_pairs_and_rows_are_answered_as_the_command_answers_them(rte):
    config, file = rte
    asked = list(unlabelled(config))
    model = ptuning.load(file, device="cpu")
    expected = [one for (one,) in Answerer([file], config.runtime).answer([("q", row) for row in asked])]
    pairs = [(row["premise"], row["hypothesis"]) for row in asked]
    plain = [{key: row[key] for key in ("premise", "hypothesis")} for row in asked]
    for texts in (pairs, plain, asked):
        assert model.predict(texts) == [one["label"] for one in expected]
        shares = [list(one.values()) for one in model.predict_proba(texts)]
        np.testing.assert_allclose(shares, [list(one["probabilities"].values()) for one in expected], atol=1e-6)
        np.testing.assert_allclose(np.sum(shares, axis=1), 1, atol=1e-6)
    assert model.predict([]) == []


def test_a_run_is_found_by_its_file_record_id_and_name(rte):
    config, file = rte
    places = {"results": config.runtime.results, "weights": config.runtime.weights, "device": "cpu"}
    record = store.path(config)
    sources = (file, str(file), record, json.loads(record.read_text()), file.stem[-10:], record.name, record.stem)
    texts = [("a b", "c"), ("d", "e f")]
    first = ptuning.load(file, **places).predict_proba(texts)
    for source in sources[1:]:
        assert ptuning.load(source, **places).predict_proba(texts) == first, source


def test_prompts_that_share_a_backbone_answer_together(make_run, rte):
    files = [rte[1], trained(make_run, "prompt_tuning", "copa")[1], trained(make_run, "p_tuning_v2", "multirc")[1]]
    model = ptuning.load(*files, device="cpu")
    assert model.names == [file.stem for file in files]
    choice = {"task": "copa", "premise": "A.", "choice1": "B.", "choice2": "C.", "question": "cause"}
    questions = [{"question": "Who?", "idx": 0, "answers": [{"text": "A", "idx": 0}, {"text": "B", "idx": 1}]}]
    several = {"task": "multirc", "idx": 0, "passage": {"text": "A has it.", "questions": questions}}
    found = model.predict([choice, several, {"run": files[0].stem, "premise": "a", "hypothesis": "b"}])
    assert found[0] in ("choice1", "choice2")
    assert len(found[1]) == 2 and set(found[1]) <= {"wrong", "right"}
    assert found[2] in ("entailment", "not_entailment")
    with pytest.raises(InputError, match=r'^texts\[0\]: 3 prompts are loaded: give a dict with the "task"'):
        model.predict(["a"])


def test_each_kind_of_answer(make_run):
    """What a task's answer is; what it is asked with, in plain texts."""
    for method, task, texts, kind, overrides in (
        ("p_tuning_v2", "sst2", ["the film is good .", ("bad",)], str, {}),
        ("p_tuning_v2", "wnut17", ["Lincoln met Kent in Stanley ."], list, {}),
        (
            "prompt_tuning",
            "squad",
            [("Where is it?", "The lamp is in the hall.")],
            str,
            {"task__options": {"stride": 16}},
        ),
        ("p_tuning_v2", "stsb", [("a b", "c d")], float, {}),
    ):
        model = ptuning.load(trained(make_run, method, task, **overrides)[1], device="cpu")
        found = model.predict(texts)
        assert [type(one) for one in found] == [kind] * len(texts), task
        if task != "sst2":
            with pytest.raises(InputError, match="which have no probabilities of labels: call predict"):
                model.predict_proba(texts)


def test_a_fine_tuned_backbone_answers_alone(make_run):
    config, file = trained(make_run, "fine_tuning")
    model = ptuning.load(file, device="cpu")
    task, data = splits.load_for_run(config)
    dev = [row for _, row in splits.capped(rows(task, config.data)["dev"], config.data.dev_rows)]
    golds = [task.labels[example.label] for example in data.dev]
    right = np.mean([said == gold for said, gold in zip(model.predict(dev), golds, strict=True)])
    assert 100 * right == pytest.approx(store.find(config)["score"])


def test_what_cannot_be_asked_is_one_sentence(rte, make_run, tmp_path):
    _, file = rte
    model = ptuning.load(file, device="cpu")
    for texts, sentence in (
        (["one"], r"^texts\[0\]: task.name=rte is asked with 2 text\(s\) \(premise, hypothesis\), and 1 are given"),
        ([("a", "b"), ("a", 1)], r"^texts\[1\]: \('a', 1\) is refused: give a string"),
        ("a text", "^one text alone is given where a list of them is due"),
        ([{"premise": "a"}], r"^texts\[0\]: the key 'hypothesis' is missing"),
    ):
        with pytest.raises(InputError, match=sentence):
            model.predict(texts)
    copa = ptuning.load(trained(make_run, "prompt_tuning", "copa")[1], device="cpu")
    with pytest.raises(InputError, match=r"texts\[0\]: task.name=copa is not asked with plain texts: give a row"):
        copa.predict(["a"])
    for sources, sentence in (
        ((), "^nothing is to be loaded"),
        (("nothing",), "^nothing is no trained prompt: give a file of weights"),
        (("0123456789",), "^the run 0123456789 has no weights in outputs/weights: train it with runtime.save=true"),
        ((tmp_path,), "holds no trained prompt .config.json is missing"),
    ):
        with pytest.raises(InputError, match=sentence):
            ptuning.load(*sources)


def test_plain_texts_make_the_rows_that_the_tasks_read():
    """Of every task that says it is asked with texts: its row, made of them, asks one thing."""
    from ptuning import registry

    for name in registry.names("ptuning.tasks"):
        task = load_task(name)
        keys = task.text_keys()
        if keys:
            text = "name[The Mill]" if name == "e2e" else "a b"
            (example,) = task.examples(task.row([text] * len(keys)), "here")
            assert not example.labelled, name


def test_a_backbone_that_moved_is_given_and_compared(make_run, tmp_path, monkeypatch):
    monkeypatch.setenv("PTUNING_CACHE", str(tmp_path / "cache"))
    _, file = trained(make_run, **saved(tmp_path / "model"))
    texts = [("a b", "c")]
    expected = ptuning.load(file, device="cpu").predict_proba(texts)
    (tmp_path / "model").rename(tmp_path / "moved")
    assert ptuning.load(file, backbone=tmp_path / "moved", device="cpu").predict_proba(texts) == expected
    saved(tmp_path / "other", num_hidden_layers=3)
    with pytest.raises(InputError, match=r"was trained on another backbone .*weights differ"):
        ptuning.load(file, backbone=tmp_path / "other", device="cpu")
