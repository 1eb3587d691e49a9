# New York's monthly taxi files in a checked warehouse. `make` lists the targets.

SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EMULATORS := .venv-emulators
DBT := .venv-dbt

# Settings of `make demo` and `make dev`, for example: make demo SOURCE=release MONTHS=2019-01...2019-03
SOURCE ?= sample
MONTHS ?=
TAXIS ?=
PORT ?= 3000
# Faults of `make chaos`: another seed makes others; the number of cases is what two cores do in less than an hour
SEED ?= 1
CASES ?=

.DEFAULT_GOAL := help

.PHONY: help
help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/make \1\t\2/' | expand -t 22

.PHONY: demo
demo: $(VENV)/.installed ## load sample months of all taxis into DuckDB and show the result
	@$(BIN)/python -m taxi_assets.demo --source "$(SOURCE)" $(if $(MONTHS),--months "$(MONTHS)") $(foreach taxi,$(TAXIS),--taxi $(taxi))

.PHONY: demo-gcp
demo-gcp: $(VENV)/.installed $(EMULATORS)/.installed ## do the same with BigQuery, on emulators: no account, no network
	@$(BIN)/python -m emulators.demo --source "$(SOURCE)" $(if $(MONTHS),--months "$(MONTHS)") $(foreach taxi,$(TAXIS),--taxi $(taxi))

.PHONY: dev
dev: $(VENV)/.installed ## open Dagster's UI on http://127.0.0.1:3000 (PORT=…, SOURCE=sample|release|…)
	@$(if $(filter command line environment,$(origin SOURCE)),export TAXI_SOURCE="$(SOURCE)";) \
	DAGSTER_HOME="$$($(BIN)/python -m taxi_assets.dagster_home)" && export DAGSTER_HOME && cd "$$DAGSTER_HOME" && \
	exec "$(CURDIR)/$(BIN)/dagster" dev --workspace "$(CURDIR)/workspace.yaml" --host 127.0.0.1 --port $(PORT)

.PHONY: up
up: $(VENV)/.installed-up ## start the services of docker-compose.yml as processes of this machine (SOURCE=sample|release|…)
	@$(if $(filter command line environment,$(origin SOURCE)),export TAXI_SOURCE="$(SOURCE)";) \
	$(BIN)/python -m local_services up

.PHONY: down
down: $(VENV)/.installed-up ## stop what `make up` has started; all data is kept
	@$(BIN)/python -m local_services down

.PHONY: status
status: $(VENV)/.installed-up ## show what `make up` has started: process ids, addresses, logs
	@$(BIN)/python -m local_services status

.PHONY: compose-clean
compose-clean: ## remove the containers and volumes of docker compose, including all data (asks first)
	@docker compose version >/dev/null 2>&1 || { echo "docker compose is not installed on this machine: there is nothing to remove"; exit 1; }
	@docker volume ls --filter label=com.docker.compose.project=taxi-assets
	@printf 'Delete these volumes and all trips in them? Write yes: '; read -r answer && [ "$$answer" = yes ] || { echo "Nothing was deleted"; exit 1; }
	@docker compose --project-name taxi-assets down --volumes --rmi local

.PHONY: rebuild-duckdb
rebuild-duckdb: $(VENV)/.installed ## load all landed raw files into a new DuckDB file and keep the old file
	@DAGSTER_HOME="$$($(BIN)/python -m taxi_assets.dagster_home)" $(BIN)/dagster job execute --module-name taxi_assets.definitions --job rebuild_duckdb

.PHONY: dbt
dbt: $(VENV)/.installed-dbt ## install dbt and add its models to the asset graph (a minute or two, some 800 MB, once)
	@echo "dbt's models are in the asset graph: see docs/dbt.md"

.PHONY: dbt-sources
dbt-sources: $(VENV)/.installed ## write dbt/models/sources.yml, after a change of a taxi's definition
	@$(BIN)/python -m taxi_assets.dbt.sources

.PHONY: test
test: $(VENV)/.installed-dev $(EMULATORS)/.installed $(VENV)/.installed-dbt ## install what the tests need and run all of them
	@$(BIN)/python -m pytest --numprocesses auto --dist loadgroup

.PHONY: screenshots
screenshots: $(VENV)/.installed-dev ## take the pictures in docs/ again, with the browser tests (needs Chromium)
	@TAXI_TEST_SCREENSHOTS=docs $(BIN)/python -m pytest taxi_assets_tests/deployment/test_browser.py

.PHONY: check
check: $(VENV)/.installed-dev ## check formatting, linting and types, and that the definitions load
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/dagster definitions validate --module-name taxi_assets.definitions

.PHONY: bench
bench: $(VENV)/.installed-dev ## measure speed and memory, and write docs/benchmarks.md
	@$(BIN)/python -m benchmarks

.PHONY: chaos
chaos: $(VENV)/.installed-dev $(EMULATORS)/.installed ## load months while faults happen, and write docs/reliability.md (SEED=…, CASES=…)
	@$(BIN)/python -m chaos --seed "$(SEED)" $(if $(CASES),--cases "$(CASES)")

.PHONY: dagster-home
dagster-home: $(VENV)/.installed ## print the folder of Dagster's state, for DAGSTER_HOME
	@$(BIN)/python -m taxi_assets.dagster_home

.PHONY: clean
clean: ## delete the virtual environments and caches, but no data
	rm -rf $(VENV) $(EMULATORS) $(DBT) .mypy_cache .ruff_cache .pytest_cache *.egg-info

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "Python 3.11 or newer is needed, and $(PYTHON) is older: name another one, for example make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Installing into $(VENV) (about a minute the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[ui]'
	@touch $@

$(VENV)/.installed-up: $(VENV)/.installed
	@echo "Installing what \`make up\` needs, including a PostgreSQL"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[ui,server,up]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "Installing what the tests and checks need"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[ui,server,kubernetes,up,dev]'
	@touch $@

$(DBT)/.installed: dbt/constraints.txt
	@echo "Installing dbt into $(DBT) (a minute or two, some 800 MB, once)"
	@test -x $(DBT)/bin/python || $(PYTHON) -m venv $(DBT)
	@$(DBT)/bin/python -m pip install --quiet --disable-pip-version-check --constraint dbt/constraints.txt \
	dbt-core dbt-duckdb dbt-postgres dbt-bigquery
	@touch $@

$(VENV)/.installed-dbt: $(VENV)/.installed $(DBT)/.installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[ui,dbt]'
	@$(BIN)/python -m taxi_assets.dbt.manifest
	@touch $@

$(EMULATORS)/.installed: $(VENV)/.installed $(wildcard emulators/constraints/*.txt)
	@$(BIN)/python -m emulators
	@touch $@
