# Linnet: `make help` lists what can be made.
.DEFAULT_GOAL := help
.PHONY: help setup quickstart test check bench tree clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.setup-done
# Tests side by side, one process a core and one thread each; then, one by one, those that need the machine's time.
ONE_THREAD := OMP_NUM_THREADS=1
PYTEST := $(ONE_THREAD) $(BIN)/pytest -n auto --dist worksteal
ALONE := $(ONE_THREAD) $(BIN)/pytest

help:  ## List the targets
	@sed -n 's/^\([a-z]*\):.*##/\1\t/p' $(MAKEFILE_LIST) | awk -F'\t' '{printf "  make %-12s%s\n", $$1, $$2}'

setup: $(STAMP)  ## Install linnet with everything it is tested with into .venv (quick when nothing changed)

# torch first and by the constraints: left to itself, pip may take a newer one with gigabytes of GPU packages.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "linnet needs Python 3.11 or later: make setup PYTHON=python3.12" >&2; exit 2; }
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[all,dev]"
	@touch $@

quickstart: setup  ## From nothing to a small model that answers, and a page about its life
	$(BIN)/linnet quickstart

test: setup  ## Run all tests, also the slow ones
	$(PYTEST) -m "not alone"
	$(ALONE) -m "alone"

check: setup  ## Lint, types and the fast tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyrefly check
	$(PYTEST) -m "not slow and not alone"
	$(ALONE) -m "alone and not slow"

bench: setup  ## List the measurements behind the README's figures
	@$(BIN)/python -m bench

tree: setup  ## Write the tree of files into the README
	$(BIN)/python tests/test_structure.py

clean:  ## Remove what tests and builds left (not .venv, not runs)
	rm -rf build dist .pytest_cache .ruff_cache .hypothesis
	find linnet tests -name __pycache__ -type d -prune -exec rm -rf {} +
