#!/bin/sh
# Resolve pyproject.toml into the lock files, with hashes and without the registry's address.
set -eu
command -v uv >/dev/null 2>&1 || { echo "make lock needs uv (pip install uv)." >&2; exit 1; }
common="--quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url"
# What is tested is what runs: the larger set is resolved first, and the smaller one takes its versions.
# shellcheck disable=SC2086 # a list of options
uv pip compile $common "$@" pyproject.toml --group dev -o requirements-dev.lock
# shellcheck disable=SC2086
uv pip compile $common "$@" -c requirements-dev.lock pyproject.toml -o requirements.lock
# shellcheck disable=SC2086
uv pip compile $common "$@" --group peers -o requirements-peers.lock
