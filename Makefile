# Two commands do everything on a fresh machine: `make run` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2

.PHONY: run test test-all check install benchmark clean
.DEFAULT_GOAL := run

run: install  ## environment, install, the quick suite, its table
	$(BIN)/prunebench run quick -n $(WORKERS)

test: install check  ## what CI runs: linters, types, layers, the quick tests
	$(BIN)/python -m pytest -q -n $(WORKERS) -m "not slow and not realdata"

test-all: install check  ## also slow tests, and those on real images (PRUNEBENCH_DATA names the data root)
	$(BIN)/python -m pytest -q -n $(WORKERS)

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

benchmark: install  ## ratios against plain implementations, each in one run
	$(BIN)/python benchmarks/throughput.py
	$(BIN)/python benchmarks/data_path.py
	$(BIN)/python benchmarks/planning.py

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
