#!/usr/bin/env bash
# Makes the environment if it is missing and runs the tests:
#   bash tools/run_tests.sh [PYTEST ARGUMENTS]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"

cd "$ROOT"
ensure_environment
# One thread: on tiny tensors more of them wait for one another, on a busy machine for most of the time.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} MPLBACKEND=${MPLBACKEND:-Agg}
# A process per core, each with whole files: what a file prepares once is then prepared once. `-n 0` turns it off.
# tests/conftest.py decides the order; xdist would begin with the files of many tests, not with those that take long.
exec "$(environment_python)" -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder "$@"
