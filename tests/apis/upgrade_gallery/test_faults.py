"""Extraction and upgrade under what happens to long jobs: kills, full disks, signals, second processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from mmfct.apis.extract_gallery import extract_gallery
from mmfct.apis.upgrade_gallery import upgrade_gallery
from mmfct.models.heads import TransformationHead
from mmfct.retrieval import Gallery, GalleryWriter, is_complete
from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance
from mmfct.retrieval.transform.file import TransformDescription, write_transform
from mmfct.utils.files import file_sha256

ROOT = Path(__file__).parents[3]
ENVIRONMENT = os.environ | dict(PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1')

# Imports everything once and then forks: a job that is killed must be cheap to start again. Kills at random moments
# after the models are loaded; a job that is done by then is compared with one that was left alone, and the next one
# starts afresh.
KILLS = """
import gc, json, os, random, signal, sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
from mmfct.apis.extract_gallery import extract, extract_gallery

words, options, root, kills = *map(json.loads, sys.argv[1:3]), Path(sys.argv[3]), int(sys.argv[4])
reader, writer = os.pipe()
fill_shards = extract.fill_shards

def announced(*arguments, **rest):
    global began
    began = time.perf_counter()
    os.write(writer, b'!')
    return fill_shards(*arguments, **rest)

extract.fill_shards = announced

def start(out):
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        extract_gallery(*words, str(out), **options)
        status = 0
    finally:
        os._exit(status)

def files(out):
    return {file.name: file.read_bytes() for file in out.iterdir()}

for name in ('whole', 'again'):  # the first one also imports what is imported late
    extract_gallery(*words, str(root / name), **options)
    seconds = time.perf_counter() - began
os.read(reader, 2)
gc.freeze()  # what is imported is not searched for garbage by every data set
expected = files(root / 'whole')
assert files(root / 'again') == expected
moments, killed, finished, states = random.Random(0), 0, 0, set()
while killed < kills or not finished:
    out = root / f'killed_{finished}'
    child = start(out)
    os.read(reader, 1)
    time.sleep(moments.uniform(0, seconds))
    if killed < kills:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if status == 0:
        assert files(out) == expected, sorted(files(out))
        finished += 1
    else:
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, status
        killed += 1
        states.add((finished, tuple(sorted(file.name for file in out.iterdir()))))
for number in range(3):  # two processes that do the same job
    out = root / f'twice_{number}'
    children = [start(out) for _ in range(2)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    assert files(out) == expected, sorted(files(out))
print(json.dumps(dict(killed=killed, finished=finished, states=len(states))))
"""


def start(code: str, *words: str) -> subprocess.Popen:
    """Start a Python process with this code."""
    command = [sys.executable, '-c', code, *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)


def files_of(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


@pytest.mark.slow
def test_killed_and_doubled_extractions_give_the_same_bytes(digits, tmp_path):
    words = [digits.config, str(digits.root / 'resnet10_digits_old/final.pth')]
    options = dict(cfg_options=digits.cfg_options, shard_rows=100)
    with start(KILLS, json.dumps(words), json.dumps(options), str(tmp_path), '15') as process:
        output, error = process.communicate()
    assert process.returncode == 0, error[-3000:]
    result = json.loads(output.splitlines()[-1])
    assert result['killed'] == 15 and result['finished'] >= 1
    assert result['states'] >= 5  # so many different things were left behind


# Runs in a mount namespace of its own; the file system is gone with it.
FULL_DISK = """
import json, subprocess, sys
from pathlib import Path
from mmfct.apis.upgrade_gallery import upgrade_gallery
from mmfct.retrieval import is_complete

words, disk = json.loads(sys.argv[1]), Path(sys.argv[2])
subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=60k', 'tmpfs', disk], check=True)
try:
    upgrade_gallery(*words, str(disk / 'v2'))
except OSError as error:
    print(error)
names = sorted(file.name for file in (disk / 'v2').iterdir())
assert not is_complete(disk / 'v2') and not [name for name in names if name.endswith('.tmp')], names
subprocess.run(['mount', '-o', 'remount,size=16m', disk], check=True)
done = len([name for name in names if name.startswith('shard-')])
upgrade_gallery(*words, str(disk / 'v2'))
print(done, {file.name: file.read_bytes() for file in (disk / 'v2').iterdir()} == eval(sys.stdin.read()))
"""


def test_a_full_disk_ends_the_job_which_goes_on_when_there_is_room(chain, tmp_path):
    can_mount = ['unshare', '--user', '--map-root-user', '--mount', 'mount', '-t', 'tmpfs', 'tmpfs', str(tmp_path)]
    try:
        subprocess.run(can_mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip('no small file system can be made here')
    upgrade = [chain.gallery, [chain.h12]]
    upgrade_gallery(*upgrade, str(tmp_path / 'whole'))
    (tmp_path / 'disk').mkdir()
    words = [sys.executable, '-c', FULL_DISK, json.dumps(upgrade), str(tmp_path / 'disk')]
    done = subprocess.run(
        ['unshare', '--user', '--map-root-user', '--mount', *words],
        input=repr(files_of(tmp_path / 'whole')),
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert '[Errno 28] No space left on device' in done.stdout
    written, equal = done.stdout.splitlines()[-1].split()
    assert 0 < int(written) < 7 and equal == 'True'


@pytest.fixture(scope='module')
def wide_upgrade(tmp_path_factory) -> list:
    """A gallery of 1 GB in 16 shards, on disk one sparse file under as many names, and a transform for it."""
    root = tmp_path_factory.mktemp('wide')
    rows, width, shards = 2**14, 1024, 16
    one, two = ModelIdentity('one', '1' * 64), ModelIdentity('two', '2' * 64)
    head = TransformationHead(width, width, 4, hidden_dims=8)
    head.old_branch, head.side_branch = (head.old_branch.__class__(nn.Linear(width, 8)) for _ in range(2))
    widths = dict(old_dims=width, side_dims=width, new_dims=4)
    write_transform(root / 'h.safetensors', head.state_dict(), TransformDescription(one, two, None, **widths))
    writer = GalleryWriter(
        root / 'v1',
        columns=dict(embedding=('float32', width)),
        num_rows=rows * shards,
        shard_rows=rows,
        metadata=Provenance(one).to_metadata(),
    )
    first = root / 'v1/embedding-00000.npy'
    with first.open('wb') as file:
        np.lib.format.write_array_header_1_0(file, dict(descr='<f4', fortran_order=False, shape=(rows, width)))
        file.truncate(file.tell() + 4 * rows * width)
    entry = dict(bytes=first.stat().st_size, sha256=file_sha256(first))
    for index, start, stop in writer.shards:
        name = f'embedding-{index:05d}.npy'
        if index:
            os.link(first, root / 'v1' / name)
        record = dict(start=start, stop=stop, files=dict(embedding=dict(entry, name=name)))
        manifest = json.loads((root / 'v1/manifest.json').read_text())
        manifest['shards'].append(record)
        (root / 'v1/manifest.json').write_text(json.dumps(manifest | dict(complete=index == shards - 1)))
    return [str(root / 'v1'), [str(root / 'h.safetensors')]]


BOUNDED = """
import json, resource, sys
from mmfct.apis.upgrade_gallery import upgrade_gallery

words, out, limit = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3])
pages = int(open('/proc/self/statm').read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + limit,) * 2)
print(len(upgrade_gallery(*words, out)))
"""


@pytest.mark.skipif(not Path('/proc/self/statm').exists(), reason='needs the size of a process')
@pytest.mark.parametrize(('limit', 'fits'), [(2**28, True), (2**25, False)])
def test_memory_does_not_grow_with_the_gallery(wide_upgrade, tmp_path, limit, fits):
    with start(BOUNDED, json.dumps(wide_upgrade), str(tmp_path / 'v2'), str(limit)) as process:
        output, error = process.communicate()
    if not fits:  # the limit is one: not even a shard of 64 MB can be mapped
        assert process.returncode and 'Cannot allocate memory' in error
        return
    assert process.returncode == 0, error[-3000:]
    assert output.split()[-1] == str(2**18)
    assert len(Gallery(tmp_path / 'v2')) == 2**18


def test_a_stopped_command_says_how_to_go_on(wide_upgrade, tmp_path):
    path, (transform,) = wide_upgrade
    command = [sys.executable, str(ROOT / 'tools/upgrade_gallery.py'), path, transform, str(tmp_path / 'v2')]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        while not (tmp_path / 'v2/shard-00001.json').exists() and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate()
    assert process.returncode == 128 + signal.SIGINT, error[-3000:]
    assert 'run the same command once more and it continues where it stopped' in error
    assert not is_complete(tmp_path / 'v2')
    assert not list((tmp_path / 'v2').glob('*.tmp'))


# Two tools on each rank; either would end it.
TOOLS = """
import json, os, runpy, sys
from mmfct.apis import extract_gallery, upgrade_gallery
from mmfct.utils import launch

rank = '0' if os.fork() else '1'
os.environ |= dict(RANK=rank, LOCAL_RANK=rank)
leave_ranks, launch.leave_ranks = launch.leave_ranks, lambda: None
for sys.argv in json.loads(sys.argv[1]):
    runpy.run_path(sys.argv[0], run_name='__main__')
leave_ranks()
"""


@pytest.mark.slow
def test_ranks_share_the_shards(digits, chain, run_ranks, tmp_path):
    checkpoint, out = str(digits.root / 'resnet10_digits_old/final.pth'), str(tmp_path / 'old')
    options = [f'{key}={value}' for key, value in digits.cfg_options.items()]
    words = dict(
        extract=[digits.config, checkpoint, out, '--shard-rows', '100', '--cfg-options', *options],
        upgrade=[chain.gallery, chain.h12, chain.out],
    )
    extract_gallery(*words['extract'][:2], str(tmp_path / 'alone'), shard_rows=100, cfg_options=digits.cfg_options)
    upgrade_gallery(chain.gallery, [chain.h12], str(tmp_path / 'whole'))
    tools = [[str(ROOT / f'tools/{tool}_gallery.py'), '--launcher', 'pytorch', *words[tool]] for tool in words]
    output = run_ranks('-c', TOOLS, json.dumps(tools), folder=tmp_path)
    assert output.count('ms per item') == 2  # the other rank is silent
    for ours, theirs in ((chain.out, 'whole'), (out, 'alone')):
        assert files_of(Path(ours)) == files_of(tmp_path / theirs)
