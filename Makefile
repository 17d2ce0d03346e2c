# Everything a developer runs. Needs make and a Python of at least 3.11; the rest comes with `make setup`,
# which every other target calls by itself.

SHELL := /bin/sh
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# errors only: a warning of pip is about the machine, not about rsfuse
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check --no-input
DEMO := demo

export PIP_ROOT_USER_ACTION := ignore

# the first of these that is new enough; `make setup PYTHON=/opt/python3.12/bin/python` chooses another
PYTHONS := $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(READY) ## make .venv with all of rsfuse and everything that tests it

$(READY): pyproject.toml
	@python=''; \
	for each in $(PYTHONS); do \
	    if "$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python="$$each"; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "rsfuse needs Python 3.11 or newer; none of these is: $(PYTHONS)" >&2; \
	    echo "install one, or name it: make setup PYTHON=/path/to/python3" >&2; \
	    exit 1; \
	fi; \
	if [ ! -x $(BIN)/python ]; then \
	    echo "make: creating $(VENV) with $$("$$python" --version)"; \
	    "$$python" -m venv $(VENV) || { \
	        rm -rf $(VENV); \
	        echo "$$python cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv" >&2; \
	        exit 1; \
	    }; \
	fi
	@echo "make: installing rsfuse and its dependencies into $(VENV) (the first time several GB and some minutes)"
	@$(PIP) install --upgrade 'pip>=25.1'
	@$(PIP) install --editable '.[full]' --group dev
	@touch $@

.PHONY: test
test: lint types imports tests ## everything that must pass before a commit

.PHONY: lint
lint: $(READY) ## ruff: rules and formatting
	@echo "make: linting"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo "run: make format" >&2; exit 1; }

.PHONY: types
types: $(READY) ## mypy --strict
	@echo "make: checking types"
	@$(BIN)/mypy --no-error-summary

.PHONY: imports
imports: $(READY) ## import-linter: imports only go down the house
	@echo "make: checking imports"
	@$(BIN)/lint-imports >$(VENV)/imports.log 2>&1 || { cat $(VENV)/imports.log; exit 1; }

.PHONY: tests
tests: $(READY) ## the quick tests; PYTEST="-k plan -x" passes options on
	@echo "make: running the tests"
	@$(BIN)/pytest --quiet --numprocesses 2 -m "not slow" $(PYTEST)

.PHONY: test-slow
test-slow: $(READY) ## the tests that `make test` leaves out
	@echo "make: running the slow tests"
	@$(BIN)/pytest --quiet -m slow $(PYTEST)

.PHONY: demo
demo: $(READY) ## simulate a scene, map it, compare with the truth; see demo/
	@echo "make: running the demo"
	@$(BIN)/rsfuse demo -o $(DEMO) --overwrite

.PHONY: format
format: $(READY) ## let ruff repair and format the code
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format --quiet .

.PHONY: wheel
wheel: $(READY) ## sdist, and the wheel built from it, into dist/
	@echo "make: building into dist/"
	@$(BIN)/python -m build --no-isolation --outdir dist . >$(VENV)/build.log 2>&1 || { cat $(VENV)/build.log; exit 1; }
	@ls -1 dist

.PHONY: clean
clean: ## remove what the targets made, but for .venv
	rm -rf dist build $(DEMO) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
