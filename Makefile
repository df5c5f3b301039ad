# Copyright (c) 2026, the stateless.linux contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup setup-lab check test demo bench clean

# make check ONLY="mypy units" runs these steps alone; V=1 shows the output of every step as it comes;
# make test JOBS=1 runs one scenario after the other.
ONLY ?=
V ?=
JOBS ?=
export ONLY V JOBS

with := tests/tools/with

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' Makefile

setup: ## install what check needs: Debian packages, a Python environment
	@tests/tools/setup

setup-lab: ## install what test, demo and bench need, too
	@tests/tools/setup lab

check: setup ## linters, types, documentation, unit tests: under three minutes
	@$(with) python tests/tools/run.py check

test: setup-lab ## all of check, ansible-test sanity, galaxy-importer, every molecule scenario
	@$(with) python tests/tools/run.py test

demo: setup-lab ## a server publishes an image and a machine boots from it
	@$(with) tests/demo/run

bench: setup-lab ## the figures: snapshots, publishing, boots, a large directory
	@$(with) tests/bench/run

clean: ## remove what the commands left in this folder (the cache stays)
	@rm -rf .collections .ansible .mypy_cache .ruff_cache .pytest_cache .hypothesis tests/output
	@find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
