# `make demo` and `make test` do all that a fresh machine needs; the others are for those who work on xpshpc.
#   make setup SETUP_OPTIONS="--without-mpi"    passes options to cluster/setup.sh

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo test lint types unit bench physics million chaos clean

VENV := .venv
BIN := $(VENV)/bin
SETUP_OPTIONS :=

help: ## what can be made
	@sed -n 's/^\([a-z]*\):[^#]*## /  make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

setup: ## the environment, by cluster/setup.sh
	@cluster/setup.sh --venv $(VENV) $(SETUP_OPTIONS)

demo: setup ## the whole way, from a job file to a report: ten minutes on two cores
	$(BIN)/xpshpc run jobs/demo.toml

test: setup lint types ## all checks and all tests
	$(BIN)/pytest

lint: setup ## format, lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

# cluster/ is imported as xpshpc.cluster: the type checker reads a copy in which it stands there.
types: setup ## types
	@rm -rf build/types && mkdir -p build/types
	@cp -rp xpshpc build/types/ && cp -rp cluster build/types/xpshpc/
	cd build/types && ../../$(BIN)/mypy --config-file ../../pyproject.toml --cache-dir ../../.mypy_cache -p xpshpc \
		| sed 's|^xpshpc/cluster/|cluster/|'

unit: setup ## the quick tests: no networks, no ranks, no faults, no SLURM, no programs started, no whole job
	$(BIN)/pytest -m "not networks and not ranks and not faults and not programs and not slurm and not demo"

bench: setup ## speed, as ratios measured in one run
	$(BIN)/python -m benchmarks

physics: setup ## simulated spectra beside measured surveys, SESSA's own and published values: runs/physics/physics.html
	$(BIN)/python -m benchmarks.physics

million: setup ## a million spectra through a four-node SLURM on this machine, verified and measured
	$(BIN)/python -m benchmarks.million

chaos: setup ## 1000 random kills while a four-node SLURM on this machine makes a data set; nothing may be lost
	$(BIN)/python -m benchmarks.chaos --kills 1000

clean: ## what was built and cached here; neither the environment nor the runs
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf
