# make demo   annotate the sample photographs and write demo/gallery.html
# make test   lint, types and all tests
# make quick  the tests without the slow ones
# Everything is set up on the first call; later calls are quick. The tests are groups, two at a time, each in a process of
# its own: under pytest-xdist a worker was seen to crash in native code after some minutes, in no test twice.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

GROUPS := learning data files native server  # of tests, the longest first

.PHONY: demo test quick lint clean $(addprefix test-,$(GROUPS))

demo: $(VENV)/.installed
	$(BIN)/semreg annotate demo/pictures --format table --gallery demo/gallery.html
	@echo "the page is demo/gallery.html"

test-learning: TESTS := tests/training tests/steering $(wildcard tests/test_*.py)
test-data: TESTS := tests/comparison tests/data tests/decoding tests/evaluation tests/interchange
test-files: TESTS := tests/folders tests/metadata tests/model tests/report tests/scoring
test-native: TESTS := tests/runtime tests/bench
test-server: TESTS := tests/server
ONLY ?=

test: lint
	$(MAKE) --no-print-directory --jobs 2 --keep-going --output-sync=target $(addprefix test-,$(GROUPS))

quick: lint
	$(MAKE) --no-print-directory --jobs 2 --keep-going --output-sync=target $(addprefix test-,$(GROUPS)) ONLY='-m "not slow"'

$(addprefix test-,$(GROUPS)):
	OMP_NUM_THREADS=1 $(BIN)/pytest -q --durations=5 $(ONLY) $(TESTS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python must be 3.10 or newer, is %d.%d: make PYTHON=python3.11" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) demo/gallery.html
