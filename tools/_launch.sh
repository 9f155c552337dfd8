# Starts one process per GPU with torchrun. Source it after _environment.sh; do not run it.

# launch GPUS SCRIPT ARGUMENTS...
launch() {
    if ! [[ $1 =~ ^[1-9][0-9]*$ ]]; then
        echo "\`GPUS\` must be a positive number, got '$1'" >&2
        exit 2
    fi
    local python nnodes=${NNODES:-1} port=${PORT:-}
    python=$(environment_python)
    # Several machines must agree on the port beforehand. On one machine, any free port will do, so that jobs do
    # not collide.
    if [[ -z $port ]]; then
        port=29500
        ((nnodes > 1)) || port=$("$python" -c "$FREE_PORT")
    fi
    export PYTHONPATH=$ROOT${PYTHONPATH:+:$PYTHONPATH}
    local meet=(--node-rank="${NODE_RANK:-0}" --master-addr="${MASTER_ADDR:-127.0.0.1}" --master-port="$port")
    if ((nnodes == 1)); then
        # Processes that are started again must not meet in the store of those before, which torch shares by default
        # (2.14): they would look for one another at addresses of the dead.
        export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
        # And after a mistake of the user they leave at once: mmfct/utils/user_errors.py.
        ((${MAX_RESTARTS:-0} == 0)) || export MMFCT_ERROR_FILE=${TMPDIR:-/tmp}/mmfct_error_$$_$RANDOM
        meet=(--rdzv-backend=c10d --rdzv-endpoint="127.0.0.1:$port" --local-addr=127.0.0.1)
        meet+=(--max-restarts="${MAX_RESTARTS:-0}")
    fi
    exec "$python" -m torch.distributed.run --nnodes="$nnodes" --nproc-per-node="$1" "${meet[@]}" \
        "${@:2}" --launcher pytorch
}

FREE_PORT='import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
