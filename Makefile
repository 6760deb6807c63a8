# One recipe a habit. Each target sets up what it needs by itself; `make help` lists them.
SHELL := /bin/sh
.DEFAULT_GOAL := help
BIN := .venv/bin
PORT ?= 8600

.PHONY: help install run test coverage test-worlds test-fast check format bench bench-ack bench-bridge bench-cold-start bench-fetch bench-memory chaos simulate simulate-mutants fuzz system lock env-example states card-pictures worker-image clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | awk -F'\t' '{printf "  make %-17s %s\n", $$1, $$2}'

install: .venv/.run ## set up .venv with what running needs

.venv/.run: requirements.lock scripts/venv.sh
	@sh scripts/venv.sh requirements.lock .venv/.run

.venv/.dev: requirements-dev.lock scripts/venv.sh
	@sh scripts/venv.sh requirements-dev.lock .venv/.dev

.venv/.peers: .venv/.dev requirements-peers.lock scripts/peers.sh
	@sh scripts/peers.sh requirements-peers.lock .venv/.peers

run: install ## run the bot: the local page, on the embedded sandbox unless .env says otherwise
	@exec $(BIN)/glowplug run

# More at once than there are cores: many of these tests wait for real processes.
test: .venv/.dev .venv/.peers ## run the tests, then the simulated worlds; leaves out, by name, what needs `make system`
	@$(BIN)/pytest -n $${JOBS:-6} --dist loadgroup --ignore=tests/simulation $(ARGS)
	@$(MAKE) --no-print-directory test-worlds

# By itself, since measuring takes a good part of the time of every process that a test starts.
coverage: .venv/.dev .venv/.peers ## run the tests without the simulated worlds, and say which lines they leave out
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -n $${JOBS:-4} --dist loadgroup --ignore=tests/simulation $(ARGS)
	@$(BIN)/coverage combine -q && $(BIN)/coverage report

test-worlds: .venv/.dev ## the simulated worlds of the suite
	@$(BIN)/pytest -q -n $${JOBS:-2} --dist loadgroup tests/simulation

test-fast: .venv/.dev ## the tests that need no processes
	@$(BIN)/pytest -q tests/unit tests/contract tests/component $(ARGS)

check: .venv/.dev ## formatting, lint, types, import arrows
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: .venv/.dev ## format and fix what can be fixed
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: .venv/.dev ## our own time on a warm machine, beside a bare client; ends in one JSON line
	@$(BIN)/python -m tests.bench.warm

bench-bridge: .venv/.dev ## what we add to a managed API's own time; ends in one JSON line
	@$(BIN)/python -W ignore -m tests.bench.bridge

bench-ack: .venv/.dev ## how soon Discord gets its first response from a busy database; ends in one JSON line
	@$(BIN)/python -W ignore -m tests.bench.ack

bench-cold-start: .venv/.dev ## a cold start by the first user's script, by us, and what the wire allows; ends in one JSON line
	@$(BIN)/python -W ignore -m tests.bench.cold_start $(ARGS)

bench-fetch: .venv/.dev ## the agent's throughput beside curl and aria2c, on a quiet computer; ends in one JSON line
	@$(BIN)/python -m tests.bench.fetch $(ARGS)

bench-memory: .venv/.dev ## what a file of 20 GB takes of memory on its way up and down; ends in one JSON line
	@$(BIN)/python -W ignore -m tests.bench.memory $(ARGS)

chaos: .venv/.dev ## kill, freeze and cut off the real bot KILLS times (20); ends in one JSON line
	@$(BIN)/python -m tests.chaos --kills $${KILLS:-20} $(ARGS)

simulate: .venv/.dev ## play SEEDS (300) simulated worlds; SEED=17 replays one with its log; ARGS=--json ends in one JSON line
	@$(BIN)/python -m tests.simulation --jobs $${JOBS:-2} $(if $(SEED),--seed $(SEED),--seeds $${SEEDS:-300}) $(ARGS)

simulate-mutants: .venv/.dev ## break the code in one line for each rule, and show the world that notices
	@$(BIN)/python -m tests.simulation.mutants $(ARGS)

fuzz: .venv/.dev ## feed every parser ANSWERS (100000) wrong answers; prints a table, ends in one JSON line
	@$(BIN)/python -m tests.fuzz --answers $${ANSWERS:-100000} $(ARGS)

system: ## install what only the system has: OpenSSH's sshd, aria2, Chromium (Debian, by name)
	@sh scripts/system.sh

worker-image: ## build the worker image as IMAGE=registry/you/worker:1, and push it with PUSH=1 (needs docker with buildx)
	@sh deploy/worker/build.sh "$(IMAGE)" $(if $(PUSH),push)

env-example: .venv/.dev ## write .env.example from the settings
	@$(BIN)/python -m tests.env_example > .env.example

card-pictures: .venv/.dev ## take pictures of the Discord card for the guides (needs Chromium)
	@$(BIN)/python -W ignore -m tests.discord.pictures

states: .venv/.dev ## draw the state machines into docs/states.md
	@$(BIN)/python -m tests.draw_states

lock: ## resolve the dependencies anew (needs uv)
	@sh scripts/lock.sh

clean: ## remove what the targets made; leaves var/ (your data) alone
	rm -rf .venv .coverage* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
