"""Several processes with a GPU each: nccl, and workers of Ray."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mmfct.apis.upgrade_gallery import upgrade_gallery
from mmfct.models.heads import TransformationHead
from mmfct.retrieval import Gallery
from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance
from mmfct.retrieval.transform.file import TransformDescription, write_transform

from .ranks import CASES, outcomes

NEEDS_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU that torch can use')


def free_port() -> str:
    """A port on which the ranks find one another."""
    with socket.socket() as found:
        found.bind(('127.0.0.1', 0))
        return str(found.getsockname()[1])


@pytest.mark.parametrize('place', ['cpu', pytest.param('cuda', marks=[pytest.mark.gpu, NEEDS_GPU])])
def test_ranks_compute_what_one_process_on_the_cpu_computes(place, on_cpu, tmp_path):
    ranks = torch.cuda.device_count() if place == 'cuda' else 1
    command = [sys.executable, str(Path(__file__).with_name('ranks.py')), str(tmp_path)]
    shared = dict(OMP_NUM_THREADS='1', WORLD_SIZE=str(ranks), MASTER_ADDR='127.0.0.1', MASTER_PORT=free_port())
    if place == 'cpu':
        shared['CUDA_VISIBLE_DEVICES'] = ''
    processes = [
        subprocess.Popen(command, env=os.environ | shared | dict(RANK=str(rank), LOCAL_RANK=str(rank)))
        for rank in range(ranks)
    ]
    try:
        assert [process.wait(timeout=300) for process in processes] == [0] * ranks
    finally:
        for process in processes:
            process.kill()
    with on_cpu():
        expected = outcomes(str(tmp_path / 'alone'), 0, 1)
    for rank in range(ranks):
        found = torch.load(tmp_path / f'rank{rank}.pt', weights_only=True)
        assert (found['device'], found['backend']) == (('cuda', 'nccl') if place == 'cuda' else ('cpu', 'gloo'))
        assert found['scores'] == pytest.approx(expected['scores'], abs=1e-12)
        for case in CASES:
            for name, value in expected[case].items():
                torch.testing.assert_close(found[case][name], value, rtol=1e-4, atol=1e-5, msg=f'{case}: {name}')


@pytest.mark.gpu
@NEEDS_GPU
@pytest.mark.parametrize('dtype', ['float32', 'float16'])
def test_workers_of_ray_have_a_gpu_each(make_gallery, tmp_path, monkeypatch, dtype):
    ray = pytest.importorskip('ray', reason='Ray is not installed')
    pytest.importorskip('ray.data', reason='Ray Data is not installed')
    gpus = torch.cuda.device_count()
    gallery = make_gallery('v1', 'v1', np.random.default_rng(0).standard_normal((400, 6)), shard_rows=50)
    head, old = TransformationHead(6, 6, 5, hidden_dims=8), Provenance.from_metadata(Gallery(gallery).metadata)
    widths = dict(old_dims=6, side_dims=6, new_dims=5)
    description = TransformDescription(old=old.embedding, new=ModelIdentity('v2', '2' * 64), side=None, **widths)
    write_transform(tmp_path / 'h', head.eval().state_dict(), description)
    words = str(gallery), [str(tmp_path / 'h')]
    local = upgrade_gallery(*words, str(tmp_path / 'local'), device='cuda', dtype=dtype)
    monkeypatch.setenv('RAY_USAGE_STATS_ENABLED', '0')
    ray.init(num_cpus=2, num_gpus=gpus, include_dashboard=False, log_to_driver=False)
    try:
        spread = upgrade_gallery(*words, str(tmp_path / 'ray'), engine='ray', device='cuda', dtype=dtype)
    finally:
        ray.shutdown()
    assert Gallery(tmp_path / 'ray').fingerprint == Gallery(tmp_path / 'local').fingerprint
    assert np.array_equal(spread.column('embedding'), local.column('embedding'))
