#!/usr/bin/env bash
# Test on several GPUs, or on several CPU processes if there is no GPU:
#   tools/dist_test.sh CONFIG CHECKPOINT GPUS [ARGUMENTS]
#
# For several machines, set NNODES, NODE_RANK, MASTER_ADDR and PORT on each of them.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"
source "$(dirname "${BASH_SOURCE[0]}")/_launch.sh"

if (($# < 3)); then
    echo 'usage: tools/dist_test.sh CONFIG CHECKPOINT GPUS [ARGUMENTS OF tools/test.py]' >&2
    exit 2
fi
launch "$3" "$ROOT/tools/test.py" "$1" "$2" "${@:4}"
