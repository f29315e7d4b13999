# `make` lists what there is. Every target installs what it needs first; see tools/setup.
# ARGS goes on to the program: make compare ARGS="--quick -b container -b vm", make test ARGS="tests/core -k pump".

.PHONY: help setup peers dev compare test bench lint docs notebooks clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup:  ## install everything that running it takes; the program is then .venv/bin/isoscope
	@tools/setup

peers:  ## install the runtimes and engines to compare with as well: runc, crun, gVisor, bubblewrap, Docker, ...
	@tools/setup peers

dev:  ## install what tests, linters and docs take as well
	@tools/setup dev

compare: setup  ## compare the start-up of a process, a container and a VM; leaves a run and its report in runs/
	.venv/bin/isoscope compare $(ARGS)

test: dev  ## run all tests, the linters and type checks among them
	.venv/bin/pytest --ignore=tests/bench $(ARGS)

bench: dev  ## measure Isoscope itself against yardsticks and the stored baseline (ARGS=--update-baseline stores a new one)
	.venv/bin/pytest tests/bench --benchmark-enable --benchmark-only $(ARGS)

lint: dev  ## formatting, lints and types only
	.venv/bin/pytest tests/project/test_lint.py $(ARGS)

docs: dev  ## build the docs into docs/_build/html
	.venv/bin/sphinx-build --fail-on-warning --keep-going -b html docs docs/_build/html $(ARGS)

notebooks: dev  ## build notebooks/*.ipynb from the text beside them, and run them (ARGS=03 for one)
	.venv/bin/python tools/notebooks.py $(ARGS)

clean:  ## remove what the targets made here, .venv included; runs/ stays
	rm -rf .venv build dist docs/_build isoscope.egg-info .mypy_cache .pytest_cache .ruff_cache
