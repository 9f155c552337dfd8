#!/usr/bin/env bash
# Makes the environment if it is missing and runs the tests:
#   bash tools/run_tests.sh [PYTEST ARGUMENTS]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"

cd "$ROOT"
ensure_environment
# The tests work on tiny tensors, where more threads only wait for one another.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2} MPLBACKEND=${MPLBACKEND:-Agg}
exec "$(environment_python)" -m pytest "$@"
