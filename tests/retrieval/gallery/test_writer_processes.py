"""Galleries written by several processes, and by processes that are killed without warning."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import mmfct
from mmfct.retrieval import Gallery, is_complete

# Writes the share of one rank and finishes when nothing is pending; SIGKILL at the given fsync.
# Every file takes two, one before it gets its name and one after.
JOB = """
import os, signal, sys
import numpy as np
from mmfct.retrieval import GalleryWriter

path, num_rows, rank, world_size, last_fsync = sys.argv[1], *map(int, sys.argv[2:])
fsync = os.fsync
calls = 0

def counting_fsync(descriptor):
    global calls
    calls += 1
    if calls == last_fsync:
        os.kill(os.getpid(), signal.SIGKILL)
    fsync(descriptor)

os.fsync = counting_fsync
columns = {'old': ('float32', 16), 'label': ('int64', None)}
writer = GalleryWriter(path, columns=columns, num_rows=num_rows, shard_rows=8)
for index, start, stop in writer.pending(rank=rank, world_size=world_size):
    old = np.random.default_rng(index).standard_normal((stop - start, 16))
    writer.write_shard(index, {'old': old, 'label': np.arange(start, stop)})
    print(index, flush=True)
if world_size == 1:
    writer.finish()
"""


def _start(path, num_rows, *, rank=0, world_size=1, last_fsync=0) -> subprocess.Popen:
    numbers = (num_rows, rank, world_size, last_fsync)
    return subprocess.Popen(
        [sys.executable, '-c', JOB, str(path), *map(str, numbers)],
        stdout=subprocess.PIPE,
        env={**os.environ, 'PYTHONPATH': str(Path(mmfct.__file__).parents[1])},
    )


def _run(path, num_rows, **options) -> int:
    with _start(path, num_rows, **options) as job:
        return job.wait()


def _files(path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


@pytest.fixture(scope='module')
def expected(tmp_path_factory) -> dict[str, bytes]:
    """The files that one uninterrupted process writes, three shards."""
    path = tmp_path_factory.mktemp('expected')
    assert _run(path, 20) == 0
    return _files(path)


# 1, 2: the first manifest. 3 to 8: the first of three shards. 21, 22: the last manifest.
@pytest.mark.parametrize('last_fsync', [1, 2, 3, 4, 5, 7, 8, 15, 20, 21, 22])
def test_a_job_killed_at_any_step_continues_to_the_same_bytes(last_fsync, tmp_path, expected):
    assert _run(tmp_path, 20, last_fsync=last_fsync) == -signal.SIGKILL
    assert is_complete(tmp_path) == (last_fsync == 22)
    assert _run(tmp_path, 20) == 0
    assert _files(tmp_path) == expected


def test_a_job_killed_at_random_moments_continues_to_the_same_bytes(tmp_path):
    rows, moments = 8 * 80, random.Random(0)
    path, uninterrupted = tmp_path / 'killed', tmp_path / 'uninterrupted'
    for _ in range(5):
        with _start(path, rows) as job:
            for _ in range(moments.randint(1, 10)):
                job.stdout.readline()
            time.sleep(moments.uniform(0, 0.01))  # anywhere within the next shard
            job.kill()
            assert job.wait() == -signal.SIGKILL
        assert not is_complete(path)
    assert _run(path, rows) == _run(uninterrupted, rows) == 0
    assert _files(path) == _files(uninterrupted)
    assert len(Gallery(path)) == rows


def test_processes_write_one_gallery_together(tmp_path, expected):
    jobs = [_start(tmp_path, 20, rank=rank, world_size=2) for rank in range(2)]
    for job in jobs:
        with job:
            assert job.wait() == 0
    assert not is_complete(tmp_path)
    assert _run(tmp_path, 20) == 0
    assert _files(tmp_path) == expected
