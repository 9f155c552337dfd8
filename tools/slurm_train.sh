#!/usr/bin/env bash
# Train on a slurm cluster: tools/slurm_train.sh PARTITION JOB_NAME CONFIG [ARGUMENTS]
#
# Environment variables (defaults): GPUS (8), GPUS_PER_NODE (the smaller of 8 and GPUS), CPUS_PER_TASK (5),
# SRUN_ARGS.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"

if (($# < 3)); then
    echo 'usage: tools/slurm_train.sh PARTITION JOB_NAME CONFIG [ARGUMENTS OF tools/train.py]' >&2
    exit 2
fi
gpus=${GPUS:-8}
gpus_per_node=${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}

export PYTHONPATH=$ROOT${PYTHONPATH:+:$PYTHONPATH}
# shellcheck disable=SC2086  # SRUN_ARGS is several words on purpose
exec srun --partition="$1" --job-name="$2" --gres=gpu:"$gpus_per_node" \
    --ntasks="$gpus" --ntasks-per-node="$gpus_per_node" --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    "$(environment_python)" -u "$ROOT/tools/train.py" "$3" --launcher slurm "${@:4}"
