#!/bin/sh
# Make .venv from a lock file: venv.sh LOCK STAMP. Says in one sentence what is missing, if anything is.
set -eu
lock=$1 stamp=$2

command -v git >/dev/null 2>&1 || { echo "glowplug needs git: install it (Debian: apt-get install git)." >&2; exit 1; }

python=
for candidate in python3.11 python3.12 python3.13 python3.14 python3; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done

if [ -z "$python" ] && ! command -v uv >/dev/null 2>&1; then
    echo "glowplug needs Python 3.11 or newer with venv (Debian: apt-get install python3 python3-venv), or uv." >&2
    exit 1
fi

if [ ! -x .venv/bin/python ]; then
    echo "making .venv ..."
    if [ -n "$python" ]; then "$python" -m venv .venv; else uv venv --quiet --seed --python '>=3.11' .venv; fi
fi

echo "installing $lock ..."
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
touch "$stamp"
if [ "$stamp" = .venv/.dev ]; then touch .venv/.run; fi
