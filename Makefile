# `make` alone lists the targets.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo serve test test-packages lint format docs schema bench screenshot clean

help:  ## List what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

install: $(STAMP)  ## Create .venv and install everything into it

$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) -V). Try: make install PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "The venv module is missing. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "[1/2] creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@echo "[2/2] installing the packages of requirements.lock (about 500 MB on disk, a minute or two)"
	@$(BIN)/python -m pip install --progress-bar on -c requirements.lock -e '.[phone,dev]'
	@touch $(STAMP)
	@echo "installed: $(BIN)/pbx"

demo: install  ## Start the server and simulated callers; the dashboard fills with calls
	@$(BIN)/pbx demo

serve: install  ## Run the server on config.yaml
	@$(BIN)/pbx serve

test: install  ## The whole test suite
	@$(BIN)/python -m pytest

test-packages:  ## Install Debian's phones, browser and PostgreSQL for the tests that need them (root)
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends sip-tester baresip-core linphone-cli tshark espeak-ng chromium postgresql

lint: install  ## ruff and mypy --strict
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: install  ## Put the code in form
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

docs: install  ## Write docs/steps.md again from the code
	@$(BIN)/python -m pbx.flows.steps_page

schema: install  ## Write docs/schema/ again from the code
	@$(BIN)/python -m pbx.config.schema

bench: install  ## Measure this machine; results go to bench/results/
	@$(BIN)/python bench/run.py

screenshot: install  ## Make docs/dashboard.png again
	@$(BIN)/python -m tests.e2e.screenshot

clean:  ## Remove what make installed and the demo's data
	rm -rf $(VENV) .demo build dist *.egg-info
