"""Records on disk."""

import json
import subprocess
import traceback

import pytest
import torch

from ptuning.errors import InputError
from ptuning.records import configs, store
from ptuning.records.provenance import provenance
from ptuning.run import run
from tests.experiments.records import fake_record


def test_a_record_says_what_came_out_and_from_what(make_run):
    config = make_run()
    (record,) = run([config])
    stored = store.find(config)
    assert stored == json.loads(json.dumps(record))
    assert stored["status"] == "finished"
    assert [epoch["epoch"] for epoch in stored["history"]] == [1, 2]
    scores = [epoch["dev"]["accuracy"] for epoch in stored["history"]]
    assert stored["score"] == max(scores)
    assert stored["selection"] == {"rule": "best_dev", "epoch": scores.index(max(scores)) + 1}
    prompt, head = 3 * 4 * 2 * 32, 32 * 2 + 2
    assert stored["parameters"]["trained"] == prompt + head
    assert stored["config"]["prompt"]["length"] == 3
    assert stored["data"]["source"] == "miniature"
    assert len(stored["data"]["fingerprint"]) >= 16
    assert stored["git"].keys() == {"commit", "dirty"}
    assert stored["speed"]["examples_per_second"] > 0


def test_a_record_that_is_not_json_is_named(make_run):
    config = make_run()
    file = store.path(config)
    file.parent.mkdir(parents=True)
    for content in ("{", "[]", '{"id": 1}'):
        file.write_text(content)
        with pytest.raises(InputError, match=file.name):
            store.find(config)
        with pytest.raises(InputError, match=file.name):
            list(store.read_all(config.runtime.results))


def test_without_git_a_run_still_leaves_its_record(make_run, monkeypatch):
    monkeypatch.setenv("PATH", "")
    provenance.cache_clear()
    (record,) = run([make_run()])
    provenance.cache_clear()
    assert record["git"] == {"commit": None, "dirty": None}


def test_a_failure_leaves_word_and_success_takes_it_back(make_run):
    config = make_run()
    file = store.write_failure(config, "RuntimeError: out of patience", "Traceback ...")
    failed = json.loads(file.read_text())
    assert (failed["reason"], failed["error"]) == ("RuntimeError: out of patience", "Traceback ...")
    assert store.find(config) is None
    assert list(store.read_all(config.runtime.results)) == []
    run([config])
    assert not file.exists()
    assert store.find(config) is not None


def test_a_failure_says_nothing_of_where_things_lie(make_run, tmp_path, monkeypatch):
    (home := tmp_path / "home/ann").mkdir(parents=True)
    (here := tmp_path / "work").mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(here)
    try:
        torch.nn.Linear(2, 2)(torch.zeros(3))
    except RuntimeError as error:
        trace = "".join(traceback.format_exception(error))
    said = f"FileNotFoundError: {home}/data/x, {here}/y, '{here}', {home}: {home}a"
    failed = json.loads(store.write_failure(make_run(), said, trace).read_text())
    assert failed["reason"] == f"FileNotFoundError: ~/data/x, y, '.', ~: {home}a"
    assert 'File "tests/records/test_store.py", line' in failed["error"]
    assert 'File "torch/nn/modules/' in failed["error"]
    assert 'File "/' not in failed["error"]


def test_a_record_is_found_and_replaced_in_any_subfolder(make_run):
    config, results = make_run(), make_run().runtime.results
    (record,) = run([config])
    flat = store.path(config)
    sorted_away = flat.parent / "paper/ablation" / flat.name
    sorted_away.parent.mkdir(parents=True)
    flat.rename(sorted_away)
    assert store.path(config) == sorted_away
    assert store.find(config) == record
    assert store.find_id(results, record["id"]) == record
    assert store.find_id(results, "0123456789") is None
    assert [file for file, _ in store.read_all(results)] == [sorted_away]
    store.write(config, record | {"status": "diverged", "score": None, "history": [], "selection": None})
    assert not flat.exists()
    assert store.find(config)["status"] == "diverged"


def test_a_config_of_old_is_read_in_todays_form(make_run):
    config = make_run(backbone__source="pypi")
    store.write(config, fake_record(config, [50.0]))
    stored = json.loads(store.path(config).read_text())
    stored["config"]["backbone"]["source"] = "packaged"
    store.path(config).write_text(json.dumps(stored))
    assert store.find(config)["config"]["backbone"]["source"] == "pypi"
    assert configs.upgrade(store.dump(config)) == store.dump(config)


def test_a_checkout_is_dirty_by_its_code_alone(tmp_path, monkeypatch):
    """By files that git does not know as well, and not by records that are gone; in somebody else's, as installed
    code stands, it is none."""
    for folder in ("ptuning/records", "conf", "results"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "one").write_text("")
    (tmp_path / "ptuning/records/provenance.py").write_text("")

    def git(*arguments):
        subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e", *arguments], cwd=tmp_path, check=True)

    def dirty():
        provenance.cache_clear()
        return provenance()["git"]["dirty"]

    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        git(*arguments)
    monkeypatch.setattr("ptuning.records.provenance.__file__", str(tmp_path / "ptuning/records/provenance.py"))
    assert dirty() is False
    (tmp_path / "results/one").unlink()
    (tmp_path / "notes").write_text("")
    assert dirty() is False
    (tmp_path / "ptuning/new.py").write_text("")
    assert dirty() is True
    (tmp_path / "ptuning/new.py").unlink()
    (tmp_path / "conf/one").write_text("changed")
    assert dirty() is True
    monkeypatch.setattr("ptuning.records.provenance.__file__", str(tmp_path / "ptuning/records/installed.py"))
    provenance.cache_clear()
    assert provenance()["git"] == {"commit": None, "dirty": None}
    provenance.cache_clear()


def test_folders_are_not_looked_through_for_every_record_among_many(make_run, monkeypatch):
    """Those that were there are known; a record at the top, where others write theirs, is always seen."""
    config = make_run()
    top = config.runtime.results / "runs"
    (top / "sorted").mkdir(parents=True)
    (top / "sorted" / "x.json").touch()
    for number in range(store._MANY):
        (top / f"{number}.json").touch()
    looked, scandir = [], store.os.scandir
    monkeypatch.setattr(store.os, "scandir", lambda folder: looked.append(folder) or scandir(folder))
    monkeypatch.setattr(store.time, "monotonic", lambda: 100.0)
    for number in range(50):
        assert store.locate(config.runtime.results, f"new-{number}.json") == top / f"new-{number}.json"
    assert store.locate(config.runtime.results, "x.json") == top / "sorted" / "x.json"
    assert looked == [top, top / "sorted"], "once"
    (top / "later").mkdir()
    (top / "later" / "y.json").touch()
    monkeypatch.setattr(store.time, "monotonic", lambda: 101.5)
    assert store.locate(config.runtime.results, "y.json") == top / "later" / "y.json"
