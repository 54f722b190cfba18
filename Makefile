# Every target brings its own set-up; a second call does not install again.
VENV    ?= .venv
PYTHON  ?= python3
PROFILE ?= laptop
DATA    ?=
SWEEP   ?= $(sweeps)
ARGS    ?=

python    := $(VENV)/bin/python
installed := $(VENV)/.installed
# DATA=../shared/data reads local files instead of the profile's own source.
overrides := profile=$(PROFILE) $(if $(DATA),data=local 'data.root="$(DATA)"') $(ARGS)

sweeps    := $(basename $(notdir $(wildcard conf/experiment/*.yaml)))
reproductions := $(addprefix reproduce-,$(sweeps))

.DEFAULT_GOAL := help
.PHONY: help setup test check benchmark tables figures report notebooks status clean $(reproductions)

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  variables: PROFILE=laptop|small|paper  DATA=<folder of local data>  ARGS=<any overrides>  SWEEP=figure3"
	@echo "             PYTHON=python3.12"

setup: $(installed) ## install the exact pins of requirements.txt into .venv

$(installed): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info[:2] <= (3, 13) else f"Python 3.11 to 3.13 is needed, this is {sys.version.split()[0]}: set PYTHON=python3.11")'
	@test -x $(python) || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (a few minutes, once) ..."
	@$(python) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

test: $(installed) ## the tests: no network, a few minutes
	$(python) -m pytest -n auto --maxprocesses 4 --dist worksteal $(ARGS)

check: $(installed) ## ruff and mypy
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	$(python) -m mypy

reproduce-table2: ## train what is missing and print Table 2 (SuperGLUE: FT, PT, PT-2)
reproduce-table3: ## the same for Table 3 (NER, QA, SRL: FT, PT, PT-2, MPT-2)
reproduce-figure1: ## score against the backbone's size
reproduce-figure3: ## prompt depth: from the bottom, from the top, in between
reproduce-figure4: ## prompt length, with and without an MLP
reproduce-placement: ## prefix or infix
reproduce-protocol: ## what papers leave unsaid: positions, pooler, dropout, init, the released PT baseline
reproduce-selection: ## what choosing the best dev epoch flatters (the runs of figure1)
reproduce-efficiency: ## score against trained parameters
$(reproductions): reproduce-%: $(installed)
	@status=0; $(python) -m experiments.run -m experiment=$* $(overrides) || status=$$?; \
	test $$status -ne 2 || exit 2; \
	$(python) -m experiments.$* $(overrides) && exit $$status

status: $(installed) ## what of the sweeps is done, missing, failed (all, or SWEEP=table3)
	@set -e; for sweep in $(SWEEP); do $(python) -m experiments.status experiment=$$sweep $(overrides); done

tables: $(installed) ## remake all tables in results/ from the records that are there
	$(python) -m experiments.remake results/tables

figures: $(installed) ## remake all figures in results/ from the records that are there
	$(python) -m experiments.remake results/figures
	@$(python) -m experiments.benchmark.report > /dev/null

report: $(installed) ## one page with everything, every number led back to its runs: results/report/index.html
	$(python) -m experiments.report

notebooks: $(installed) ## run the notebooks and write their executed copies (all, or ARGS="depth speed")
	$(python) -m experiments.notebooks $(ARGS)

benchmark: $(installed) ## speed against the authors' recipe, PEFT and Trainer, on this machine (35 minutes on 2 cores)
	$(python) -m experiments.benchmark $(ARGS)
	$(python) -m experiments.benchmark.prompt_length

clean: ## remove .venv, caches, Hydra's and W&B's folders; records, tables and weights stay
	rm -rf .venv outputs/multirun outputs/wandb .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
