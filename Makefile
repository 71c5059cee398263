# The commands of this repository. Each does the set-up first; when nothing has changed that takes about a second.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo test whole faults lint bench lock wheel clean

BIN := $(CURDIR)/.venv/bin
PYTHON := $(BIN)/python
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/shoprec
CORES := $(shell nproc)

# Spark starts its workers with the first python3 on PATH unless told, and must find this environment's.
export PATH := $(BIN):$(PATH)
export PYSPARK_PYTHON := $(PYTHON)
export PYSPARK_DRIVER_PYTHON := $(PYTHON)
# A Spark installed elsewhere would win over the environment's, with other jars and settings.
unexport SPARK_HOME SPARK_CONF_DIR
# Everything runs on this machine: a name or an address that changes with the network is not to be part of it.
export SPARK_LOCAL_IP ?= 127.0.0.1
# Numeric libraries take every core in every process unless told. Past eight threads the matrices here gain nothing.
export OMP_NUM_THREADS ?= $(shell echo $$(( $(CORES) < 8 ? $(CORES) : 8 )))
export TOKENIZERS_PARALLELISM ?= false
# No run asks the network for anything.
export HF_HUB_OFFLINE ?= 1
export MLFLOW_DISABLE_TELEMETRY ?= true

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-14s %s\n", $$1 ($$1 == "bench" ? " NAME=x" : ""), $$2 }' $(MAKEFILE_LIST)

setup: ## make .venv from the lock files, build Horovod once, fetch Delta's jars once
	@deploy/local/setup.sh

demo: setup ## the whole pipeline on a real grocer's year; ends with where to look
	$(PYTHON) jobs/demo.py

test: setup ## every test but whole runs and the heavy fault cases, with the coverage of libs/
	$(PYTHON) -m pytest -m "not whole and not faults and not benchmark" -n 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=term $(ARGS)

whole: setup ## the tests that need a whole run: ways to run, notebooks, point in time
	$(PYTHON) -m pytest -m whole $(ARGS)

faults: setup ## the heavy fault cases: killed runs, races, hung ranks
	$(PYTHON) -m pytest -m "faults and not whole" $(ARGS)

lint: setup ## style, types of mistakes, formatting, and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

# Whatever is measured works in as many threads or tasks as there are cores: a linear algebra with threads of its own
# would slow it down.
ONE_THREAD = OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 OMP_NUM_THREADS=1

bench: setup ## one benchmark of tests/benchmarks/
	@test -n "$(NAME)" || { echo "make bench NAME=x, x one of:" && ls tests/benchmarks | sed -n 's/\.py$$//p' | grep -v '^_' && exit 2; }
	$(ONE_THREAD) $(PYTHON) -m tests.benchmarks.$(NAME) $(ARGS)

# Versions that still fit are kept; `make lock ARGS=--upgrade` takes the newest that fit.
COMPILE = $$(deploy/local/uv.sh $(or $(SHOPREC_PYTHON),python3.11) $(CACHE)) pip compile --quiet --generate-hashes \
	--no-emit-index-url --python-version 3.11 --custom-compile-command 'make lock' $(ARGS)

# Left out: Triton compiles for GPUs alone, and what is here compiles nothing with torch (689 MiB); xgboost's NCCL of
# CUDA 12 is the same file as torch's of CUDA 13, which it would replace.
LEFT_OUT = --no-emit-package triton --no-emit-package nvidia-nccl-cu12

lock: ## write the lock files anew from pyproject.toml and the .in files beside them
	$(COMPILE) pyproject.toml --extra dev $(LEFT_OUT) --output-file requirements.lock
	$(COMPILE) --no-deps deploy/horovod/requirements.in --output-file deploy/horovod/requirements.lock
	$(COMPILE) deploy/local/uv.requirements.in --output-file deploy/local/uv.requirements.lock

wheel: setup ## build the wheel that goes to a cluster, into dist/
	$(PYTHON) -m build --wheel --no-isolation --outdir dist

clean: ## remove what jobs, tests and builds left here; .venv and the cache stay
	rm -rf out dist mlruns spark-warehouse metastore_db derby.log mlflow.db .coverage .coverage.* htmlcov
	rm -rf .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -path ./.venv -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +
