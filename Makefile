# A fresh machine needs Python 3.11+ with venv, make and git (Debian: apt-get install python3 python3-venv make git).
PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help setup spark demo up test lint compose-secrets compose-test

help: ## this list
	@grep -hE '^[a-z%-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

setup: $(READY) ## .venv/ with the locked packages and this project

# uv is quick; where it cannot be had, pip installs the same locked packages by the same hashes.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	@echo "setting up .venv (the locked packages; a minute or two)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) \
	  && $(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock \
	  || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable . \
	  || $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# Apart from .venv: see requirements-spark.in.
.venv-spark/.ready: requirements-spark.lock | $(READY)
	@test -x .venv-spark/bin/python || $(PYTHON) -m venv .venv-spark
	@$(BIN)/uv pip sync --quiet --python .venv-spark/bin/python --require-hashes requirements-spark.lock
	@touch $@

spark: .venv-spark/.ready ## .venv-spark/, for linking on Spark (needs Java 17)

demo: $(READY) ## one night, end to end, in a real Airflow; ends with exit 0 and leaves the store in .bsshub/
	@$(BIN)/python -m cli.demo run

up: $(READY) ## the same world kept running until Ctrl-C: Airflow's UI, the report, the store
	@$(BIN)/python -m cli.demo up

test: $(READY) ## every test
	$(BIN)/python -m pytest

bench-%: $(READY) ## bench-load, bench-extract, bench-gate, bench-identity, bench-reconcile: against the bare limit and the peers (ROWS=, RUNS=)
	$(BIN)/python -m bench.$*

lint: $(READY) ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

compose-secrets: ## .secrets/ for docker-compose.yml; those that are there stay
	$(PYTHON) docker/make_secrets .secrets

compose-test: $(READY) ## docker-compose.yml really brought up, one night run in it; needs Docker (docs/deployment.md)
	$(BIN)/python tests/compose/run
