# Requires make and Python 3.11 or newer. The pinned dependencies are installed into .venv when they are needed.
#   make run    serves on http://127.0.0.1:5000          make run ARGS='--port 8080'
#   make demo   a month of examples, in a ledger of its own, on http://127.0.0.1:5000      make demo ARGS='--days 90'
#   make test   every check and every test               make test ARGS='-k ledger'
#   make test-containers   builds the image, and checks it and the compose files, with Docker    ARGS='-k image'
#   make test-containers-arm64   builds the image of arm64 and checks it, where necessary under emulation
#   make test-helm    checks the Helm chart; needs helm 3, or Go, which builds it    SERVER=yes: in a real API server, too
#   make test-systemd    checks the systemd unit
#   make test-alerts   tests the alerts with Prometheus, from Debian's package     ARGS='-x'
#   make test-proxies  tests the configurations of nginx and Caddy, from Debian's packages
#   make test-pooler   tests the service behind PgBouncer, from Debian's package
#   make test-browser  tests the web interface in Chromium, from Debian's package    ARGS='-k runs'
#   make check  formatter, linter, type checkers
#   make bench  measures the run API and prints tables
#   make compare ARGS=../other   measures this checkout against another one, whose .venv is installed
#   make chaos  faults under load: kill -9, pauses, cut connections    make chaos ARGS='--seconds 600 --seed 1f2e3d4c'
#   make soak   a steady load for 10 minutes                           make soak ARGS='--seconds 3600 --workers 2'
#   make mutants  plants faults in the core, each of which a test must find    make mutants ARGS='--only ledger,audit'
#   make examples  records the examples of /openapi.json and /docs anew, from a run of the service
#   make pictures  makes the pictures in docs/images from the demo, in Chromium
#   make ui-types  makes the types of the web interface from the OpenAPI document
#   make clean  removes .venv, caches and builds
# To use another interpreter: make PYTHON=python3.12 run

PYTHON ?= python3
ARGS ?=
# Some images set it. The tests start hundreds of programs, each of which would compile all of its modules again.
unexport PYTHONDONTWRITEBYTECODE
# A file of tests stays in one process, which has a PostgreSQL of its own. In the order of collection, the slow ones are first.
# Two processes more than there are cores: some tests wait for clocks and for programs.
WORKERS = $(shell $(BIN)/python -c 'import os; print(min(6, os.cpu_count() + 2))')
PARALLEL ?= -n $(WORKERS) --dist loadfile --no-loadscope-reorder
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check
UI := service/http/ui/dist/index.html

.PHONY: run demo test test-containers test-containers-arm64 test-helm test-systemd test-alerts test-proxies test-pooler test-browser check ui-check bench compare chaos soak mutants examples pictures ui-types clean
.DELETE_ON_ERROR:

run: $(VENV)/.run-stamp $(UI)
	@exec $(BIN)/runfold serve $(ARGS)

demo: $(VENV)/.run-stamp $(UI)
	@exec $(BIN)/runfold demo --history $(ARGS)

# The short form of the browser tests is left out where Chromium can neither be found nor installed.
# While the packages are installed, a core is idle: dbt's environment is made then. Where that fails, the test that needs it
# does, too. The test files are compiled by one process during the checks, or each process of the tests would do it.
test: $(BIN)/python
	@$(MAKE) --no-print-directory -j 2 $(VENV)/.dbt-stamp $(VENV)/.compiled-stamp check
	@tests/browser/chromium.sh || echo "The web interface is not tested in a browser." >&2
	$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

test-containers: $(VENV)/.dev-stamp
	@tests/containers/run.sh $(ARGS)

test-containers-arm64: $(VENV)/.dev-stamp
	@PLATFORM=linux/arm64 tests/containers/run.sh $(ARGS)

test-helm: $(VENV)/.dev-stamp
	@SERVER=$(SERVER) tests/helm/run.sh $(ARGS)

test-systemd: $(VENV)/.dev-stamp
	@tests/systemd/run.sh $(ARGS)

test-alerts: $(VENV)/.dev-stamp
	@tests/alerts/run.sh $(ARGS)

test-proxies: $(VENV)/.dev-stamp
	@tests/proxies/run.sh $(ARGS)

test-pooler: $(VENV)/.dev-stamp
	@tests/pooler/run.sh $(ARGS)

test-browser: $(VENV)/.dev-stamp $(UI)
	@tests/browser/run.sh $(ARGS)

check: $(VENV)/.dev-stamp ui-check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --num-workers 2

ui-check: $(UI)
	$(BIN)/python hatch_build.py --check

bench: $(VENV)/.dev-stamp
	$(BIN)/python -m bench.run $(ARGS)

compare: $(VENV)/.dev-stamp
	$(BIN)/python -m bench.compare $(ARGS)

chaos: $(VENV)/.dev-stamp
	@$(BIN)/python -m chaos.run $(ARGS)

soak: $(VENV)/.dev-stamp
	@$(BIN)/python -m chaos.soak $(ARGS)

mutants: $(VENV)/.dev-stamp
	@$(BIN)/python -m mutants.run $(ARGS)

examples: $(VENV)/.dev-stamp
	$(BIN)/python tests/record_examples.py

pictures: $(VENV)/.dev-stamp $(UI)
	@PICTURES=docs/images tests/browser/run.sh -k pictures

ui-types: $(VENV)/.dev-stamp
	PYTHONPATH=. $(BIN)/python ui/api_types.py

$(VENV)/.compiled-stamp: $(VENV)/.dev-stamp
	-@$(BIN)/python -m pytest --collect-only -qq >/dev/null 2>&1 && touch $@

$(VENV)/.dbt-stamp: tests/dbt_environment.py tests/data/dbt-requirements.txt | $(BIN)/python
	-@$(BIN)/python tests/dbt_environment.py && touch $@

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist service/http/ui/dist ui/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null \
	  || { echo "There is no $(PYTHON) here: install Python 3.11 or newer, or name one with PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Runfold needs Python 3.11 or newer, and $(PYTHON) is older: name another with PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The build backend is installed like the dependencies, so that its version is pinned, too.
$(VENV)/.run-stamp: requirements.txt requirements-build.txt pyproject.toml | $(BIN)/python
	@echo "Installing Runfold's dependencies, among them PostgreSQL, into $(VENV). This takes a minute or two, once."
	$(INSTALL) -r requirements.txt -r requirements-build.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

# The editable install builds the web interface, too; this is for sources that have changed since.
$(UI): $(shell find ui -path ui/node_modules -prune -o -type f -print) hatch_build.py | $(VENV)/.run-stamp
	@$(BIN)/python hatch_build.py
	@touch $@

$(VENV)/.dev-stamp: requirements-dev.txt $(VENV)/.run-stamp
	@echo "Installing the tools of tests and checks into $(VENV). This takes a minute or two, once."
	$(INSTALL) -r requirements-dev.txt
	@touch $@
