"""Jobs that share their files of conf/ compose to what each composes to alone."""

import random

import pytest
from hydra import initialize_config_dir
from omegaconf import OmegaConf

from ptuning.errors import InputError
from ptuning.launch import compose

GROUPS = {
    "backbone": ["tiny_bert", "minilm_l3", "roberta_large"], "task": ["rte", "cb", "squad_v2", "wic", "conll04"],
    "method": ["fine_tuning", "prompt_tuning", "p_tuning_v2"], "data": ["miniature", "bundled", "hub"],
    "profile": ["laptop", "small"], "paper": ["p_tuning_v2"], "reparameterization": ["mlp", "none"],
}  # fmt: skip
VALUES = [
    "seed=3", "train.lr=0.5", "train.epochs=7", "prompt.length=9", "prompt.layers=1-2", "data.train_rows=5",
    "prompt.reparameterization=mlp", "+train.lrs.head=0.1", "train.batch_size=${seed}", "~sources", "+sede=1",
    "runtime.device=cpu", "train.lr=", "train={lr: 3}", "+prompt.new=1", "variant=fine_tuning",
]  # fmt: skip


def outcome(made):
    try:
        return OmegaConf.to_container(made(), resolve=False)
    except InputError as error:
        return str(error)


@pytest.mark.parametrize("seed", range(3))
def test_they_compose_to_what_each_composes_to_alone(seed):
    draw = random.Random(seed)
    with initialize_config_dir(str(compose.CONF), version_base="1.3"):
        files = compose.FileChoices()
        for _ in range(12):
            chosen = [f"{group}={draw.choice(GROUPS[group])}" for group in draw.sample(sorted(GROUPS), 3)]
            for _ in range(2):  # the second time from what is known
                job = [*chosen, *draw.sample(VALUES, 3)]
                draw.shuffle(job)
                assert outcome(lambda job=job: files.compose(job)) == outcome(
                    lambda job=job: compose._compose_run(job)
                )
