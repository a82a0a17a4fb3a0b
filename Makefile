# Two commands do everything on a machine with Python 3.11 and make: `make demo` and `make test`.
PYTHON ?= python3
TORCH ?= torch==2.13.0
BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test check fast ranks bench docs clean

help:  ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

$(READY): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$(TORCH)" --editable ".[dev]"
	@touch $(READY)

demo: $(READY)  ## lint a faulty script, lint a reference script, run it on two faked hosts
	@echo; echo "== sm-lint fixtures/article_copied.py    (a script with the usual mistakes)"; echo
	@$(BIN)/sm-lint --exit-zero fixtures/article_copied.py
	@echo; echo "== sm-lint reference_scripts/train_ddp.py"; echo
	@$(BIN)/sm-lint reference_scripts/train_ddp.py
	@echo; echo "== pytest --sagemaker-check reference_scripts/train_ddp.py --sagemaker-hosts 2"; echo
	@$(BIN)/python -m pytest --sagemaker-check reference_scripts/train_ddp.py --sagemaker-hosts 2

test: check fast ranks  ## lint, types and layers of ourselves, then every test

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fast: $(READY)  ## the tests that start no process
	$(BIN)/python -m pytest -q -m "not ranks"

ranks: $(READY)  ## the tests that start real ranks
	$(BIN)/python -m pytest -q -m ranks

bench: $(READY)  ## our times beside torchrun's and pyflakes', in one run
	$(BIN)/python tests/bench/bench.py

docs: $(READY)  ## docs/rules.md, from the rules and checks themselves
	$(BIN)/python -m pytest_sagemaker.lint.rules_page > docs/rules.md

clean:  ## remove the environment and caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
