# Everything needs Python 3.11 or newer and make, nothing else. PYTHON=... names the interpreter.
#
#   make run     start it all on this machine; PORT, DATABASE_URL, REDIS_URL, QUANYI_HOME are heard
#   make test    run the tests; ARGS="tests/local -k lock" picks some
#   make test-postgres BIN=/usr/lib/postgresql/15/bin   the same with another PostgreSQL's binaries
#   make check   what has to pass before a change goes in: style, types, tests
#   make bench   measure against the limit of this machine
#   make pictures   draw the pages' pictures in docs/pictures anew
#   make lock    work the lock files out anew from setup.cfg
#   make clean   remove what these made; the data in .quanyi stay

MAKEFLAGS += --no-print-directory
.PHONY: run test test-postgres check bench pictures lock clean environment environment-dev

ifndef PYTHON
PYTHON := $(shell for name in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { command -v "$$name"; break; }; done)
endif

INSTALL = @"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	|| { echo "Python 3.11 or newer is needed. Name one: make run PYTHON=/path/to/python3.11"; \
	exit 1; }; "$(PYTHON)" -I loyalty/local/environment.py
LEASH = .venv/bin/python -I -S loyalty/local/leash.py
UV = 0.13.9
COMPILE = build/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url setup.cfg

run: environment
	@exec $(LEASH) exec $$PPID 15 - .venv/bin/python -m loyalty.local run

test: environment-dev
	.venv/bin/python -m pytest -n 2 $(ARGS)

# What leans on the database: its functions, guards and plans, and the launcher itself.
ON_POSTGRES = tests/migrations tests/ledger tests/points tests/customers tests/local/test_postgres.py

test-postgres: environment-dev
	@"$(BIN)/postgres" --version
	QUANYI_POSTGRES_BIN="$(BIN)" .venv/bin/python -m pytest $(or $(ARGS),$(ON_POSTGRES))

check: environment-dev
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .
	.venv/bin/python -m mypy
	cd ledger/verifier && ../../.venv/bin/python -m mypy --config-file ../../setup.cfg \
		--cache-dir ../../.mypy_cache/verifier --explicit-package-bases .
	.venv/bin/python -m pytest -n 2 --cov --cov-report=term

bench: environment
	.venv/bin/python -m bench $(ARGS)

pictures: environment-dev
	.venv/bin/python -m pytest tests/pages/pictures.py

lock: environment
	.venv/bin/python -m pip install --quiet --upgrade --target build/uv uv==$(UV)
	$(COMPILE) --extra embedded --output-file requirements.lock
	$(COMPILE) --extra embedded --extra dev --output-file requirements-dev.lock

clean:
	rm -rf .venv build dist *.egg-info .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

environment:
	$(INSTALL) requirements.lock

environment-dev:
	$(INSTALL) requirements-dev.lock
