# make demo   annotate the sample photographs and write demo/gallery.html
# make test   lint, types and all tests
# make quick  the tests without the slow ones
# Everything is set up on the first call; later calls are quick. The tests run in four groups of processes: in one of them
# all, a worker was seen to crash late, in native code, behind tests of every room.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test quick lint clean

demo: $(VENV)/.installed
	$(BIN)/semreg annotate demo/pictures --format table --gallery demo/gallery.html
	@echo "the page is demo/gallery.html"

NATIVE := tests/runtime tests/bench
FILES := tests/folders tests/metadata tests/model tests/report tests/scoring
REST := tests $(addprefix --ignore ,$(NATIVE) $(FILES) tests/server)

test: lint
	$(BIN)/pytest --numprocesses auto --durations=10 $(REST)
	$(BIN)/pytest --numprocesses auto $(FILES)
	$(BIN)/pytest --numprocesses auto $(NATIVE)
	$(BIN)/pytest --numprocesses auto tests/server

quick: lint
	$(BIN)/pytest --numprocesses auto -m "not slow" $(REST)
	$(BIN)/pytest --numprocesses auto -m "not slow" $(FILES)
	$(BIN)/pytest --numprocesses auto -m "not slow" $(NATIVE)
	$(BIN)/pytest --numprocesses auto -m "not slow" tests/server

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
