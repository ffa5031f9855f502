# make demo            the live engine takes a song apart while it plays (make demo SONG=song.mp3: your own)
# make test            lint, types and tests
# make bench           the measured figures of the README (make bench BENCH=bench/NAME.py: one of them)
# make soak            half an hour of a live session, and what it lost (make soak MINUTES=1: a minute)
# make lint            ruff and mypy alone
# make clean           removes what make made
#
# The first run builds .venv: about 350 MB to download on Linux, 250 MB on macOS. With an NVIDIA card on Linux it is
# PyTorch's default build, which brings NVIDIA's libraries: about 2.5 GB more. TORCH_INDEX=URL takes another index of
# PyTorch's builds, TORCH_INDEX= the default one.
# SYSTEM=no installs nothing outside of .venv. WORKERS=1 runs one test after the other. Those that play to a sound
# server (tests/io) come after all that compute: what is late there is heard. Up to three tests that fail get a second
# try, and the summary says which and why: a machine that does other work as well holds up servers, browsers and
# terminals for seconds. The examples of hypothesis are the same each time. pytest alone tries once, and draws new ones.

PYTHON ?= python3
SONG ?=
BENCH ?= $(filter-out bench/soak.py,$(wildcard bench/*.py))
MINUTES ?= 30
TORCH_INDEX ?= $(shell sh .ci/torch_index.sh "$(PYTHON)")
SYSTEM ?= yes
WORKERS ?= 2

VENV := .venv
BIN := $(VENV)/bin
# Expanded where it is used, so that the index is asked for only when there is something to install.
PIP = $(BIN)/python -m pip --disable-pip-version-check --quiet install -c constraints.txt \
      $(addprefix --extra-index-url=,$(TORCH_INDEX))
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --hypothesis-profile=ci \
         --reruns 1 --max-suite-reruns 3 --rerun-show-tracebacks

.PHONY: demo test bench soak lint clean
.DELETE_ON_ERROR:

demo: $(VENV)/.runs
	$(BIN)/rtsep demo $(if $(SONG),"$(SONG)")

test: lint
	$(PYTEST) --ignore=tests/io
	$(PYTEST) tests/io

lint: $(VENV)/.tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.tests
	@set -e; for file in $(BENCH); do echo "== $$file"; $(BIN)/python "$$file"; done
	$(if $(filter command line,$(origin BENCH)),,@echo "== bench/soak.py"; $(BIN)/python bench/soak.py --minutes 1)

soak: $(VENV)/.tests
	$(BIN)/python bench/soak.py --minutes $(MINUTES)

clean:
	rm -rf $(VENV) build dist demo-out .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@sh .ci/system.sh $(SYSTEM) venv "$(PYTHON)"
	$(PYTHON) -m venv $(VENV)

# Without PortAudio or its card the demo still runs, on a clock of its own.
$(VENV)/.runs: pyproject.toml constraints.txt | $(VENV)/bin/python
	-@sh .ci/system.sh $(SYSTEM) portaudio
	@echo "Installing rtsep into $(VENV) (the first time, this takes minutes) ..."
	$(PIP) -e .
	@touch $@

$(VENV)/.tests: pyproject.toml constraints.txt | $(VENV)/bin/python
	@sh .ci/system.sh $(SYSTEM) portaudio jack pulse browser
	@echo "Installing rtsep and its test tools into $(VENV) (the first time, this takes minutes) ..."
	$(PIP) -e '.[test]'
	@touch $@
