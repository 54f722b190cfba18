# Every target brings its own set-up; a second call does not install again.
VENV    ?= .venv
PYTHON  ?= python3
PROFILE ?= laptop
DATA    ?=
TABLE   ?= table2 table3
ARGS    ?=

python    := $(VENV)/bin/python
installed := $(VENV)/.installed
# DATA=../shared/data reads local files instead of the profile's own source.
overrides := profile=$(PROFILE) $(if $(DATA),data=local 'data.root="$(DATA)"') $(ARGS)

.DEFAULT_GOAL := help
.PHONY: help setup test check reproduce-table2 reproduce-table3 benchmark tables status clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  variables: PROFILE=laptop|small|paper  DATA=<folder of local data>  ARGS=<any overrides>  TABLE=table3"
	@echo "             PYTHON=python3.12"

setup: $(installed) ## install the exact pins of requirements.txt into .venv

$(installed): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info[:2] <= (3, 13) else f"Python 3.11 to 3.13 is needed, this is {sys.version.split()[0]}: set PYTHON=python3.11")'
	@test -x $(python) || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (a few minutes, once) ..."
	@$(python) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

test: $(installed) ## the tests: no network, a few minutes
	$(python) -m pytest $(ARGS)

check: $(installed) ## ruff and mypy
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	$(python) -m mypy

reproduce-table2: ## train what is missing and print Table 2 (SuperGLUE: FT, PT, PT-2)
reproduce-table3: ## the same for Table 3 (NER, QA, SRL: FT, PT, PT-2, MPT-2)
reproduce-table2 reproduce-table3: reproduce-%: $(installed)
	@status=0; $(python) -m experiments.run -m experiment=$* $(overrides) || status=$$?; \
	$(python) -m experiments.$* $(overrides) && exit $$status

benchmark: $(installed) ## speed against the authors' recipe, PEFT and Trainer, on this machine (30 minutes on 2 cores)
	$(python) -m experiments.benchmark $(ARGS)

tables: $(installed) ## remake the tables from the records that are there (all, or TABLE=table3)
	@set -e; for table in $(TABLE); do $(python) -m experiments.$$table $(overrides); done

status: $(installed) ## what of the sweeps is done, missing, failed (all, or TABLE=table3)
	@set -e; for table in $(TABLE); do $(python) -m experiments.status experiment=$$table $(overrides); done

clean: ## remove .venv, caches, Hydra's and W&B's folders; records, tables and weights stay
	rm -rf .venv outputs/multirun outputs/wandb .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
