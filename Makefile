# Corpusmill. `make demo` and `make test` do everything on a fresh clone, set-up included.
PYTHON ?= python3
EXTRAS ?= trainer,dev
BIN := .venv/bin
WORKERS ?= 2

# Sample inputs of our own, or real ones: make demo DATA=DIR with DIR/github and so on.
DATA ?=
DEMO := build/demo$(if $(DATA),-data)
INPUTS := $(or $(DATA),$(DEMO)/inputs)

.PHONY: env tools kenlm-tools langid demo test test-all lint bench clean

env: .venv/ready-$(EXTRAS)

# One stamp a set of extras: asking for more later installs more.
.venv/ready-%: pyproject.toml
	@echo "making the environment in .venv: packages are installed once, a few minutes"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$*]'
	@touch $@

# What is no package: made or fetched once a machine, into $XDG_CACHE_HOME/corpusmill.
tools: kenlm-tools langid

kenlm-tools: env
	@$(BIN)/python -m pipelines.setup.kenlm

langid: env
	@$(BIN)/python -m pipelines.setup.langid

demo: env tools
	@echo "== sample inputs"
	@test -n "$(DATA)" -o -d $(INPUTS) || $(BIN)/python -m pipelines samples --out $(INPUTS) --workers $(WORKERS)
	@echo "== documents, tokenizer, token shards"
	@$(BIN)/python -m pipelines build demo --data $(INPUTS) --out $(DEMO) --workers $(WORKERS)
	@echo "== mixture"
	@$(BIN)/python -m mixtures plan mixtures/demo.toml --tokens $(DEMO)/tokens --context 128
	@echo "== training"
	@$(BIN)/python -m trainer demo data.shards=$(DEMO)/tokens data.mixture=mixtures/demo.toml \
	  data.tokenizer=$(DEMO)/tokenizer/tokenizer.model run.dir=$(DEMO)/trained
	@echo "== report"
	@$(BIN)/python -m pipelines report $(DEMO) --tokens $(DEMO)/tokens --trained $(DEMO)/trained \
	  -o $(DEMO)/report.html

test: env tools
	@$(BIN)/python -m pytest

test-all: env tools
	@$(BIN)/python -m pytest -m "not benchmark"

lint: env
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/hadolint docker/*.Dockerfile

bench: env tools
	@CORPUSMILL_FIGURES=docs/figures.md $(BIN)/python -m pytest -m benchmark tests/benchmarks -s

clean:
	rm -rf build .venv
