# make demo     sets everything up, trains, makes a study and serves it
# make test     sets up what the tests need, then runs them all
# make check    format, lint, types, migrations
# make bench    measures speed and writes docs/benchmarks.md
# make clean    removes what demo and test set up, data included (asks first)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MINUTES ?= 2
PORT ?= 8000
CORPUS ?=

.PHONY: demo serve test check bench clean browser

demo: $(VENV)/demo.stamp
	@$(BIN)/python manage.py demo --minutes "$(MINUTES)" --port "$(PORT)" $(if $(CORPUS),--corpus "$(CORPUS)")

test: $(VENV)/test.stamp browser
	$(BIN)/pytest

check: $(VENV)/test.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	DJANGO_SETTINGS_MODULE=settings.test $(BIN)/python manage.py makemigrations --check --dry-run

bench: $(VENV)/test.stamp
	$(BIN)/python -m benchmarks

# A stamp is written last: an install that broke off is done again.
$(VENV)/demo.stamp: requirements.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit(f"Earmark needs Python 3.11 or newer; {sys.executable} is {v[0]}.{v[1]}. Name another: make demo PYTHON=python3.11")'
	@test -w . || { echo "This user may not write to $(CURDIR), where Earmark keeps its environment and data."; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || { echo "No virtual environment could be made. On Debian: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }
	@echo "Installing what Earmark needs into $(VENV) (about a minute, 2.5 GB) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt || { echo "The install failed: the package index could not be reached, or a package is missing there. Once it can be, run the same command again; what is installed is kept."; exit 1; }
	@touch $@

$(VENV)/test.stamp: requirements-dev.txt $(VENV)/demo.stamp
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt || { echo "What the tests need could not be installed: the package index could not be reached, or a package is missing there. Once it can be, run the same command again."; exit 1; }
	@touch $@

# The browser tests drive Debian's Chromium. Where this user may not install it, they say so and are skipped.
browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing chromium for the browser tests ..."; apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y chromium >/dev/null || echo "Chromium could not be installed: the browser tests are skipped without it, and fail in CI."; \
	  else \
	    echo "The browser tests need Chromium and are skipped without it. On Debian or Ubuntu: sudo apt-get install chromium"; \
	  fi; }

clean:
	@printf 'This removes .venv and var/ with every study, rating and clip in it. Go on? [y/N] '; read answer; [ "$$answer" = y ] && rm -rf $(VENV) var || echo "Nothing was removed."
