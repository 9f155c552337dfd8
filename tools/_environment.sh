# The Python environment of the scripts beside this file; sourced, never run.
#
#   MMFCT_VENV    where the environment is (default: .venv in the checkout)
#   MMFCT_PYTHON  the Python to make it with (default: the first that works of python3.11,
#                 python3.12 and python3.10)
#
# An environment is good when its stamp says which checkout, requirements and Python it was made
# from. The stamp is written last, after everything was imported once, so an install that failed or
# was killed is never taken for one.

unset CDPATH # with it, `cd` prints, and may lead elsewhere
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P) # one name, however the checkout is reached
VENV=${MMFCT_VENV:-$ROOT/.venv}
VENV=${VENV%/}
[[ $VENV == /* ]] || VENV=$PWD/$VENV
if [[ ${MMFCT_PYTHON:-} == */* && $MMFCT_PYTHON != /* ]]; then MMFCT_PYTHON=$PWD/$MMFCT_PYTHON; fi
EXTRAS=onedl,docs,faiss,lancedb,metric-learning,onnx,parquet,qdrant,ray,test
STAMP=$VENV/mmfct-stamp # says that the environment is good
MARKER=$VENV/mmfct-made # says that these scripts made it, and may remove it
EARLIER=$VENV.earlier   # a good one, put aside until the one for other requirements is ready
LOG=$VENV/mmfct-install.log
PACKAGES='torch, torchvision, mmengine, mmcv, mmpretrain, mmseg, faiss, lancedb, material, matplotlib'
PACKAGES+=', mkdocs, mkdocstrings, numba, onnx, onnxruntime, pytest, qdrant_client, pytorch_metric_learning, pyarrow, ray.data, safetensors, sklearn, torchjd, xdist, mmfct'

say() { printf '[environment] %s\n' "$*"; }

die() {
    printf '[environment] error: %s\n' "$*" >&2
    exit 1
}

# The Python that runs the tools: that of the environment where there is one that is not half
# made, else whatever is active.
environment_python() {
    if [[ -x $VENV/bin/python && ! (-e $MARKER && ! -s $STAMP) ]]; then
        echo "$VENV/bin/python"
    else
        command -v python || command -v python3 ||
            die 'there is no `python`; make an environment with `bash tools/run_tests.sh`, or activate one'
    fi
}

# Make the environment unless a good one is there. One process at a time; a second one waits and
# finds it made.
ensure_environment() {
    # Packages from outside would hide what is missing inside.
    unset PYTHONPATH PYTHONHOME
    environment_is_good && return
    mkdir -p "$(dirname "$VENV")"
    if command -v flock >/dev/null; then
        exec 9>"$VENV.lock"
        flock -n 9 || { say "waiting for another process that is making $VENV" && flock 9; }
    fi
    environment_is_good || make_environment
    exec 9>&-
}

environment_is_good() {
    [[ -s $STAMP && -x $VENV/bin/python ]] && [[ $(environment_key) == "$(cat "$STAMP")" ]]
}

# What the environment depends on, as one hash. Empty, and so never equal to a stamp, if its Python
# does not run.
environment_key() {
    local depends_on=("$ROOT/constraints.txt" "$ROOT/setup.py" "$ROOT/pyproject.toml" "$ROOT" "$VENV" "$EXTRAS")
    "$VENV/bin/python" - "${depends_on[@]}" <<'EOF' 2>/dev/null || true
import hashlib
import sys

files, words = sys.argv[1:4], sys.argv[4:]
# The settings of tools, which pyproject.toml ends with, do not change what is installed.
parts = [open(file, 'rb').read().partition(b'\n[tool.')[0] for file in files]
parts += [word.encode() for word in words]
parts.append(b'%d.%d' % sys.version_info[:2])
print(hashlib.sha256(b'\0'.join(parts)).hexdigest())
EOF
}

make_environment() {
    local python
    python=$(find_python)
    remove_unfinished
    mkdir -p "$VENV"
    touch "$MARKER"
    say "making $VENV with $("$python" --version 2>&1) (about 6 GB; log: $LOG)"
    export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_USER=0
    local install=("$VENV/bin/python" -m pip install -c "$ROOT/constraints.txt")
    step '1/5 virtual environment' make_venv "$python"
    step '2/5 pip and setuptools' "${install[@]}" pip setuptools
    # torch and torchvision must be of one build, so nothing else takes part in choosing them.
    step '3/5 torch and torchvision' "${install[@]}" torch torchvision
    step "4/5 mmfct[$EXTRAS]" "${install[@]}" --build-constraint "$ROOT/constraints.txt" \
        -e "$ROOT[$EXTRAS]"
    step '5/5 import check' import_check
    environment_key >"$STAMP"
    rm -rf "$EARLIER"
    say "ready: $VENV"
}

# Clear the way: remove what these scripts made and did not finish, keep one for other requirements
# until this one is ready, put aside any other virtual environment, and leave alone what is no
# virtual environment.
remove_unfinished() {
    [[ -e $VENV ]] || return 0
    if [[ -e $MARKER && -s $STAMP ]]; then
        say "$VENV was made from other requirements: keeping it until the new one is ready"
        rm -rf "$EARLIER"
        mv "$VENV" "$EARLIER"
    elif [[ -e $MARKER ]]; then
        say "removing $VENV: unfinished"
        rm -rf "$VENV"
    elif [[ -e $VENV/pyvenv.cfg ]]; then
        local aside
        aside=$VENV.$(date +%Y%m%d-%H%M%S)
        say "$VENV was not made by this script: putting it aside as $aside"
        mv "$VENV" "$aside"
    elif [[ -n $(ls -A "$VENV") ]]; then
        die "$VENV is not a virtual environment; choose another folder with \`MMFCT_VENV\`"
    fi
}

# Print the first Python that is supported and complete. Launchers such as pyenv's put names on the
# PATH that do not run, and a Python built without its optional libraries installs everything and
# then fails in an import. An active environment stands for the Python it was made from, since it
# may be the very one about to be removed.
find_python() {
    local candidate base check='
import bz2, ctypes, lzma, ssl, sys, venv
if not (3, 10) <= sys.version_info < (3, 13):
    sys.exit(1)
print(sys._base_executable)
'
    local candidates=("${MMFCT_PYTHON:-}")
    if [[ -z ${MMFCT_PYTHON:-} ]]; then
        candidates=(python3.11 python3.12 python3.10 python3 python)
        candidates+=("${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/3.1[0-2].*/bin/python)
    fi
    for candidate in "${candidates[@]}"; do
        if base=$("$candidate" -c "$check" 2>/dev/null); then
            echo "$base"
            return
        fi
    done
    if [[ -n ${MMFCT_PYTHON:-} ]]; then
        die "\`MMFCT_PYTHON\` must be a complete Python 3.10, 3.11 or 3.12, got '$MMFCT_PYTHON'"
    fi
    die 'no working Python 3.10, 3.11 or 3.12 found; install one, or name it with' \
        '`MMFCT_PYTHON=/path/to/python`'
}

# Some systems ship Python without ensurepip; there the system's own pip puts the first pip in
# place.
make_venv() {
    "$1" -m venv "$VENV" && return
    echo 'venv with pip failed; once more without'
    "$1" -m venv --without-pip "$VENV"
    local site
    site=$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    "$1" -m pip install -c "$ROOT/constraints.txt" --target "$site" pip
}

# From elsewhere than the checkout, where mmfct would be found without being installed.
import_check() {
    cd / && "$VENV/bin/python" -c "import $PACKAGES"
}

# step TITLE COMMAND...: run with the output in the log; on failure show the end of it and stop.
step() {
    local title=$1 start=$SECONDS
    shift
    say "$title ..."
    printf '\n=== %s: %s\n' "$title" "$*" >>"$LOG"
    # In a subshell of its own, because `set -e` does not reach into a function called by `if`.
    set +e
    (
        set -e
        "$@"
    ) >>"$LOG" 2>&1
    local status=$?
    set -e
    if ((status)); then
        tail -n 30 "$LOG" >&2
        if [[ -e $EARLIER ]]; then
            say "putting the earlier environment back; it has other requirements"
            mv "$LOG" "$EARLIER"
            rm -rf "$VENV"
            mv "$EARLIER" "$VENV"
        fi
        die "step '$title' failed (exit status $status): $*"
    fi
    say "$title: $((SECONDS - start)) s"
}
