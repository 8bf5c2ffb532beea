# The house. `make run` and `make test` need nothing but make, Python 3.13 and a package index.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PORT ?= 4566
ARCHITECTURE ?= arm64
STAGE ?= dev
BIN := .venv/bin
TOOLS := .venv-tools/bin
SAM := SAM_CLI_TELEMETRY=0 ARCHITECTURE=$(ARCHITECTURE) $(TOOLS)/sam
CODE := $(wildcard layers/core/python layers/deps functions local tools tests benchmarks)
PATHS := layers/core/python:functions
export PORT FILE KIND DRY

.PHONY: help run up down keys mail import tick nightly test journey check fmt lint types template docs bench a11y build deploy clean

help: ## what there is
	@grep -hE '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: .venv/.done .venv-tools/.done ## the cloud on this machine, fed with real orders, watched until Ctrl-C (PORT=, FRESH=1, ONCE=1)
	@PYTHONPATH=$(PATHS) $(BIN)/python -m local.run

up: .venv/.done .venv-tools/.done ## start it in the background and write .local/stack.json (PORT=, FRESH=1)
	@$(BIN)/python -m local.up

down: .venv/.done ## wait until streams and queues are empty, then stop it (PORT=)
	@$(BIN)/python -m local.down

keys: .venv/.done ## list keys, or whatever ARGS says: make keys ARGS="create --kind server --site de"
	@$(BIN)/python -m local.tool keys $(or $(ARGS),list)

mail: .venv/.done ## list the mails that would have gone out, or report one: make mail ARGS="bounce 3"
	@$(BIN)/python -m local.mail $(ARGS)

import: .venv/.done ## hand in a contact file and print what became of it: make import FILE=contacts.csv (KIND=orders, DRY=1)
	@PYTHONPATH=$(PATHS) $(BIN)/python -m local.imports

tick: .venv/.done ## run everything that is due on a schedule at once, and wait for it (PORT=)
	@$(BIN)/python -m local.tick

nightly: .venv/.done ## run tonight's segmentation at once, wait for it, and print what it found (PORT=)
	@$(BIN)/python -m local.nightly

test: .venv/.done .venv-tools/.done .local/segment/.done ## the whole suite, with the journey on a stack of its own
	$(BIN)/pytest -n 2

journey: .venv/.done .venv-tools/.done .local/segment/.done ## the journey alone
	$(BIN)/pytest tests/journey

check: DRIFT := 1
check: lint types template docs test ## everything that must hold before a change lands

fmt: .venv/.done ## format, and mend what ruff can mend
	$(BIN)/ruff check --fix-only --quiet $(CODE)
	$(BIN)/ruff format $(CODE)

lint: .venv/.done ## format, lint and import rules
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	PYTHONPATH=$(PATHS) $(BIN)/lint-imports

types: .venv/.done ## mypy, strict
	$(BIN)/mypy $(CODE)

template: .venv-tools/.done ## the rules of SAM, CloudFormation and serverless over template.yaml
	$(SAM) validate --lint --region us-east-1
	$(TOOLS)/cfn-lint --template template.yaml --regions us-east-1 --append-rules cfn_lint_serverless.rules

docs: .venv/.done ## write the API's description and page from the code (DRIFT=1: only compare)
	PYTHONPATH=$(PATHS) $(BIN)/python -m tools.openapi $(if $(DRIFT),--check)

bench: .venv/.done .venv-tools/.done .venv-bench/.done ## measure: units with their dollars, and whatever else benchmarks/ can run
	@for file in $$(grep -l __main__ benchmarks/*.py); do \
	    PYTHONPATH=$(PATHS) $(BIN)/python -m benchmarks.$$(basename $$file .py); done

a11y: .venv/.done ## the public pages and the mails under axe-core, every language on a phone and a desk (chromium and npm; SHOTS=folder)
	@mkdir -p .local/axe
	npm install --silent --no-audit --no-fund --no-save --prefix .local/axe axe-core@4.14.1
	PYTHONPATH=$(PATHS) $(BIN)/python -m tools.a11y .local/axe/node_modules/axe-core/axe.min.js $(if $(SHOTS),--shots $(SHOTS))

build: .venv/.done .venv-tools/.done ## sam build for ARCHITECTURE (arm64)
	$(SAM) build --no-cached --parallel

deploy: build ## sam deploy to AWS, STAGE=dev or prod
	@test $(ARCHITECTURE) = arm64 || grep -q "Architecture=$(ARCHITECTURE)" samconfig.toml || \
	    { echo "make: samconfig.toml does not say Architecture=$(ARCHITECTURE)" >&2; exit 1; }
	$(SAM) deploy --config-env $(STAGE)

clean: ## remove what was built; environments and local stacks stay
	rm -rf .aws-sam .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# The environments are made once, and again when what they hold is locked anew.
.venv/.done: requirements/dev.txt local/install local/find-python
	@local/install .venv requirements/dev.txt

.venv-tools/.done: requirements/tools.txt .venv/.done
	@local/install .venv-tools requirements/tools.txt

.venv-bench/.done: requirements/bench.txt .venv/.done
	@local/install .venv-bench requirements/bench.txt

# Segment's own libraries, which the journey runs against the stack, and a browser for the one that needs it.
SEGMENT := @segment/analytics-node@3.1.0 @segment/analytics-next@1.84.3

.local/segment/.done: Makefile local/find-browser
	@local/find-browser >/dev/null
	@mkdir -p $(@D)
	npm install --silent --no-audit --no-fund --no-save --no-package-lock --prefix $(@D) $(SEGMENT)
	@touch $@
