"""What a prompt starts from: statistics of what is drawn, and oracles of what is given."""

import pytest
import torch

from ptuning import registry
from ptuning.config import MixtureConfig, RunConfig
from ptuning.errors import InputError
from ptuning.launch import compose
from ptuning.methods import check
from ptuning.prompts import inits, reparameterizations
from ptuning.prompts.deep import SitePrompt
from ptuning.prompts.inits.base import InitContext, SourcePrompt
from ptuning.prompts.placement import collate, table
from ptuning.seeds import Streams
from tests.conftest import MLP, make_backbone
from tests.training.test_lanes import lanes_of

TEXT = "the premise says that it rains and the hypothesis that the street is wet"
MLP_FILE = {"name": "mlp", "hidden": 512, "layers": 2, "activation": "tanh", "dropout": 0.0}
INITS = {
    "normal": {"std": 0.02}, "torch_default": {}, "uniform": {"scale": 0.5}, "zero": {},
    "vocabulary": {"most_frequent": 50}, "class_labels": {"words": None, "most_frequent": 50},
    "text": {"text": TEXT}, "activations": {"text": TEXT},
}  # fmt: skip


def made(name, backbone, labels=("entailment", "not_entailment"), sources=(), seed=1, **keys):
    kind = inits.load(name)
    config = kind.Config(name=name, **(INITS.get(name, {}) | keys))
    return kind(config, InitContext(backbone, labels, sources, Streams(seed).initial("prompt")))


def test_every_init_and_reparameterization_has_its_defaults():
    for package, group in ((inits, "init"), (reparameterizations, "reparameterization")):
        names = registry.names(package.__name__)
        assert names == sorted(file.stem for file in (compose.CONF / group).glob("*.yaml"))


def test_distributions_have_the_spread_that_they_are_given():
    backbone = make_backbone()
    normal, uniform, default = (
        made("normal", backbone, std=0.3).draw(200, 50),
        made("uniform", backbone, scale=0.5).draw(200, 50),
        made("torch_default", backbone).draw(200, 50),
    )
    assert abs(default.std() - 1) < 0.05
    assert (normal.mean().abs() < 0.01, abs(normal.std() - 0.3) < 0.01) == (True, True)
    assert uniform.abs().max() <= 0.5 and abs(uniform.std() - 1 / 12**0.5) < 0.01
    assert not made("zero", backbone).input_prompt(3).any()
    assert torch.equal(made("normal", backbone).draw(3, 4), made("normal", backbone).draw(3, 4))
    assert not torch.equal(made("normal", backbone).draw(3, 4), made("normal", backbone, seed=2).draw(3, 4))


def embeddings(backbone, ids):
    return backbone.model.get_input_embeddings().weight[ids].detach()


def test_sampled_tokens_are_ordinary_ones_of_the_first():
    backbone = make_backbone()
    rows = made("vocabulary", backbone, most_frequent=20).input_prompt(100)
    tokenizer = backbone.tokenizer
    ordinary = [i for i in range(len(tokenizer)) if i not in tokenizer.all_special_ids][:20]
    distances = torch.cdist(rows, embeddings(backbone, ordinary))
    assert distances.min(dim=1).values.max() < 1e-4
    assert len(distances.argmin(dim=1).unique()) > 10
    with pytest.raises(InputError, match=r"is more than the .* tokens of this backbone's vocabulary"):
        made("vocabulary", backbone, most_frequent=10**6).input_prompt(2)


def test_class_labels_are_the_means_of_their_sub_words():
    backbone = make_backbone()
    words = ["entailment", "not entailment"]
    rows = made("class_labels", backbone).input_prompt(5)
    for row, word in zip(rows, words, strict=False):
        ids = backbone.tokenizer(word, add_special_tokens=False)["input_ids"]
        torch.testing.assert_close(row, embeddings(backbone, ids).mean(dim=0))
    named = made("class_labels", backbone, words=["yes", "no"]).input_prompt(2)
    assert not torch.equal(named, rows[:2])
    with pytest.raises(InputError, match=r"prompt.length=1 is too short for the 2 class labels"):
        made("class_labels", backbone).input_prompt(1)
    with pytest.raises(InputError, match=r"this run's task has none: name words in prompt.init.words"):
        made("class_labels", backbone, labels=()).input_prompt(3)


def test_a_text_is_cut_or_repeated():
    backbone = make_backbone()
    ids = backbone.tokenizer(TEXT, add_special_tokens=False)["input_ids"]
    rows = made("text", backbone).input_prompt(len(ids) + 2)
    torch.testing.assert_close(rows, embeddings(backbone, [*ids, *ids[:2]]))
    torch.testing.assert_close(made("text", backbone).input_prompt(2), embeddings(backbone, ids[:2]))


@pytest.mark.parametrize("name", ["tiny_bert", "tiny_roberta"])
def test_activations_are_as_if_the_text_stood_before_the_sequence(make_run, name):
    """The text seeing itself alone, the sequence seeing both."""
    backbone = make_backbone(name)
    length = 6
    config = make_run(prompt__length=length, prompt__init={"name": "activations", "text": TEXT})
    (lane,) = lanes_of([config], backbone)
    dev = lane.tasks[0].dataset.dev
    width = int(dev.lengths[0])
    rows = table(dev, dev.sequences(torch.arange(1).numpy()), lane.adapter.layout, width, 0, backbone.first_position)
    batch = collate([rows], torch.device("cpu"))
    prompt = lane.adapter.method.deep_prompt()
    with torch.no_grad(), backbone.attending({key: site_prompt(prompt, i) for i, key in enumerate(prompt.sites)}):
        got = backbone(backbone.embed_tokens(batch), batch.token_type_ids, batch)

    text = torch.tensor([backbone.tokenizer(TEXT)["input_ids"][:length]])
    seen = torch.ones(1, 1, length + width, length + width, dtype=torch.bool)
    seen[..., :length, length:] = False
    with torch.no_grad():
        whole = backbone.model(
            input_ids=torch.cat([text, batch.input_ids], 1),
            token_type_ids=torch.cat([text * 0, batch.token_type_ids], 1),
            position_ids=torch.arange(length + width)[None] + backbone.first_position,
            attention_mask=torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.float32).min),
        ).last_hidden_state
    torch.testing.assert_close(got, whole[:, length:], atol=1e-5, rtol=1e-4)


def site_prompt(prompt, index):
    return SitePrompt(prompt.values[index : index + 1, 0], prompt.values[index : index + 1, 1])


def test_a_text_shorter_than_the_prompt_has_too_few_activations(make_run):
    config = make_run(prompt__length=50, prompt__init={"name": "activations", "text": "too short"})
    with pytest.raises(InputError, match=r"fewer than prompt.length=50: give a longer text"):
        lanes_of([config], make_backbone())


def test_several_sources_give_their_weighted_mean():
    backbone = make_backbone()
    one, other = torch.randn(3, backbone.embedding), torch.randn(3, backbone.embedding)
    sources = [SourcePrompt("a", one, 1.0), SourcePrompt("b", other, 3.0)]
    start = {"name": "zero"}
    assert torch.equal(made("prompt", backbone, sources=sources[:1], start=start).input_prompt(3), one)
    mean = made("prompt", backbone, sources=sources, start=start).input_prompt(3)
    torch.testing.assert_close(mean, 0.25 * one + 0.75 * other)
    with pytest.raises(InputError, match=r"the source a has the shape \(3, \d+\), and this run's \(4, \d+\)"):
        made("prompt", backbone, sources=sources, start=start).input_prompt(4)


REFUSED = [
    ("p_tuning_v2", {"init": {"name": "text", "text": TEXT}}, "is of input prompts, and this method learns deep"),
    (
        "prompt_tuning",
        {"init": {"name": "activations", "text": TEXT}},
        "is of deep prompts, and this method learns in",
    ),
    ("p_tuning_v2", {"init": {"name": "zero"}, "reparameterization": MLP}, "set prompt.reparameterization=none"),
    ("p_tuning_v2", {"init": {"name": "prompt", "start": {}}}, "sources is empty: name one"),
    ("p_tuning_v2", {"init": {"name": "normal"}}, "prompt.init.std is not set"),
    ("p_tuning_v2", {"init": {"name": "ones"}}, "prompt.init.name=ones is unknown: choose one of activations, class"),
    ("p_tuning_v2", {"init": {"name": "zero", "std": 1}}, "prompt.init.std is not a key of this config: allowed here"),
    (
        "p_tuning_v2",
        {"reparameterization": {"name": "gru"}},
        "name=gru is unknown: choose one of lstm, mlp, none",
    ),
    ("p_tuning_v2", {"reparameterization": {}}, "prompt.reparameterization.name is not set"),
]


@pytest.mark.parametrize(("method", "prompt", "why"), REFUSED, ids=[why for *_, why in REFUSED])
def test_what_does_not_go_together_is_refused_before_anything_is_read(make_run, method, prompt, why):
    config: RunConfig = make_run(method)
    with pytest.raises(InputError, match=why):
        check(config.model_copy(update={"prompt": config.prompt | prompt}))


def test_a_name_alone_chooses_a_file_and_a_papers_choice_is_not_overruled_in_silence():
    run = compose.read(compose.composed(["task=rte", "prompt.reparameterization=mlp", "init=uniform"]))
    assert run.prompt["reparameterization"] == MLP_FILE
    assert run.prompt["init"] == {"name": "uniform", "scale": 0.5}
    paper = ["task=wic", "backbone=bert_large", "paper=p_tuning_v2"]
    assert compose.read(compose.composed(paper)).prompt["reparameterization"]["name"] == "mlp"
    wide = compose.read(compose.composed([*paper, "prompt.reparameterization.hidden=64"]))
    assert wide.prompt["reparameterization"] == {"name": "mlp", "hidden": 64}
    plain = compose.read(compose.composed([*paper, "prompt.reparameterization=none"]))
    assert plain.prompt["reparameterization"] == {"name": "none"}
    with pytest.raises(InputError, match=r"overruled by the file of a paper: write prompt.reparameterization=none"):
        compose.composed([*paper, "reparameterization=none"])
    with pytest.raises(InputError, match=r"prompt.init=ones is unknown: choose one of activations"):
        compose.read(compose.composed(["task=rte", "prompt.init=ones"]))


def test_a_pass_that_fails_leaves_the_backbone_as_it_was(monkeypatch):
    """Other lanes train on it, with its dropout."""
    backbone = make_backbone().train()

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(backbone.network, "hidden", full)
    with pytest.raises(torch.OutOfMemoryError):
        made("activations", backbone).deep_prompt(3, backbone.sites_of([1, 2]))
    assert backbone.training and not backbone.current.running


def test_class_labels_are_those_of_all_tasks_of_a_mixture(make_run):
    backbone = make_backbone()
    init = {"name": "class_labels", "words": None, "most_frequent": 50}
    config = make_run("prompt_tuning", prompt__length=5, prompt__init=init)
    both = {"cb": make_run(task="cb").task, "rte": config.task}
    mixture = MixtureConfig(name="both", tasks=both, bundled="miniature")
    (lane,) = lanes_of([config.model_copy(update={"task": mixture})], backbone)
    words = ["entailment", "contradiction", "neutral", "not entailment"]
    rows = lane.adapter.method.reparameterization()
    for word in words:
        ids = backbone.tokenizer(word, add_special_tokens=False)["input_ids"]
        distances = (rows - embeddings(backbone, ids).mean(dim=0)).abs().amax(dim=1)
        assert distances.min() < 1e-6, word


def test_an_mlp_is_fitted_to_activations(make_run):
    backbone = make_backbone()
    prompts, errors = [], []
    for steps in (0, 60, 60):
        init = {"name": "activations", "text": TEXT, "fit_steps": steps, "fit_lr": 1e-2}
        config = make_run(prompt__init=init, prompt__reparameterization=MLP)
        (lane,) = lanes_of([config], backbone)
        method = lane.adapter.method
        prompts.append(method.reparameterization().detach())
        wanted = made("activations", backbone).deep_prompt(3, method.sites)
        errors.append((prompts[-1] - wanted).square().mean())
        assert all(parameter.grad is None for parameter in method.parameters())
    assert errors[1] < 0.2 * errors[0]
    assert torch.equal(prompts[1], prompts[2])
