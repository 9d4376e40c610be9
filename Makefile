# Every target makes what it needs: `make serve` installs no torch, `make test` installs all.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# To test the oldest that pyproject.toml allows:
#   make test VENV=.venv/oldest VERSIONS='--resolution lowest-direct'
VERSIONS ?= --constraint constraints.txt
# uv installs the same wheels as pip, twenty times faster. Compiled once here, as many a process
# loads PyTorch, and some environments forbid Python to keep what it compiled.
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python $(VERSIONS) --compile-bytecode
PROTO := serving/pawsight_proto/v1

# A run of the tests starts hundreds of processes, each of which would compile Pawsight anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help serve test check format proto clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

serve: $(VENV)/serving ## start gateway and sidecar on the shipped models
	@$(BIN)/pawsight serve

test: $(VENV)/all ## run the whole test suite
	$(BIN)/python -m pytest

check: $(VENV)/all ## formatting, lint, types, and whether the stubs are up to date
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	@$(MAKE) --no-print-directory proto PROTO_OUT=$(VENV)/proto
	@diff -r -x __pycache__ -x __init__.py $(VENV)/proto/pawsight_proto/v1 $(PROTO) -x '*.proto' \
		|| { echo "The gRPC stubs are out of date; run: make proto"; exit 1; }

format: $(VENV)/all ## format the code and mend what lint can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

PROTO_OUT ?= serving
proto: $(VENV)/all ## generate the gRPC stubs
	@mkdir -p $(PROTO_OUT)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -Iserving \
		--python_out=$(PROTO_OUT) --grpc_python_out=$(PROTO_OUT) \
		--mypy_out=quiet:$(PROTO_OUT) --mypy_grpc_out=quiet:$(PROTO_OUT) \
		$(PROTO)/*.proto

clean: ## remove the environment and the caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Pawsight needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(VENV)/serving: $(VENV)/bin/python pyproject.toml constraints.txt
	$(INSTALL) --editable '.[serving]'
	@touch $@

$(VENV)/all: $(VENV)/bin/python pyproject.toml constraints.txt
	$(INSTALL) --editable '.[serving,triton,training,export]' --group check --group test
	@touch $(VENV)/serving $@
