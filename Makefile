# Two commands matter: `make up` and `make test`. Python 3.11+ and make are all they need.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV     := $(BIN)/uv
UV_VERSION := 0.13.8
MEMBERS := libs/shim_common libs/shim_transcripts libs/shim_risk libs/shim_supervision libs/shim_prices \
           services/gateway services/checkpointer services/supervisor \
           clients/shim_agent clients/shim_cli clients/shim_mcp deploy/stack

.DEFAULT_GOAL := help
.PHONY: help install up down status logs lint format test lock chaos bench-checkpoints bench-hooks bench-search bench-supervisor eval-risk

help: ## Show the commands
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## Make the virtual environment (done by every other command)

$(VENV)/.installed: requirements.lock Makefile $(MEMBERS:%=%/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "SHIM needs Python 3.11 or newer; this is %s. Try: make PYTHON=python3.11 ..." % sys.version.split()[0])'
	@echo "==> virtual environment"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@echo "==> dependencies (hash-checked)"
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(UV) pip install --quiet --compile-bytecode --require-hashes -r requirements.lock
	@echo "==> SHIM itself"
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(UV) pip install --quiet --no-deps --no-build-isolation $(MEMBERS:%=-e %)
	@touch $@

up: install ## Start everything, prove that it works, say what to do next (ARGS="--port 8000")
	@$(BIN)/shim up $(ARGS)

down: install ## Stop everything, cleanly
	@$(BIN)/shim down

status: install ## Show what runs
	@$(BIN)/shim status

logs: install ## Show the newest lines of every log (ARGS="-f gateway")
	@$(BIN)/shim logs $(ARGS)

PACKAGES := shim_common shim_transcripts shim_prices shim_risk shim_supervision shim_gateway shim_checkpointer shim_supervisor shim_agent shim_cli shim_mcp shim_stack

lint: install ## Check style, types and import rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy $(PACKAGES:%=-p %)
	@$(BIN)/lint-imports

format: install ## Put the code into its one form
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

MAIN_JOB := tests/stack/test_zz_main_job.py

test: lint ## Run everything that a change has to pass; the main job on real input comes last
	@$(BIN)/python -m pytest -n 4 --dist loadfile --ignore $(MAIN_JOB)
	@$(BIN)/python -m pytest $(MAIN_JOB)

chaos: install ## Kill every part hundreds of times, and the real client; takes hours (ARGS="--rounds 40 --seed 7")
	@$(BIN)/python -m pytest tests/chaos --timeout 0 --rounds 400 $(ARGS)
	@$(BIN)/python -m pytest tests/client/test_kills.py --timeout 0 --kills 500
	@$(BIN)/python -m pytest tests/client/test_run.py --timeout 0 --kills 100

lock: ## Write requirements.lock anew from the pyproject files
	@uv=$$(command -v uv || echo $(UV)); $$uv lock --quiet && $$uv export --quiet --all-packages --all-groups --no-emit-workspace \
	  --no-annotate --no-header --format requirements-txt --output-file requirements.lock

PEERS := bench/peers/.venv
$(PEERS)/.installed: bench/peers/requirements.txt
	@$(PYTHON) -m venv $(PEERS) && $(PEERS)/bin/pip install --quiet --disable-pip-version-check -r $< && touch $@

bench-checkpoints: install $(PEERS)/.installed ## Bytes and latency per checkpoint, beside LangGraph's Postgres saver
	@$(BIN)/python bench/checkpoints.py

SUPERVISORS := bench/peers/.venv-supervisors
$(SUPERVISORS)/.installed: bench/peers/supervisors.txt
	@$(PYTHON) -m venv $(SUPERVISORS) && $(SUPERVISORS)/bin/pip install --quiet --disable-pip-version-check -r $<
	@if command -v npm >/dev/null; then npm install --silent --prefix bench/peers pm2@7.0.4 >/dev/null; fi; touch $@

bench-supervisor: install $(SUPERVISORS)/.installed ## From kill -9 to the replacement, beside other supervisors
	@$(BIN)/python bench/supervisor.py

bench-search: install ## Latency of searches over 1,000 sessions, and the bytes of the index
	@$(BIN)/python bench/search.py $(ARGS)

eval-risk: install ## How well compactions are foreseen, on recorded sessions
	@$(BIN)/python bench/eval_risk.py

bench-hooks: install ## What a hook costs with the real client, beside a server that answers 204 at once
	@$(BIN)/python bench/hooks.py
