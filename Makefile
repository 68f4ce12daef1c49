# make demo   annotate the sample photographs and write demo/gallery.html
# make test   lint, types and all tests
# make quick  the tests without the slow ones
# Everything is set up on the first call; later calls are quick. The server's tests have processes of their own: behind
# all others one of these was seen to crash.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test quick lint clean

demo: $(VENV)/.installed
	$(BIN)/semreg annotate demo/pictures --format table --gallery demo/gallery.html
	@echo "the page is demo/gallery.html"

test: lint
	$(BIN)/pytest --numprocesses auto --durations=10 --ignore tests/server
	$(BIN)/pytest --numprocesses auto tests/server

quick: lint
	$(BIN)/pytest --numprocesses auto -m "not slow" --ignore tests/server
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
