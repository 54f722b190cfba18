"""A record is what it says it is, or it is refused: copied, edited, damaged and older ones."""

import json
from pathlib import Path

import pytest

from experiments.artefacts import facts
from ptuning.errors import InputError
from ptuning.records import store, verify
from ptuning.records.identity import hashed_id, identity
from ptuning.records.verify import OutdatedRecord
from ptuning.sweep.resume import done
from ptuning.tasks.cb import CB
from tests.experiments.records import fake_record
from tests.records.test_identity import COMMITTED, h200_runs


def made(config, scores=(50.0, 75.0), **more):
    record = fake_record(config, list(scores), more.get("status", "finished")) | {
        "selection": {"rule": "best_dev", "epoch": 2}
    }
    for line in record["history"]:
        line["right"] = {50.0: "1010", 75.0: "1101", 25.0: "0001"}[line["dev"]["accuracy"]]
    return json.loads(json.dumps(record)) | more


def test_every_known_record_is_what_it_says(make_run):
    files = sorted(COMMITTED.rglob("*.json"))
    assert len(files) >= 154
    for file in files:
        verify.check(store.read(file), file)
    for name, stored in h200_runs():
        record = {"id": Path(name).stem[-10:], "status": "diverged", "config": stored}
        verify.check(verify_form(record), Path(name))


def verify_form(record):
    return verify.upgraded(record | {"metric": "accuracy", "history": [], "score": None}, Path("any"))


def test_a_record_copied_to_another_name_stands_for_no_run(make_run):
    one, other = make_run(seed=1), make_run(seed=2)
    written = store.write(one, made(one))
    store.path(other).write_bytes(written.read_bytes())
    with pytest.raises(InputError, match=r"-seed2-.* holds the record [0-9a-f]{10}, and is called otherwise: rename"):
        done(other)
    copied = json.loads(written.read_text())
    copied["id"] = store.path(other).stem[-10:]
    store.path(other).write_text(json.dumps(copied))
    with pytest.raises(InputError, match=r"and its config the id [0-9a-f]{10}: it was edited; delete it"):
        done(other)
    assert done(one)


def edited(path, value):
    def edit(record):
        node = record
        *above, leaf = path
        for key in above:
            node = node[key]
        if value is None:
            del node[leaf]
        else:
            node[leaf] = value

    return edit


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (("score",), 76.0, r"has the score 76.0, and 75.0 where it is from: it was edited"),
        (("history", 0, "dev", "accuracy"), 99.0, r"an accuracy of 99 in epoch 1, and 50 percent of right answers"),
        (("history", 1, "right"), "1111", r"an accuracy of 75 in epoch 2, and 100 percent of right answers"),
        (("selection", "epoch"), 1, r"is reported by epoch 1, and best_dev chooses epoch 2"),
        (("selection", "rule"), "first", r"selection=first is unknown"),
        (("config", "train", "lr"), 0.5, r"and its config the id"),
        (("config", "train", "lr"), "high", r"today's code does not have \(train.lr='high' is refused"),
        (("config", "backbone"), None, r"its config is of none"),
        (("history", 1, "dev", "accuracy"), None, r"has no accuracy, its metric, on dev in epoch 2"),
        (("metric",), None, r"not a record of a run or evaluation \(metric is missing\)"),
        (("history",), None, r"\(history is missing\)"),
        (("history",), [], r"has no history and a status of finished"),
        (("status",), "won", r"\(status: input should be 'finished'"),
        (("score",), "75", r"\(score: input should be a valid number\)"),
    ],
    ids=str,
)
def test_an_edited_record_is_refused(make_run, path, value, sentence):
    config = make_run()
    record = made(config)
    edited(path, value)(record)
    store.path(config).parent.mkdir(parents=True)
    store.path(config).write_text(json.dumps(record))
    with pytest.raises(InputError, match=sentence) as refused:
        store.find(config)
    assert "\n" not in str(refused.value)


def test_a_run_that_diverged_has_no_score(make_run):
    config = make_run()
    unchosen = {"rule": "best_dev", "epoch": None}
    for scores in ([], [50.0]):  # of two epochs
        whole = made(config, scores, status="diverged", score=None, selection=unchosen)
        store.write(config, whole)
        assert store.find(config)["status"] == "diverged"
    for edited, sentence in (
        (whole | {"score": 50.0}, "has a score and a status of diverged: it was edited"),
        (whole | {"selection": {"rule": "best_dev", "epoch": 1}}, "has a score and a status of diverged"),
        (made(config, status="diverged", score=None, selection=unchosen), "has a history to its end and a status of"),
        (made(config, status="diverged"), "has a score and a status of diverged"),
    ):
        store.write(config, edited)
        with pytest.raises(InputError, match=sentence):
            store.find(config)


def test_a_history_ends_as_its_status_says(make_run):
    config = make_run(train__epochs=5, train__patience=1)
    stopped = made(config, (50.0, 75.0, 25.0), status="stopped_early")
    plain = {"score": None, "selection": {"rule": "best_dev", "epoch": None}}
    store.write(config, stopped)
    assert store.find(config)["status"] == "stopped_early"
    goes_on = made(config, (50.0, 75.0))
    for edited, sentence in (
        (stopped | {"status": "diverged", **plain}, "of diverged, and train.patience=1 ends its history after 3 of 3"),
        (stopped | {"status": "finished"}, "of finished, and train.patience=1 ends its history after 3 of 3"),
        (goes_on | {"status": "stopped_early"}, "of stopped_early, and train.patience=1 ends its history nowhere"),
        (made(config, (75.0, 50.0, 25.0), status="stopped_early", selection={"rule": "best_dev", "epoch": 1}),
         "ends its history after 2 of 3 evaluations"),
        (goes_on | {"history": goes_on["history"][:1]}, "of finished and no end to its history: it was edited"),
        (goes_on | {"history": goes_on["history"][::-1]}, "not in the order of its epochs: it was edited"),
        (goes_on | {"history": [*goes_on["history"], goes_on["history"][1]]}, "not in the order of its epochs"),
    ):  # fmt: skip
        store.write(config, edited)
        with pytest.raises(InputError, match=sentence) as refused:
            store.find(config)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("data", "dev_examples"), {}),
        (("data", "dev_examples"), None),
        (("data", "train_examples"), True),
        (("data", "fingerprint"), 5),
        (("data", "test_examples"), {"test": "many"}),
        (("data", "sets"), {"rte": {"dev_examples": []}}),
        (("data", "counts"), {"dev": 3}),
        (("data",), [1]),
        (("parameters", "trained"), "31"),
        (("parameters", "share"), None),
        (("speed",), {"seconds": "long"}),
        (("backbone",), "bert"),
        (("git",), {"commit": 5, "dirty": False}),
        (("machine",), {"system": "Linux"}),
        (("versions",), ["torch"]),
        (("parent",), 3),
        (("history", 0, "loss"), "low"),
    ],
    ids=str,
)
def test_what_reports_read_is_of_its_shape(make_run, path, value):
    config = make_run()
    record = made(config)
    edited(path, value)(record)
    store.write(config, record)
    with pytest.raises(
        InputError, match=rf"is not a record of a run or evaluation \({'.'.join(map(str, path))}"
    ) as no:
        store.find(config)
    assert "\n" not in str(no.value)


def test_a_record_may_lack_what_the_first_ones_lacked(make_run):
    config = make_run()
    record = made(config)
    del record["data"], record["parameters"]
    store.write(config, record)
    assert dict(facts.sections(store.find(config))).keys() >= {"Score", "Data", "Method"}


@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000, "{" * 5, '{"id": ' + "9" * 5000 + "}", '{"id": NaN}', '{"id": "\\ud800"}', "7", "null", "",
        '{"kind": ["run"]}',
    ],
    ids=lambda text: text[:12],
)  # fmt: skip
def test_a_damaged_record_is_named(make_run, content):
    config = make_run()
    store.path(config).parent.mkdir(parents=True)
    store.path(config).write_text(content)
    with pytest.raises(InputError, match=store.path(config).name) as refused:
        store.find(config)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("says", [True, False])
def test_a_record_of_an_older_task_is_named_as_that(make_run, monkeypatch, says):
    config = make_run(task="cb")
    monkeypatch.setattr(CB, "version", CB.version + 1)
    record = made(config) | ({"identity": identity(config)} if says else {})
    record["id"] = hashed_id(identity(config))
    monkeypatch.setattr("ptuning.records.identity._IDS", {})
    monkeypatch.setattr(CB, "version", CB.version + 1)
    file = store.path(config).with_name(f"cb-{record['id']}.json")
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(record))
    found = store.read(file)  # it stands for what it was then
    with pytest.raises(OutdatedRecord, match=r"was made under version \d of the task cb \(today's is \d\): make it"):
        verify.check(found, file)
    with pytest.raises(InputError, match="called otherwise"):
        verify.check(found, file.with_name("cb-0123456789.json"))
