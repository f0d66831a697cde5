# The few verbs that people use; `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BUILD := build
NOTEBOOK := notebooks/xgboost-high-level-apis.ipynb
# How many test files run at the same time; each process has a test stand of its own (1 GB).
WORKERS ?= 2
EXECUTED := $(BUILD)/xgboost-high-level-apis.executed.ipynb

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench lab install clean

help:  ## list the verbs
	@sed -n 's/^\([a-z]*\):.*  ## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

demo: install | $(BUILD)  ## run the example notebook on this machine, through Fairing
	@$(BIN)/fairing-azure run $(NOTEBOOK) --backend LocalBackend --output $(EXECUTED)

test: lint  ## run every check and test
	@$(BIN)/python -m pytest tests -n $(WORKERS) --dist loadfile --no-loadscope-reorder

lint: install  ## style, types and architecture
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --config setup.cfg

bench: install | $(BUILD)  ## measure what is promised, as ratios in one run
	@$(BIN)/python benchmarks/run.py $(BUILD)/benchmarks.md

lab: install  ## open JupyterLab on the example
	@$(BIN)/jupyter lab --notebook-dir notebooks

install: $(VENV)/installed  ## make the environment in .venv

$(VENV)/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "Python 3.10 or newer is needed; name one: make PYTHON=python3.11" >&2; exit 1; }
	@echo "Installing into $(VENV); the first time takes a minute or two."
	@$(PYTHON) -m venv --clear $(VENV) || \
	  { echo "Python's venv module is needed; on Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --editable . --group dev
	@touch $@

$(BUILD):
	@mkdir -p $@

clean:  ## remove what was built and installed
	rm -rf $(VENV) $(BUILD) dist
