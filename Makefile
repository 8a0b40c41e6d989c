# make run   set up, heal the demo scans, write the report
# make test  set up, run the linters and the tests
# make quick what to run every few minutes: ruff, mypy and the tests that take no longer than some seconds
PYTHON ?= python3
CORES ?= all
BIN = .venv/bin

.PHONY: run test quick clean

run: .venv/installed
	@echo "scatterheal: healing the scans that config.yaml names (the demo: a few minutes on 2 cores)"
	$(BIN)/snakemake --cores $(CORES)
	$(BIN)/snakemake --cores 1 --report results/report.html
	@echo "scatterheal: done. Look at results/<scan>/before_after.png and contact_sheet.png;"
	@echo "  healed images: results/<scan>/healed.tif, scores: results/summary.csv, all of it: results/report.html"

test: .venv/installed
	@echo "scatterheal: linters, doctests and tests (about 10 minutes on 2 cores)"
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
	@echo "scatterheal: all tests passed"

quick: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --maxprocesses 4 -m "not slow"

clean:
	rm -rf .venv

.venv/installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "scatterheal needs Python 3.11 or newer: make PYTHON=python3.12")'
	@echo "scatterheal: installing the pinned dependencies into .venv (once, a few minutes)"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
