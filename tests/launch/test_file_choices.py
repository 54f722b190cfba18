"""Jobs that share their files of conf/ compose to what each composes to alone."""

import random
import sys
from importlib import import_module

import pytest
from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.plugins import Plugins
from omegaconf import OmegaConf

from experiments import run as run_module
from ptuning.errors import InputError
from ptuning.launch import compose
from ptuning.records.identity import run_id

GROUPS = {
    "backbone": ["tiny_bert", "minilm_l3", "roberta_large"], "task": ["rte", "cb", "squad_v2", "wic", "conll04"],
    "method": ["fine_tuning", "prompt_tuning", "p_tuning_v2"], "data": ["miniature", "bundled", "hub"],
    "profile": ["laptop", "small"], "paper": ["p_tuning_v2"], "reparameterization": ["mlp", "none"],
}  # fmt: skip
VALUES = [
    "seed=3", "train.lr=0.5", "train.epochs=7", "prompt.length=9", "prompt.layers=1-2", "data.train_rows=5",
    "prompt.reparameterization=mlp", "+train.lrs.head=0.1", "train.batch_size=${seed}", "~sources", "+sede=1",
    "runtime.device=cpu", "train.lr=", "train={lr: 3}", "+prompt.new=1", "variant=fine_tuning",
    "hydra.launcher.devices=[cpu]", "hydra.nope=1", "hydra/launcher=basic",
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


def test_a_multirun_composes_files_once_for_all_jobs_that_choose_the_same_and_each_job_once(tmp_path, monkeypatch):
    """Also with keys of Hydra's, the sweeper's composing and the launcher's counted."""
    composed, read, swept = [], [], []
    load = ConfigLoaderImpl.load_configuration
    monkeypatch.setattr(
        ConfigLoaderImpl,
        "load_configuration",
        lambda self, *given, **more: composed.append(1) or load(self, *given, **more),
    )
    read_one = compose.read
    monkeypatch.setattr(compose, "read", lambda config: read.append(config) or read_one(config))

    def sweep(configs, devices, listener):
        swept.append([run_id(config) for config in configs])
        raise SystemExit(0)

    Plugins.instance()  # which loads the launcher's module, once
    monkeypatch.setattr(import_module("hydra_plugins.packed"), "sweep", sweep)
    monkeypatch.setattr(run_module, "end_on_signals", lambda: None)
    asked = ["backbone=tiny_bert", "data=miniature", "task=cb,rte", "prompt.length=1,2,3,4", "seed=1,2,3",
             "train.lr=1e-3", "runtime.wandb=disabled", f"runtime.results={tmp_path}",
             f"hydra.sweep.dir={tmp_path}/hydra"]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["run", "-m", *asked])
    with pytest.raises(SystemExit):
        run_module.main()
    assert len(composed) <= 8, "24 jobs that choose two sets of files"
    assert len(read) == 24
    assert swept == [[run_id(run) for run in compose.expand(asked)]]
