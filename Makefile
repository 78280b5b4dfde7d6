# `make run` starts the product, `make test` checks it; both install what they need.
SHELL := /bin/sh
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	command -v $$p >/dev/null && $$p 2>/dev/null -c 'import sys; sys.exit(sys.version_info < (3, 11))' && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONUNBUFFERED := 1
unexport PYTHONDONTWRITEBYTECODE  # else each of the processes that tests start compiles the product anew
TEMPLATES = $(shell find templates -name '*.html')
BIOME = $(or $(wildcard node_modules/.bin/biome),true)

.PHONY: help run test template test-fast durations format lint tracker bench oracle load kills neighbours sbom pins clean install install-test browser screenshots

run: install  ## run the product on PORT (8000)
	@python manage.py run

# Three workers on two processors: tests with servers and programs of their own wait a quarter of their time.
WORKERS = $(shell expr $$(nproc 2>/dev/null || echo 2) \* 3 / 2)

test: install-test browser  ## everything: lint, migrations, all tests
	@$(MAKE) --no-print-directory -j 2 lint template
	@python manage.py makemigrations --check --dry-run
	@pytest -n $(WORKERS) -rsR --reruns 1

template: install-test
	@DJANGO_SETTINGS_MODULE=tests.settings python -m tests.template_database
	@seen=$$(pytest --collect-only -qq 2>&1) || { echo "$$seen" | tail -n 30; exit 1; }  # compiles the tests once

test-fast: install-test  ## the tests for the inner loop: the quickest of every module, in two minutes
	@pytest -n 2 -m "not slow and not e2e" --ignore tests/e2e --seconds 150

durations: install-test browser  ## measure all tests, for the choice of test-fast
	@pytest -n $(WORKERS) --measure

format: install-test node_modules/.installed  ## format Python code, templates and scripts
	@ruff check --fix-only --select I .
	@ruff format .
	@djade --target-version 5.2 $(TEMPLATES) || true
	@$(BIOME) format --write .

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

lint: install-test node_modules/.installed  ## check style, formatting, layers and types
	@ruff check .
	@ruff format --check .
	@djade --target-version 5.2 --check $(TEMPLATES)
	@$(BIOME) check .
	@lint-imports
	@mypy people activities smartlists config tests/benchmarks

# Browser tests need a Chromium: installed where we may, else those tests are skipped and say so. Debian's headless shell
# takes a third of the processor time; where there is none, a whole Chromium does as well.
BROWSERS := chromium chromium-browser google-chrome google-chrome-stable chrome
INSTALL := DEBIAN_FRONTEND=noninteractive timeout 300 apt-get install -y -qq --no-install-recommends
browser:
	@if command -v chromium-headless-shell >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && [ ! -e $(VENV)/browser.tried ]; then \
		echo "Installing a headless Chromium for the browser tests …"; \
		{ timeout 300 apt-get update -qq && $(INSTALL) chromium-headless-shell || $(INSTALL) chromium; } >/dev/null 2>&1 \
			&& touch $(VENV)/browser.tried; \
	fi; \
	for name in chromium-headless-shell $(BROWSERS); do command -v $$name >/dev/null && exit 0; done; \
	echo "There is no Chromium, and installing it needs root, apt-get and its packages: browser tests are skipped."

# The linter of scripts, and the rules of accessibility that browser tests apply: where npm is there.
node_modules/.installed: package.json
	@if command -v npm >/dev/null; then npm install --no-audit --no-fund --ignore-scripts --no-package-lock --silent \
		&& touch $@ || echo "npm could not install: scripts are not checked, tests of accessibility are skipped."; \
	else echo "There is no npm: scripts are not checked, tests of accessibility are skipped."; fi

tracker: node_modules/.installed  ## build the script that web sites load
	@node activities/tracking/script/build.mjs

pins:  ## renew the pinned requirements
	@for set in base test; do uv pip compile --python-version 3.11 --universal --generate-hashes \
		--no-emit-index-url --no-header requirements/$$set.in -o requirements/$$set.txt; done

install: $(VENV)/base.installed
install-test: $(VENV)/test.installed

$(VENV)/base.installed: requirements/base.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what the product needs …"
	@python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/base.txt
	@touch $@

$(VENV)/test.installed: requirements/test.txt $(VENV)/base.installed
	@echo "Installing what the tests need …"
	@python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/test.txt
	@touch $@

clean:  ## remove the environment and caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache .mypy_cache .cache

bench: install-test  ## measure recording, import, lists (ONLY=, JSON=)
	@python -m tests.benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(JSON),--json $(JSON))

oracle: install-test  ## compare SQL and columns with the oracle on random rules (CASES=)
	@LONG_TESTS=1 ORACLE_EXAMPLES=$$(( ($(or $(CASES),5000) + 11) / 12 )) python -m pytest -q -p no:cacheprovider \
		tests/smartlists/evaluation/test_columns.py tests/smartlists/evaluation/test_column_sequences.py \
		tests/smartlists/evaluation/test_oracle.py

load: install-test  ## load with several clients (JSON=)
	@python -m tests.system.load $(if $(JSON),--json $(JSON))

kills: install-test  ## kill processes under forms, webhooks, hits (KILLS=)
	@KILLS=$(or $(KILLS),100) python -m pytest -q -p no:cacheprovider -k test_kills tests/config/test_form_kills.py \
		tests/config/collector/test_webhook_kills.py tests/config/collector/test_failures.py

neighbours: install-test  ## upgrade from, run beside an older version (FROM=, DATABASE_URL=)
	@python -m tests.system.upgrade $(FROM) $(if $(DATABASE_URL),--database-url $(DATABASE_URL))

screenshots: install-test browser  ## photograph every page into build/screenshots (ONLY=)
	@python -m tests.screenshots $(if $(ONLY),--only '$(ONLY)')

sbom: install  ## write sbom.json
	@python manage.py sbom sbom.json
