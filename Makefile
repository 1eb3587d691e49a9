# New York's monthly taxi files in a checked warehouse. `make` lists the targets.

SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EMULATORS := .venv-emulators
DBT := .venv-dbt
ZETASQL := .venv-zetasql
SPARK := .venv-spark

# Settings of `make demo` and `make dev`, for example: make demo SOURCE=release MONTHS=2019-01...2019-03
SOURCE ?= sample
MONTHS ?=
TAXIS ?=
PORT ?= 3000
# Faults of `make chaos`: another seed makes others; the number of cases is what two cores do in less than an hour
SEED ?= 1
CASES ?=

# A misspelt variable would be ignored.
KNOWN := SOURCE MONTHS TAXIS PORT SEED CASES PYTHON VENV EMULATORS DBT ZETASQL SPARK SHELL
KNOWN_PREFIXES := TAXI_ DAGSTER_ GCP_ STORAGE_ BIGQUERY_ GOOGLE_ PIP_ UV_
GIVEN := $(foreach word,$(MAKEOVERRIDES),$(if $(findstring =,$(word)),$(firstword $(subst =, ,$(word)))))
UNKNOWN := $(filter-out $(KNOWN) $(addsuffix %,$(KNOWN_PREFIXES)),$(GIVEN))
ifneq ($(UNKNOWN),)
$(error There is no variable $(firstword $(UNKNOWN)): choose from SOURCE, MONTHS, TAXIS, PORT, SEED and CASES, or a setting of docs/guide.md)
endif

# Says in one sentence what can't be chosen, before anything is started.
CHECKED = $(BIN)/python -m taxi_assets.choices
# Ctrl-C is left to the program: it says one line, and make ends without another one.
interruptible = trap '' INT; $(1); code=$$?; [ $$code -ne 130 ] || { kill -INT $$PPID; exit 0; }; exit $$code

.DEFAULT_GOAL := help

.PHONY: help
help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/make \1\t\2/' | expand -t 22

CHOSEN = --source "$(SOURCE)" $(if $(MONTHS),--months "$(MONTHS)") $(foreach taxi,$(TAXIS),--taxi "$(taxi)")

.PHONY: demo
demo: $(VENV)/.installed ## load sample months of all taxis into DuckDB and show the result
	@$(call interruptible,$(BIN)/python -m taxi_assets.demo $(CHOSEN))

.PHONY: demo-gcp
demo-gcp: $(VENV)/.installed $(EMULATORS)/.installed ## do the same with BigQuery, on emulators: no account, no network
	@$(call interruptible,$(BIN)/python -m emulators.demo $(CHOSEN))

# “command line” and “environment”, in the words of make
SOURCE_IS_GIVEN = $(filter command environment,$(origin SOURCE))
PORT_IS_GIVEN = $(filter command,$(origin PORT))
ONLY_DEMO = $(if $(filter command,$(origin MONTHS) $(origin TAXIS)),$(error MONTHS and TAXIS are for make demo: in the UI choose the assets and write the months))

.PHONY: dev
dev: $(VENV)/.installed ## open Dagster's UI on http://127.0.0.1:3000 (PORT=…, SOURCE=sample|release|…)
	$(ONLY_DEMO)@$(CHECKED) --port "$(PORT)" $(if $(SOURCE_IS_GIVEN),--source "$(SOURCE)")
	@$(if $(SOURCE_IS_GIVEN),export TAXI_SOURCE="$(SOURCE)";) \
	exec $(BIN)/python -m taxi_assets.dev --port "$(PORT)"

.PHONY: up
up: $(VENV)/.installed-up ## start the services of docker-compose.yml as processes of this machine (SOURCE=sample|release|…, PORT=…)
	$(ONLY_DEMO)@$(CHECKED) $(if $(PORT_IS_GIVEN),--port "$(PORT)") $(if $(SOURCE_IS_GIVEN),--source "$(SOURCE)")
	@$(if $(SOURCE_IS_GIVEN),export TAXI_SOURCE="$(SOURCE)";) $(if $(PORT_IS_GIVEN),export TAXI_UI_PORT="$(PORT)";) \
	$(BIN)/python -m local_services up

.PHONY: down
down: $(VENV)/.installed-up ## stop what `make up` has started; all data is kept
	@$(BIN)/python -m local_services down

.PHONY: status
status: $(VENV)/.installed-up ## show what `make up` has started: processes, logs, source, warehouses and the next click
	@$(BIN)/python -m local_services status

# The services of `make up` are known only where it is installed.
SETTINGS_OF := $(if $(wildcard $(VENV)/.installed-up),local_services,taxi_assets.shell)

.PHONY: shell
shell: $(VENV)/.installed ## open a shell with the settings of what runs, so that the UI shows the runs of dg and dagster
	@$(BIN)/python -m $(SETTINGS_OF) shell || true

.PHONY: env
env: ## print these settings for the current shell: eval "$$(make env)"
	@test -x $(BIN)/python || { echo "Run make up, make dev or make demo first" >&2; exit 1; }
	@$(BIN)/python -m $(SETTINGS_OF) env

.PHONY: compose-clean
compose-clean: ## remove the containers and volumes of docker compose, including all data (asks first)
	@docker compose version >/dev/null 2>&1 || { echo "docker compose is not installed on this machine: there is nothing to remove"; exit 1; }
	@docker volume ls --filter label=com.docker.compose.project=taxi-assets
	@printf 'Delete these volumes and all trips in them? Write yes: '; read -r answer && [ "$$answer" = yes ] || { echo "Nothing was deleted"; exit 1; }
	@docker compose --project-name taxi-assets down --volumes
	@docker image ls --quiet --filter label=com.docker.compose.project=taxi-assets | sort -u | xargs -r docker image rm --force

.PHONY: rebuild-duckdb
rebuild-duckdb: $(VENV)/.installed ## load all landed raw files into a new DuckDB file and keep the old file
	@DAGSTER_HOME="$$($(BIN)/python -m taxi_assets.dagster_home)" $(BIN)/dagster job execute --module-name taxi_assets.definitions --job rebuild_duckdb

.PHONY: remove-sample
remove-sample: $(VENV)/.installed ## remove the months of the sample, in the warehouses and in the landing zone, and nothing else
	@eval "$$($(BIN)/python -m $(SETTINGS_OF) env)" && $(BIN)/dagster job execute --module-name taxi_assets.definitions --job remove_sample_months

.PHONY: dbt
dbt: $(VENV)/.installed-dbt ## install dbt and add its models to the asset graph (a minute or two, some 800 MB, once)
	@echo "dbt's models are in the asset graph: see docs/dbt.md"

.PHONY: dbt-sources
dbt-sources: $(VENV)/.installed ## write dbt/models/sources.yml, after a change of a taxi's definition
	@$(BIN)/python -m taxi_assets.dbt.sources

.PHONY: install
install: $(VENV)/.installed-up $(VENV)/.installed-dev $(EMULATORS)/.installed $(VENV)/.installed-dbt $(ZETASQL)/.installed ## install what all targets need

.PHONY: test
test: $(VENV)/.installed-dev $(EMULATORS)/.installed $(VENV)/.installed-dbt $(ZETASQL)/.installed ## install what the tests need and run all of them
	@$(BIN)/python -m pytest --numprocesses auto --dist loadgroup

.PHONY: quick
quick: $(VENV)/.installed-dev ## run the tests that need no servers and no other processes, one case of each, while working
	@$(BIN)/python -m pytest --numprocesses auto --dist loadgroup --quick

.PHONY: test-zetasql
test-zetasql: $(VENV)/.installed-dev $(ZETASQL)/.installed ## let Google's own SQL engine judge and compute BigQuery's statements (three minutes)
	@$(BIN)/python -m pytest taxi_assets_tests/zetasql

.PHONY: test-spark
test-spark: $(VENV)/.installed-dev $(SPARK)/.installed ## let Spark read the lake while months are replaced (needs Java; installs some 500 MB, once)
	@$(BIN)/python -m pytest taxi_assets_tests/lake/test_spark.py

.PHONY: test-gcp
test-gcp: $(VENV)/.installed-dev $(EMULATORS)/.installed ## load a small month in the project that TAXI_TEST_GCP_PROJECT names, and delete all of it
	@[ -n "$(TAXI_TEST_GCP_PROJECT)" ] || { echo "TAXI_TEST_GCP_PROJECT is not set: export TAXI_TEST_GCP_PROJECT=my-project, whose account pays some cents at most"; exit 1; }
	@$(BIN)/python -m pytest taxi_assets_tests/gcp/test_account.py

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
	@$(if $(CASES),$(CHECKED) --cases "$(CASES)")
	@$(BIN)/python -m chaos --seed "$(SEED)" $(if $(CASES),--cases "$(CASES)")

.PHONY: dagster-home
dagster-home: $(VENV)/.installed ## print the folder of Dagster's state, for DAGSTER_HOME
	@$(BIN)/python -m taxi_assets.dagster_home

.PHONY: clean
clean: ## delete the virtual environments and caches, but no data
	rm -rf $(VENV) $(EMULATORS) $(DBT) $(ZETASQL) $(SPARK) .mypy_cache .ruff_cache .pytest_cache *.egg-info

# The environment's own Python installs into it, if it runs; so PYTHON has to be named only once.
INSTALL = $$($(BIN)/python -m environments.versions 2>/dev/null && echo $(BIN)/python || echo "$(PYTHON)") -m environments
INTO_VENV = $(INSTALL) $(VENV) --constraint constraints.txt
PYTHON_IS_GIVEN = $(filter command environment,$(origin PYTHON))

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(INTO_VENV) --editable '.[ui]' --what 'the project'
	@touch $@

$(VENV)/.installed-up: $(VENV)/.installed
	@$(INTO_VENV) --editable '.[ui,server,up]' --what 'what make up needs (with a PostgreSQL)'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@$(INTO_VENV) --editable '.[ui,server,kubernetes,up,dev]' --what 'what tests and checks need'
	@touch $@

# For Python 3.13 and newer there is no adapter of BigQuery: it and its libraries need versions that exclude one another.
$(DBT)/.installed: dbt/constraints.txt
	@$(INSTALL) $(DBT) --constraint dbt/constraints.txt $(if $(PYTHON_IS_GIVEN),--python "$(PYTHON)") \
	--what 'dbt (some 800 MB, once)' dbt-core dbt-duckdb dbt-postgres 'dbt-bigquery; python_version < "3.13"'
	@touch $@

$(VENV)/.installed-dbt: $(VENV)/.installed $(DBT)/.installed
	@$(INTO_VENV) --editable '.[ui,dbt]' --what "what dbt's assets need"
	@$(BIN)/python -m taxi_assets.dbt.manifest
	@touch $@

$(EMULATORS)/.installed: $(VENV)/.installed $(wildcard emulators/constraints/*.txt)
	@$(BIN)/python -m emulators
	@touch $@

# Where ZetaSQL can't be installed, its tests are skipped and all others run.
$(ZETASQL)/.installed: taxi_assets_tests/zetasql/constraints.txt
	@{ $(INSTALL) $(ZETASQL) --constraint $< $(if $(PYTHON_IS_GIVEN),--python "$(PYTHON)") \
	--what "ZetaSQL (some 200 MB, once; it is compiled for a minute)" zetasql && \
	$(ZETASQL)/bin/python taxi_assets_tests/zetasql/engine.py </dev/null && touch $@; } || \
	echo "The tests with ZetaSQL are skipped"

$(SPARK)/.installed: taxi_assets_tests/lake/constraints.txt
	@$(INSTALL) $(SPARK) --constraint $< $(if $(PYTHON_IS_GIVEN),--python "$(PYTHON)") --what "Spark (some 500 MB, once)" pyspark
	@touch $@
