#!/usr/bin/env bash
# From a fresh checkout to a page with results: makes the environment, runs each job on embedded data,
# and writes work_dirs/quickstart.html.
#
#   bash tools/quickstart.sh            all jobs
#   bash tools/quickstart.sh fct        this one
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"

# One function per job, called as job_NAME, and below it the folder where its results lie.
JOBS=(fct itp)

# Forward compatible training on the digits of scikit-learn; then a gallery of the old model becomes one of the new
# model, once from its vectors and once, to compare, from the images.
job_fct() {
    local config=configs/fct/resnet10_digits.py out=work_dirs/resnet10_digits/galleries times
    run_script tools/train.py "$config"
    rm -rf "$out" # of an earlier run, perhaps of other models
    mkdir -p "$out"
    times=$(mktemp)
    run_script tools/export_transform.py "$config" work_dirs/resnet10_digits/final.pth "$out/h.safetensors"
    run_script tools/extract_gallery.py "$config" work_dirs/resnet10_digits_old/final.pth "$out/old"
    run_script tools/upgrade_gallery.py "$out/old" "$out/h.safetensors" "$out/upgraded" | tee -a "$times"
    run_script tools/extract_gallery.py "$config" work_dirs/resnet10_digits_new/final.pth "$out/new" --role new |
        tee -a "$times"
    printf '\n[%s] upgraded without images, and backfilled with the new model:\n' "$job"
    sed -n 's/.* - \(.* ms per item\)$/    \1/p' "$times" | tee "$out/times.txt"
    rm -f "$times"
}
fct_results=work_dirs/resnet10_digits

# Segmentation and depth on rendered street scenes, a fifth of the depth maps permuted; then those are looked for.
job_itp() {
    local options=(data_root=data/quickstart_scenes corrupted_depth=0.2 epochs=30 work_dir=work_dirs/quickstart_itp)
    run_script tools/render_street_scenes.py data/quickstart_scenes --num 200 --num-val 50
    run_script tools/train.py configs/itp/unet_street_scenes.py --cfg-options "${options[@]}"
    run_script tools/find_corrupt_labels.py configs/itp/unet_street_scenes.py work_dirs/quickstart_itp/final.pth \
        --top 12 --cfg-options "${options[@]}"
}
itp_results=work_dirs/quickstart_itp

usage() {
    echo 'usage: tools/quickstart.sh [JOB ...]    jobs:' "${JOBS[@]}"
}

# run_script SCRIPT [ARGUMENT ...]
run_script() {
    printf '\n[%s] python %s\n' "$job" "$*"
    "$(environment_python)" "$@"
}

run_job() {
    local job=$1 folder=${1}_results
    mkdir -p "${!folder}"
    "job_$job"
    printf '\n[%s] results: %s\n' "$job" "$ROOT/${!folder}"
}

for wanted in "$@"; do
    case " ${JOBS[*]} " in
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
    if (($# == 0)) || [[ " $* " == *" $job "* ]]; then
        run_job "$job"
    fi
done
job=report run_script tools/quickstart_report.py "$fct_results" "$itp_results" work_dirs/quickstart.html
printf '\nFor the other commands of README.md: source %s\n' "$VENV/bin/activate"
