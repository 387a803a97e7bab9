# Every target installs first when that is not done: one command sets a fresh machine up (Python 3.11+ and make).
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
SDK := .venv-sdk/.ready
CHECKOV := .venv-checkov/.ready
AZURITE := npm install --silent --no-audit --no-fund --prefix .emulators azurite@3.35.0

.DEFAULT_GOAL := help
.PHONY: help install sdk demo test fuzz search serve emulators check bench size deploy smoke destroy

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

$(CHECKOV): infra/terraform/requirements.txt
	$(PYTHON) -m venv .venv-checkov
	@rm -f $@; .venv-checkov/bin/pip install --quiet --disable-pip-version-check --requirement $< && touch $@ \
		|| echo "Checkov could not be installed: it is left out."

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

check: $(READY) $(CHECKOV)  ## format, lint, types, import direction; Terraform's files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m infra.terraform check
	@test ! -e $(CHECKOV) -a "$$CI" != true || .venv-checkov/bin/checkov --directory terraform --framework terraform \
		--quiet --compact --skip-download

bench: $(READY)  ## speed and memory beside the bare storage client; prints a table
	$(BIN)/python -m infra.bench

size: $(READY)  ## what the deployed functions' requirements weigh
	$(BIN)/python -m infra.size

DEPLOYMENT ?= terraform/examples/minimal
TERRAFORM := terraform -chdir=$(DEPLOYMENT)
VARIABLES = -var project=$(PROJECT) -var region=$(REGION) -var source_zip=$$($(BIN)/python -m infra.package | tail -n 1) $(ARGS)

deploy: $(READY)  ## Sluice in a Google Cloud project: make deploy PROJECT=... REGION=... [ARGS="-var ..."]
	@test -n "$(PROJECT)" -a -n "$(REGION)" || { echo "make deploy PROJECT=my-project REGION=europe-west1"; exit 2; }
	$(TERRAFORM) init -input=false
	$(TERRAFORM) apply $(VARIABLES)

smoke: $(READY)  ## syncs a tiny bucket with what is deployed, looks, and cleans up: make smoke BUCKET=...
	@test -n "$(BUCKET)" || { echo "make smoke BUCKET=a-tiny-bucket-that-it-may-read"; exit 2; }
	SLUICE_TOKEN=$$(eval "$$($(TERRAFORM) output -raw token_command)") \
		$(BIN)/python -m infra.smoke --url $$($(TERRAFORM) output -raw url) --bucket $(BUCKET) $(ARGS)

destroy: $(READY)  ## removes all that deploy made, documents too: make destroy PROJECT=... REGION=...
	@test -n "$(PROJECT)" -a -n "$(REGION)" || { echo "make destroy PROJECT=my-project REGION=europe-west1"; exit 2; }
	@printf 'All documents of Sluice in this project will be gone. Type the name of the project: '; \
		read -r name; test "$$name" = "$(PROJECT)" || { echo "Nothing was removed."; exit 1; }
	$(TERRAFORM) apply -auto-approve $(VARIABLES) -var deletion_protection=false
	$(TERRAFORM) destroy -auto-approve $(VARIABLES) -var deletion_protection=false
