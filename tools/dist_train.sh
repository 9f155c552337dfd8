#!/usr/bin/env bash
# Train on several GPUs, or on several CPU processes if there is no GPU:
#   tools/dist_train.sh CONFIG GPUS [ARGUMENTS]
#
# If a process dies, torchrun starts all of them again, up to MAX_RESTARTS (3) times, and they resume from the last
# checkpoint. For several machines, set NNODES, NODE_RANK, MASTER_ADDR and PORT on each of them; there nothing is
# started again but by the cluster.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"
source "$(dirname "${BASH_SOURCE[0]}")/_launch.sh"

if (($# < 2)); then
    echo 'usage: tools/dist_train.sh CONFIG GPUS [ARGUMENTS OF tools/train.py]' >&2
    exit 2
fi
MAX_RESTARTS=${MAX_RESTARTS:-3}
[[ " $* " != *' --dry-run '* ]] || MAX_RESTARTS=0  # its failures are what it looks for
launch "$2" "$ROOT/tools/train.py" "$1" "${@:3}"
