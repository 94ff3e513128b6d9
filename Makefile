# Every target builds what it needs, from a machine that has only Python 3.11 or newer and make.

PYTHON ?= python3
PORT ?= 3000
POSTGRES ?=
ARGS ?=
# one more than there are cores: the end-to-end tests mostly wait for the daemon they started
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(os.cpu_count() + 1)')
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
EXTRAS := s3 gs az k8s celery

export DAGSTER_HOME ?= $(abspath $(or $(BILLING_DATA_DIR),data))/dagster
export DAGSTER_DISABLE_TELEMETRY := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo up test test-all lint format bench docs lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: setup  ## bill the sample book and show what came out
	@$(BIN)/billing-pipeline prepare
	@$(BIN)/billing-pipeline demo $(ARGS)

up: setup  ## the product on http://localhost:3000: pages, sensors, schedules (PORT=..., POSTGRES=1 for PostgreSQL)
	@exec $(BIN)/billing-pipeline up --port $(PORT) $(if $(POSTGRES),--postgres) $(ARGS)

test: setup  ## all tests but the slow ones, on all cores (ARGS="-k money" for some)
	@$(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal $(ARGS)

test-all: setup  ## all tests, the long versions too: kills, restarts, full disks (half an hour)
	@$(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal -m "slow or not slow" $(ARGS)

lint: setup  ## format, lint, types and the direction of imports
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: setup  ## rewrite the code in the house format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: setup  ## measure speed and memory
	@$(BIN)/python -m benchmarks.run $(ARGS)
	@$(BIN)/python -m benchmarks.clients
	@$(BIN)/python -m benchmarks.audit
	@$(BIN)/python -m benchmarks.arrival
	@$(BIN)/python -m benchmarks.audit_faults
	@$(BIN)/python -m benchmarks.unbilled
	@$(BIN)/python -m benchmarks.unbilled_alert

docs: setup  ## write the tables of docs/ that are generated from the code
	@$(BIN)/python -m docs.settings_table

lock: setup  ## resolve the dependencies anew into requirements/*.txt (ARGS=--upgrade for newer ones)
	@$(call resolve,base,--group build)
	@$(call resolve,dev,--group dev --constraints requirements/base.txt)
	@$(call resolve,image,--group build $(EXTRAS:%=--extra %) --constraints requirements/base.txt)

setup: $(READY)  ## the virtual environment in .venv, from the lock files
	@:

clean:  ## remove the environment and caches; data/ stays
	@rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -type d -name __pycache__ -prune -exec rm -rf {} +

$(READY): pyproject.toml requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed, found: $$($(PYTHON) --version 2>&1). Try: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Setting up $(VENV) from requirements/dev.txt (about a minute the first time)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -qq --no-input --require-hashes -r requirements/dev.txt
	@$(BIN)/pip install -qq --no-input --no-deps --no-build-isolation --editable .
	@touch $@

# The lock names exact versions and hashes and nothing of where they came from, so that any mirror will do.
define resolve
$(BIN)/uv pip compile pyproject.toml $(2) --output-file requirements/$(1).txt --quiet --universal --python-version 3.11 \
  --generate-hashes --no-strip-extras --custom-compile-command "make lock" $(ARGS)
endef
