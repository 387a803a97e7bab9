# Every target installs first when that is not done: one command sets a fresh machine up (Python 3.11+ and make).
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
SDK := .venv-sdk/.ready
AZURITE := npm install --silent --no-audit --no-fund --prefix .emulators azurite@3.35.0

.DEFAULT_GOAL := help
.PHONY: help install sdk demo test fuzz search serve emulators check bench size package

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## / - /'

install: $(READY)  ## the virtual environment .venv with everything in it

$(READY): requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet --editable '.[local]' --group dev --group demo
	@if command -v npm >/dev/null; then $(AZURITE) || echo "Azurite could not be installed: its tests are skipped."; fi
	touch $(READY)

sdk: $(SDK)  ## Label Studio's SDK, for the tests, in an environment of its own: .venv-sdk

$(SDK): tests/sdk/requirements.txt
	$(PYTHON) -m venv .venv-sdk
	@rm -f $@; .venv-sdk/bin/pip install --quiet --disable-pip-version-check --requirement $< && touch $@ \
		|| echo "The SDK could not be installed: its tests are skipped."

demo: $(READY)  ## the main job on real images: sync, sync again, count
	$(BIN)/python -m infra.demo

test: $(READY) $(SDK)  ## every test
	$(BIN)/python -m pytest -n auto --dist worksteal

fuzz: $(READY)  ## every operation of the API with 100 made-up requests, other ones each time
	SLUICE_FUZZ=100 $(BIN)/python -m pytest -n auto --dist worksteal tests/api/test_fuzz.py

search: $(READY)  ## every single fault that the simulations know, where `test` tries every third
	SLUICE_SEARCH=all $(BIN)/python -m pytest -n auto --dist worksteal tests/simulation

serve: $(READY)  ## the local stack on port 8080; stays until interrupted
	$(BIN)/python -m infra.local --port 8080 --data-dir .sluice

emulators: $(READY)  ## servers that stand in for the clouds; prints the variables to export, stays until interrupted
	$(BIN)/python -m infra.emulators

check: $(READY)  ## format, lint, types, import direction
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)  ## speed and memory beside the bare storage client; prints a table
	$(BIN)/python -m infra.bench

size: $(READY)  ## what the deployed functions' requirements weigh
	$(BIN)/python -m infra.size

package: $(READY)  ## the zip that is deployed, in dist; prints its path
	$(BIN)/python -m infra.package
