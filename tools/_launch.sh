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
    exec "$python" -m torch.distributed.run \
        --nnodes="$nnodes" --node-rank="${NODE_RANK:-0}" --nproc-per-node="$1" \
        --master-addr="${MASTER_ADDR:-127.0.0.1}" --master-port="$port" --max-restarts="${MAX_RESTARTS:-0}" \
        "${@:2}" --launcher pytorch
}

FREE_PORT='import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
