# The few verbs that people use; `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BUILD := build
NOTEBOOK := notebooks/xgboost-high-level-apis.ipynb
# How many test files run at the same time; each process has a test stand of its own (1 GB). Tests that wait for a
# cluster or a kernel leave two cores idle with fewer.
WORKERS ?= 4
# Where nearly all fast tests are; collecting the others takes longer than running them.
FAST := $(addprefix tests/,clients fairing outputs packaging preflight server setup unit)
PANEL := fairing_az_jupyter/labextension/static/style.js
PANEL_SOURCES := $(shell find labextension/src labextension/style labextension/schema -type f) \
  labextension/package.json labextension/tsconfig.json
NODE_MODULES := labextension/node_modules/.package-lock.json
EXECUTED := $(BUILD)/xgboost-high-level-apis.executed.ipynb

.DEFAULT_GOAL := help
# Tests start hundreds of Pythons; where it is set, each of them would compile every module anew.
test check-tests bench: export PYTHONDONTWRITEBYTECODE =
.PHONY: help demo test check check-code check-tests lint bench lab panel install clean

help:  ## list the verbs
	@sed -n 's/^\([a-z]*\):.*  ## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

demo: install | $(BUILD)  ## run the example notebook on this machine, through Fairing
	@$(BIN)/fairing-azure run $(NOTEBOOK) --backend LocalBackend --output $(EXECUTED)

test: lint panel  ## run every check and test
	@cd labextension && npm run --silent test
	@tests/cluster/own_disk $(BIN)/python -m pytest tests -n $(WORKERS) --dist loadfile --no-loadscope-reorder

check: install  ## the linters of Python and the fast tests, before each commit
	@$(MAKE) --no-print-directory --jobs=2 --output-sync check-code check-tests

check-code: install
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --config setup.cfg

check-tests: install
	@$(BIN)/python -m pytest $(FAST) -m fast -q -n 2

lint: check-code $(NODE_MODULES)  ## style, types and architecture
	@cd labextension && npm run --silent lint

bench: install | $(BUILD)  ## measure what is promised, as ratios in one run
	@$(BIN)/python benchmarks/run.py $(BUILD)/benchmarks.md

lab: install panel  ## open JupyterLab on the example
	@$(BIN)/jupyter lab --notebook-dir notebooks

panel: $(PANEL)  ## build the side panel of JupyterLab, and link it into .venv

$(PANEL): $(VENV)/installed $(NODE_MODULES) $(PANEL_SOURCES)
	@cd labextension && PATH="$(CURDIR)/$(BIN):$$PATH" npm run --silent build
	@PATH="$(CURDIR)/$(BIN):$$PATH" jupyter-builder develop --overwrite . 2>/dev/null
	@touch $@

$(NODE_MODULES): labextension/package-lock.json labextension/.npmrc
	@command -v npm >/dev/null || { echo "Node 20 or newer is needed to build the side panel: https://nodejs.org" >&2; exit 1; }
	@cd labextension && npm ci --no-progress --loglevel=error
	@touch $@

install: $(VENV)/installed  ## make the environment in .venv

$(VENV)/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "Python 3.10 or newer is needed; name one: make PYTHON=python3.11" >&2; exit 1; }
	@echo "Installing into $(VENV); the first time takes a minute or two."
	@$(PYTHON) -m venv --clear $(VENV) || \
	  { echo "Python's venv module is needed; on Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --editable . --group dev
	@$(BIN)/fairing-azure install-fairing >/dev/null
	@touch $@

$(BUILD):
	@mkdir -p $@

clean:  ## remove what was built and installed
	rm -rf $(VENV) $(BUILD) dist fairing_az_jupyter/labextension labextension/lib labextension/node_modules
