#!/bin/sh
# Make .venv/peers, where vendors' own clients live that tests drive against our fakes: peers.sh LOCK STAMP.
set -eu
lock=$1 stamp=$2
[ -x .venv/peers/bin/python ] || .venv/bin/python -m venv .venv/peers
echo "installing $lock ..."
.venv/peers/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
touch "$stamp"
