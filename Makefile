# Two commands do everything on a fresh machine: `make run` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2
LOWEST := .venv-lowest
PYTEST := pytest -q -n $(WORKERS)

.PHONY: run test test-all test-lowest ready check linted typed layered compiled browser install benchmark benchmark-gpus clean
.DEFAULT_GOAL := run

run: install  ## environment, install, the quick suite, its table
	$(BIN)/prunebench run quick -n $(WORKERS)

test: ready  ## what CI runs: linters, types, layers, the quick tests
	$(BIN)/python -m $(PYTEST) -m "not slow and not realdata"

test-all: ready  ## also slow tests, and those on real images (PRUNEBENCH_DATA names the data root)
	$(BIN)/python -m $(PYTEST)

test-lowest: $(LOWEST)/.installed  ## the quick tests with the lowest versions that pyproject.toml allows
	$(LOWEST)/bin/python -m $(PYTEST) -m "not slow and not realdata"

ready: install  # the types keep one core busy, the rest is done beside them
	$(MAKE) -j $(WORKERS) check browser compiled

check: typed linted layered

linted: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

typed: install
	$(BIN)/mypy

layered: install
	$(BIN)/lint-imports

compiled: install  # the tests start some hundred processes
	$(BIN)/python -m compileall -q -j 2 prunebench plugins

browser:  ## Debian's chromium, for tests of the report's page; where it cannot be installed they are skipped
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null \
	  || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq \
	       && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium chromium-driver fonts-liberation >/dev/null; } \
	  || echo "no chromium: tests of the report's page in a browser are skipped"

benchmark: install  ## ratios against plain implementations, each in one run
	$(BIN)/python benchmarks/throughput.py
	$(BIN)/python benchmarks/suite.py
	$(BIN)/python benchmarks/masks.py large
	$(BIN)/python benchmarks/data_path.py
	$(BIN)/python benchmarks/planning.py
	$(BIN)/python benchmarks/choosing.py
	$(BIN)/python benchmarks/cached.py
	$(BIN)/python benchmarks/checkpoints.py
	$(BIN)/python benchmarks/workers.py
	$(BIN)/python benchmarks/report.py
	$(BIN)/python benchmarks/scaling.py
	$(BIN)/python benchmarks/shrink.py

benchmark-gpus: install  ## training on a GPU: 1, 2 and 4 processes that share it, against a plain loop
	$(BIN)/python benchmarks/gpus.py

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

$(LOWEST)/.installed: pyproject.toml constraints.txt tools/lowest_versions.py
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/pip install --quiet packaging
	$(LOWEST)/bin/python tools/lowest_versions.py > $(LOWEST)/constraints.txt
	$(LOWEST)/bin/pip install --quiet --constraint $(LOWEST)/constraints.txt --editable ".[test]"
	touch $@

clean:
	rm -rf $(VENV) $(LOWEST) dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
