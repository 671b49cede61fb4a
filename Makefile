# Two commands: `make book` builds the site, `make test` checks everything. `make help` lists the rest.
PYTHON ?= python3
PORT ?= 8000
RUN := .venv/bin/python

.PHONY: help setup book notebooks serve lab test lint format lock clean

help:
	@echo "make book       execute the pages and build the site into _build/html"
	@echo "make serve      show the site on http://localhost:$(PORT)   (PORT=... for another)"
	@echo "make lab        open JupyterLab on the chapters"
	@echo "make notebooks  write chapters/*.ipynb anew from the manuscript"
	@echo "make test       everything that CI checks"
	@echo "make lint       ruff; make format mends what ruff can"
	@echo "make lock       write requirements.txt anew from pyproject.toml"
	@echo "make clean      remove what was built (not .venv)"

setup:
	@$(PYTHON) .ci/setup.py

book: setup
	@$(RUN) book/_ext/build.py

notebooks: setup
	@$(RUN) book/_ext/build.py --notebooks

serve: setup
	@test -f _build/html/index.html || { echo "There is no site yet: run make book first."; exit 1; }
	@echo "http://localhost:$(PORT)  (Ctrl-C stops)"
	@$(RUN) -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

lab: setup
	@$(RUN) -m jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) chapters

test: setup
	@$(RUN) tests/run.py

lint: setup
	@$(RUN) -m ruff check . && $(RUN) -m ruff format --check .

format: setup
	@$(RUN) -m ruff check --fix . && $(RUN) -m ruff format .

lock:
	@.ci/lock

clean:
	rm -rf _build dist install.log
