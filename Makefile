# Every target installs its needs into .venv once, from the locked versions.
PYTHON ?= python3

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
RUN := $(VENV)/.run
DEV := $(VENV)/.dev

# Of install-systemd: the account's folder, its user, and the address of mails.
FOLDER = /srv/lakehouse
OWNER = lakehouse
MAILTO = root
UNITS = /etc/systemd/system
# A variable as one word of a shell, whatever is in it.
quoted = '$(subst ','\'',$(value $1))'

.DEFAULT_GOAL := help
.PHONY: help demo sql notebook report test test-long bench bench-query lint docs pictures lock wheels sbom install-systemd clean

help: ## show this list
	@awk -F ':.*## ' '/^##@ / { print "\n" substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo 'Each sets up what it needs in $(VENV) by itself. The lake is ./lake, or the one that LAKE_URI in .env names.'
	@echo 'The command lakehouse is then $(BIN)/lakehouse: its --help tells how to load your own account.'

##@ Use
demo: $(RUN) ## start here: made-up conversations through the whole pipeline, to queue time, MCS and a report
	@$(BIN)/lakehouse demo

sql: $(RUN) ## open a shell for SQL over the lake
	@$(BIN)/lakehouse sql

report: $(RUN) ## write the HTML report of the lake anew
	@$(BIN)/lakehouse report

notebook: $(DEV) ## open six notebooks with pictures in JupyterLab, one of them a cookbook
	@LAKE_URI=$$($(BIN)/python -c 'from pipeline.lake.lake import Lake; from pipeline.settings import read_settings; print(Lake(read_settings().lake_uri).uri)') && \
		export LAKE_URI && cd notebooks && ../$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root)

install-systemd: ## as root: install the units of deploy/systemd for FOLDER, OWNER and MAILTO, see docs/deployment.md
	@folder=$(call quoted,FOLDER) owner=$(call quoted,OWNER) mailto=$(call quoted,MAILTO); \
	refuse() { printf '%s, found "%s"; nothing was installed\n' "$$1" "$$2" >&2; exit 2; }; \
	case "$$folder" in [!/]* | '' | */.. | */../* | *[[:space:]%\"\'\`\\\$$\&\|]*) \
		refuse 'FOLDER: expected an absolute path without white space, quotes, backslash, ".." and any of % $$ & |' "$$folder";; esac; \
	case "$$owner" in [!a-zA-Z0-9_]* | '' | *[!a-zA-Z0-9_.-]*) \
		refuse 'OWNER: expected a user, of letters, digits and any of . _ -' "$$owner";; esac; \
	case "$$mailto" in [!a-zA-Z0-9_]* | '' | *[!a-zA-Z0-9_.@+=,-]*) \
		refuse 'MAILTO: expected an address, of letters, digits and any of . _ @ + = , -' "$$mailto";; esac
	@install -d "$(DESTDIR)$(UNITS)"
	@for unit in deploy/systemd/*; do \
		sed 's|/srv/lakehouse|$(FOLDER)|; s|^User=.*|User=$(OWNER)|; s|MAILTO=root|MAILTO=$(MAILTO)|' "$$unit" \
			| install -m 644 /dev/stdin "$(DESTDIR)$(UNITS)/$${unit##*/}" || exit; done
	@$(if $(DESTDIR),,echo 'Next: systemctl daemon-reload && systemctl enable --now $(notdir $(wildcard deploy/systemd/*.timer))')

##@ Develop
test: $(DEV) ## run the tests, some ten minutes
	@$(BIN)/python -m pytest -q -n auto --dist worksteal -m "not long"

test-long: $(DEV) ## run the tests that take longer
	@$(BIN)/python -m pytest -q -m long
	@$(BIN)/python tests/elsewhere.py

bench: $(RUN) ## compare loads with other tools, some 20 minutes; then bench-query
	@$(PIP) install -r benchmarks/requirements.txt
	@$(BIN)/python benchmarks/load.py
	@$(BIN)/python benchmarks/queries.py

bench-query: $(RUN) ## time every view over a lake of a year, some 20 minutes and 2.5 GB to make it
	@$(PIP) install -r benchmarks/requirements.txt
	@$(BIN)/python benchmarks/queries.py

lint: $(DEV) ## run ruff and mypy
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

docs: $(RUN) ## write docs/metrics.md, docs/metrics.json and docs/tables.md anew
	@$(BIN)/python -m pipeline.warehouse.pages

pictures: $(RUN) ## write docs/report.png anew, from the demo's report; needs chromium
	@folder=$$(mktemp -d) && $(BIN)/lakehouse demo --lake "$$folder" >/dev/null 2>&1 && chromium --headless --no-sandbox --disable-gpu \
		--hide-scrollbars --virtual-time-budget=15000 --window-size=1100,1560 --screenshot="$(CURDIR)/docs/report.png" \
		"file://$$folder/report.html#period=2026-11-02..2026-11-08" 2>/dev/null; rm -rf "$$folder"

lock: ## for maintainers, needs uv: update requirements*.txt
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --group build -o requirements.txt
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra notebook --group build --group dev -c requirements.txt -o requirements-dev.txt
	uv pip compile --group pyproject.toml:wheels --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -c requirements-dev.txt -o .ci/wheels.txt

wheels: $(RUN) ## for maintainers: build the files of a release in dist/, for every platform
	@$(PIP) install --require-hashes -r .ci/wheels.txt
	@$(BIN)/python hatch_build.py

sbom: $(RUN) ## for maintainers: list the locked libraries in sbom/engagement-lakehouse.cdx.json, a CycloneDX file
	@$(PIP) install --require-hashes -r .ci/wheels.txt
	@mkdir -p sbom && $(BIN)/python -W ignore::UserWarning -m cyclonedx_py requirements requirements.txt --pyproject pyproject.toml \
		--output-reproducible --output-file sbom/engagement-lakehouse.cdx.json

clean: ## delete .venv; a lake stays where it is
	rm -rf $(VENV)

# pip runs again only if the locked versions change; the package itself is linked, not copied.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(RUN): $(VENV)/.made requirements.txt pyproject.toml hatch_build.py pipeline/report/vega-notices.txt $(wildcard pipeline/decode/scanner/*.[ch])
	@echo "Installing into $(VENV), once, which takes a minute or two ..." >&2
	@$(PIP) install --require-hashes -r requirements.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): $(RUN) requirements-dev.txt tests/oldest-duckdb.txt
	@echo "Installing the tools for tests and notebooks ..." >&2
	@$(PIP) install --require-hashes -r requirements-dev.txt
	@rm -rf $(VENV)/oldest-duckdb && $(PIP) install --require-hashes --only-binary :all: --target $(VENV)/oldest-duckdb \
		-r tests/oldest-duckdb.txt || echo "There is no DuckDB 1.4 for this Python: a test will say that it was skipped" >&2
	@touch $@
