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
import torch

from mmfct.apis.export_transform import export_transform
from mmfct.apis.extract_gallery import extract_gallery
from mmfct.apis.upgrade_gallery import upgrade_gallery
from mmfct.retrieval import Gallery, GalleryWriter, fingerprint_state_dict, is_complete
from mmfct.retrieval.atomic_files import file_sha256
from mmfct.retrieval.provenance import ModelIdentity, Provenance
from mmfct.retrieval.transform_description import TransformDescription
from mmfct.retrieval.transform_file import write_transform

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | dict(PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1')

# Imports everything once and then forks: a job that is killed must be cheap to start again. Kills at random moments
# after the models are loaded; a job that is done by then is compared with one that was left alone, and the next one
# starts afresh.
KILLS = """
import gc, json, os, random, signal, sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
import mmfct.apis.extract_gallery as extract
import mmfct.apis.upgrade_gallery as upgrade
from mmfct.apis.gallery_job import write_gallery

reader, writer = os.pipe()

def announced(*arguments):
    os.write(writer, b'!')
    return write_gallery(*arguments)

extract.write_gallery = upgrade.write_gallery = announced
kind, words, root, kills = sys.argv[1], json.loads(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])

def job(out):
    if kind == 'extract':
        return extract.extract_gallery(*words, out, shard_rows=3, batch_size=2)
    return upgrade.upgrade_gallery(*words, out, batch_size=2)

def start(out):
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        job(out)
        status = 0
    finally:
        os._exit(status)

def files(out):
    return {file.name: file.read_bytes() for file in out.iterdir()}

job(root / 'whole')  # the first one also imports what is imported late
seconds = job(root / 'again').seconds
os.read(reader, 2)
gc.freeze()  # what is imported is not searched for garbage by every data set
expected = files(root / 'whole')
assert files(root / 'again') == expected
moments, killed, finished, states = random.Random(0), 0, 0, set()
while killed < kills or not finished:
    out = root / f'killed_{finished}'
    child = start(out)
    os.read(reader, 1)
    time.sleep(moments.uniform(0, 1.5 * seconds))
    if killed < kills:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if status == 0:
        assert files(out) == expected, sorted(files(out))
        finished += 1
    else:
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, status
        killed += 1
        states.add((finished, tuple(sorted(file.name for file in out.iterdir())) if out.exists() else ()))

for number in range(5):  # two processes that do the same job
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


@pytest.fixture(scope='module')
def upgrade(upgrade_project, tmp_path_factory) -> list:
    """First two arguments of `upgrade_gallery`: a gallery in four shards, and transforms."""
    root, project = tmp_path_factory.mktemp('faults'), upgrade_project
    extract_gallery(project.config['transform'], project.checkpoint['old'], root / 'v1', shard_rows=3)
    transform = root / 'h.safetensors'
    export_transform(project.config['transform'], project.checkpoint['transform'], transform)
    return [str(root / 'v1'), [str(transform)]]


@pytest.mark.slow
@pytest.mark.parametrize(('kind', 'kills'), [('extract', 20), ('upgrade', 50)])
def test_killed_and_doubled_jobs_give_the_same_bytes(kind, kills, upgrade, upgrade_project, tmp_path):
    extract = [upgrade_project.config['transform'], upgrade_project.checkpoint['old']]
    words = extract if kind == 'extract' else upgrade
    with start(KILLS, kind, json.dumps(words), str(tmp_path), str(kills)) as process:
        output, error = process.communicate()
    assert process.returncode == 0, error[-3000:]
    result = json.loads(output.splitlines()[-1])
    assert result['killed'] == kills and result['finished'] >= 1
    assert result['states'] >= 7  # so many different things were left behind


# Runs in a mount namespace of its own; the file system is gone with it.
FULL_DISK = """
import json, subprocess, sys
from pathlib import Path
from mmfct.apis.upgrade_gallery import upgrade_gallery
from mmfct.retrieval import is_complete

words, disk = json.loads(sys.argv[1]), Path(sys.argv[2])
subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=60k', 'tmpfs', disk], check=True)
try:
    upgrade_gallery(*words, disk / 'v2')
except OSError as error:
    print(error)
names = sorted(file.name for file in (disk / 'v2').iterdir())
assert not is_complete(disk / 'v2') and not [name for name in names if name.endswith('.tmp')], names
subprocess.run(['mount', '-o', 'remount,size=16m', disk], check=True)
job = upgrade_gallery(*words, disk / 'v2')
print(job.computed, {file.name: file.read_bytes() for file in (disk / 'v2').iterdir()} == eval(sys.stdin.read()))
"""


def test_a_full_disk_ends_the_job_which_goes_on_when_there_is_room(upgrade, tmp_path):
    can_mount = ['unshare', '--user', '--map-root-user', '--mount', 'mount', '-t', 'tmpfs', 'tmpfs', str(tmp_path)]
    try:
        subprocess.run(can_mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip('no small file system can be made here')
    upgrade_gallery(*upgrade, tmp_path / 'whole')
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
    computed, equal = done.stdout.splitlines()[-1].split()
    assert 0 < int(computed) < 11 and equal == 'True'


@pytest.fixture(scope='module')
def wide_upgrade(tmp_path_factory) -> list:
    """A gallery of 2 GB in 32 shards, on disk one sparse file under as many names, and a transform for it."""
    root = tmp_path_factory.mktemp('wide')
    rows, width, shards = 2**14, 1024, 32
    one, two = ModelIdentity('one', '1' * 64), ModelIdentity('two', '2' * 64)
    layers = dict(old_branch=[width, 8], side_branch=[width, 8], mixer=[16, 8])
    shapes = TransformDescription('h', '', one, two, None, layers).shapes()
    tensors = {name: torch.ones(shape) for name, shape in shapes.items()}
    description = TransformDescription('h', fingerprint_state_dict(tensors), one, two, None, layers)
    write_transform(root / 'h.safetensors', description, tensors)
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
print(upgrade_gallery(*words, out).computed)
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
    assert output.split()[-1] == str(2**19)
    assert len(Gallery(tmp_path / 'v2')) == 2**19


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_command_says_how_to_go_on(wide_upgrade, tmp_path, number):
    path, (transform,) = wide_upgrade
    command = [sys.executable, str(ROOT / 'tools/upgrade_gallery.py'), path, transform, str(tmp_path / 'v2')]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        while not (tmp_path / 'v2/shard-00001.json').exists() and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(number)
        _, error = process.communicate()
    assert process.returncode == 128 + number, error[-3000:]
    assert f'{number.name}: stopped; run the same command again' in error
    assert not is_complete(tmp_path / 'v2')
    assert not list((tmp_path / 'v2').glob('*.tmp'))


@pytest.mark.slow
def test_ranks_share_the_shards(upgrade, upgrade_project, tmp_path):
    project = upgrade_project
    words = dict(
        extract=[project.config['transform'], project.checkpoint['old'], str(tmp_path / 'v1'), '--shard-rows', '3'],
        upgrade=[upgrade[0], *upgrade[1], str(tmp_path / 'v2')],
    )
    upgrade_gallery(*upgrade, tmp_path / 'whole')
    for tool, arguments in words.items():
        launch = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node=2']
        command = [*launch, str(ROOT / f'tools/{tool}_gallery.py'), *arguments, '--launcher', 'pytorch']
        done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)
        assert done.returncode == 0, done.stderr[-3000:]
        assert done.stdout.count('6 items in') == 1  # of eleven; the other rank is silent
    assert files_of(tmp_path / 'v1') == files_of(Path(upgrade[0]))
    assert files_of(tmp_path / 'v2') == files_of(tmp_path / 'whole')
