#!/usr/bin/env bash
# From a fresh checkout to result tables and plots: makes the environment, then runs each job on
# embedded data.
#
#   bash tools/quickstart.sh            all jobs
#   bash tools/quickstart.sh fct        this one
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"

# One line per job: its name and its config.
JOBS=(
    'fct configs/fct/resnet10_digits.py'
)

usage() {
    echo 'usage: tools/quickstart.sh [JOB ...]    jobs:' "${JOBS[@]%% *}"
}

# run_job NAME CONFIG
run_job() {
    local work_dir started
    work_dir=work_dirs/$(basename "$2" .py)
    mkdir -p "$work_dir"
    started=$(mktemp)
    printf '\n[%s] python tools/train.py %s\n' "$1" "$2"
    "$(environment_python)" tools/train.py "$2"
    printf '\n[%s] tables and pictures, in %s:\n' "$1" "$ROOT/$work_dir"
    find "$work_dir" -type f -newer "$started" \
        \( -name '*.csv' -o -name '*.md' -o -name '*.png' -o -name '*.svg' \) |
        sort | sed 's/^/    /'
    rm -f "$started"
}

for wanted in "$@"; do
    case " ${JOBS[*]%% *} " in
        *" $wanted "*) ;;
        *)
            usage >&2
            exit 2
            ;;
    esac
done

cd "$ROOT"
ensure_environment
# One thread: on tiny networks more of them wait for one another, on a busy machine for most of the time.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} MPLBACKEND=${MPLBACKEND:-Agg}
for job in "${JOBS[@]}"; do
    read -r name config <<<"$job"
    if (($# == 0)) || [[ " $* " == *" $name "* ]]; then
        run_job "$name" "$config"
    fi
done
