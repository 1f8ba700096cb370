# Everything works in .venv, which `install` makes from pinned constraints. `make help` lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROFILE ?=
CONFIG ?=
ARGS ?=
WORKERS ?= 1
GPU ?=
ENGINE ?=
DATA ?=
MODEL ?=
MINUTES ?= 10
SEED ?= 1
# Python compiles a module when it is first imported; most of those that are installed never are.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt
# Ray and MLflow report usage unless told not to; nothing here leaves the machine.
export RAY_USAGE_STATS_ENABLED := 0
export MLFLOW_DISABLE_TELEMETRY := true

.DEFAULT_GOAL := help
.PHONY: help install demo test check check-static docs ui sync dashboard cluster cluster-down cluster-purge submit test-cluster test-gpu bench storm clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

# The pip of Python 3.11 takes four times as long as today's to choose among these 150 packages.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; assert (3, 11) <= sys.version_info < (3, 14), "Python 3.11 to 3.13 is needed; give one as PYTHON=python3.12"'
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --upgrade pip

$(VENV)/installed: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) --editable .
	@touch $@

$(VENV)/tools: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) --editable '.[test,docs]'
	@touch $(VENV)/installed $@

install: $(VENV)/installed ## Make .venv with pinned dependencies, without what only tests and docs need

demo: install ## The whole sweep on generated tasks, on this machine alone (PROFILE=taste: BERT alone)
	$(BIN)/python sweep/run.py $(CONFIG) $(if $(PROFILE),profile=$(PROFILE))

test: $(VENV)/tools ## The whole test suite
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check-static: $(VENV)/tools ## Lint and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

docs: $(VENV)/tools ## The documentation as a site, in build/site; every wrong link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir build/site

check: check-static docs test ## What CI runs, but for the cluster: lint, types, docs, tests

ui: install ## The MLflow UI on the runs of this machine (CONFIG=sweep.yaml ARGS="storage=runs")
	$(BIN)/python -m sweep.ui $(CONFIG) $(ARGS)

sync: install ## Bring MLflow and the report up to date, on an empty server too, and compute nothing (CONFIG=sweep.yaml)
	$(BIN)/python sweep/run.py $(CONFIG) --sync $(ARGS)

dashboard: install ## The studies of a sweep's search in optuna-dashboard (CONFIG=sweep.yaml ARGS="storage=runs")
	$(INSTALL) --editable '.[dashboard]'
	$(BIN)/python -m sweep.verbs.dashboard $(CONFIG) $(ARGS)

cluster: ## Ray, MLflow and Postgres in containers: secrets, images, start, wait (WORKERS=2, GPU=1)
	$(PYTHON) docker/cluster.py up --workers $(WORKERS) $(if $(GPU),--gpu)

cluster-down: ## Stop the containers; keeps the data
	$(PYTHON) docker/cluster.py down

cluster-purge: ## Remove the containers, all data and the secrets; asks first
	$(PYTHON) docker/cluster.py purge

submit: install ## A sweep as a job of the cluster, followed to its end (CONFIG=sweep.yaml ARGS="axes.seed=[0,1]")
	@$(BIN)/python -m sweep.cluster.submit $(CONFIG) $(ARGS); status=$$?; \
	[ $$status = 0 ] || echo "exit status $$status" >&2; exit $$status

test-cluster: $(VENV)/tools ## The cluster, tried on a real engine (ENGINE=path/to/script that starts one)
	@ENGINE="$(ENGINE)" PYTHON=$(BIN)/python sh tests/cluster/run

test-gpu: $(VENV)/tools ## What only a real GPU shows: numbers, memory, a sweep (ARGS=--dry: on the CPU, tiny)
	$(BIN)/python -m pytest tests/gpu -s $(ARGS)

bench: $(VENV)/tools ## A whole sweep against one glued together (DATA=folder of SST-2, MODEL=a BERT encoder)
	$(BIN)/python -m benchmarks.whole $(DATA) $(MODEL) $(ARGS)

storm: $(VENV)/tools ## A sweep under random faults, again and again; it has to end as an undisturbed one (MINUTES=10 SEED=1)
	$(BIN)/python -m tests.faults.storm $(MINUTES) $(SEED)

clean: ## Remove .venv and caches; keeps runs/
	rm -rf $(VENV) *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
