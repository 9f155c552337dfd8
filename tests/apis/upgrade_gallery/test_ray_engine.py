"""Tests of upgrades by Ray; those that need it are left out where it is not installed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmfct.apis.upgrade_gallery import ray_engine, upgrade_gallery
from mmfct.retrieval import Gallery, is_complete
from mmfct.retrieval.parquet.convert import write_parquet

ROOT = Path(__file__).parents[3]


def contents(folder) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in Path(folder).iterdir()}


@pytest.fixture(scope='module')
def cluster():
    """A cluster of one machine, to which a test may add others; this process is connected to it as a tool would be."""
    ray = pytest.importorskip('ray', reason='Ray is not installed')
    pytest.importorskip('ray.data', reason='Ray Data is not installed')
    from ray.cluster_utils import Cluster

    # A machine that is gone is noticed in 5 x 0.5 s; one that is only busy has the usual time to answer.
    quick = dict(health_check_initial_delay_ms=0, health_check_period_ms=500, health_check_failure_threshold=5)
    cluster = Cluster(True, head_node_args=dict(num_cpus=1, include_dashboard=False, _system_config=quick))
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('RAY_ADDRESS', cluster.address)
        with ray_engine._connected(ray):
            assert signal.getsignal(signal.SIGTERM) == handler
            yield cluster
    cluster.shutdown()


@pytest.fixture
def wait_until():
    """Function that waits for a condition; Ray takes functions of functions along to its workers."""

    def wait(condition) -> None:
        end = time.monotonic() + 300  # machines and workers start on one that may be busy
        while not condition():
            assert time.monotonic() < end, 'nothing happened'
            time.sleep(0.1)

    return wait


@pytest.mark.slow
def test_stopped_or_refused_on_the_way_it_continues_to_the_same_bytes(cluster, chain, tmp_path):
    many = tmp_path / 'many'
    chain.write_rows(many, rows=400)
    command = [sys.executable, str(ROOT / 'tools/upgrade_gallery.py'), str(many), chain.h12, chain.out]
    environment = os.environ | dict(PYTHONPATH=str(ROOT), RAY_ADDRESS=cluster.address)
    with subprocess.Popen(
        [*command, '--engine', 'ray'], stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        while not Path(chain.out, 'shard-00000.json').exists() and process.poll() is None:
            time.sleep(0.01)
        process.terminate()
        _, error = process.communicate(timeout=60)
    assert process.returncode == 143 and 'run the same command once more' in error, error[-3000:]
    assert not is_complete(chain.out)

    file = many / 'embedding-00049.npy'
    content = file.read_bytes()
    file.write_bytes(content[:-1] + b'?')
    with pytest.raises(ValueError, match=r'embedding-00049.npy must match its checksum, got other content; restore'):
        upgrade_gallery(str(many), [chain.h12], chain.out, engine='ray')
    assert not is_complete(chain.out) and len(list(Path(chain.out).glob('shard-*.json'))) == 49

    file.write_bytes(content)
    upgrade_gallery(str(many), [chain.h12], chain.out)  # another engine may go on
    upgrade_gallery(str(many), [chain.h12], str(tmp_path / 'local'))
    assert contents(chain.out) == contents(tmp_path / 'local')


@pytest.mark.slow
def test_a_machine_that_dies_half_way_leaves_no_trace(cluster, chain, wait_until, tmp_path, monkeypatch):
    pytest.importorskip('pyarrow')
    machine = cluster.add_node(num_cpus=1)
    doomed, notes = machine.node_id, tmp_path / 'notes'
    notes.mkdir()

    def begun() -> int:
        return len(list(notes.glob(f'*-{doomed}')))

    class Upgrader:
        """Holds the others up until the machine is in its second shard, where it stays."""

        def __init__(self, words):
            self.upgrade = ray_engine.ShardUpgrader(words)

        def __call__(self, row):
            import ray

            node = ray.get_runtime_context().get_node_id()
            (notes / f'{row["index"]}-{node}').touch()
            wait_until(lambda: begun() < 2 if node == doomed else begun() == 2)
            return self.upgrade(row)

    def kill():
        wait_until(lambda: begun() == 2)
        cluster.remove_node(machine, allow_graceful=False)

    chain.write_rows(tmp_path / 'many', rows=160)
    write_parquet(Gallery(tmp_path / 'many'), tmp_path / 'many.parquet')
    chain.write_head(tmp_path / 'h', chain.V1, chain.V2, (6, 4, 5), with_uncertainty=True)
    options = dict(batch_size=3, dtype='bfloat16')
    upgrade_gallery(str(tmp_path / 'many'), [str(tmp_path / 'h')], str(tmp_path / 'local'), **options)
    monkeypatch.chdir(tmp_path)  # relative paths are those of this process
    ray = ray_engine.ray_module()
    pool_of = ray.data.ActorPoolStrategy
    with monkeypatch.context() as patch, ThreadPoolExecutor() as pool:
        patch.setattr(ray_engine, 'ShardUpgrader', Upgrader)
        # Two workers from the start: a busy machine may put off a second one.
        patch.setattr(ray.data, 'ActorPoolStrategy', lambda **sizes: pool_of(**sizes | dict(min_size=2)))
        killed = pool.submit(kill)
        upgraded = upgrade_gallery('many.parquet', ['h'], 'out', engine='ray', **options)
        killed.result()
    shards = [note.name.partition('-')[0] for note in notes.iterdir()]
    assert set(shards) == {str(index) for index in range(20)}
    assert len(shards) > 20 and begun() == 2  # what the machine had in hand, another one computed
    assert len(upgraded) == 160 and 'log_variance' in upgraded.columns
    assert contents('out') == contents('local')


@pytest.mark.parametrize('missing', ['ray', 'ray.data'])
def test_without_ray_one_is_told_what_to_install(chain, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r"needs Ray Data; install it with `pip install 'mmfct\[ray\]'`"):
        upgrade_gallery(chain.gallery, [chain.h12], chain.out, engine='ray')
    assert not Path(chain.out).exists()


def test_unknown_engines_and_launchers_are_refused(chain, monkeypatch):
    with pytest.raises(ValueError, match="`engine` must be one of local, ray, got 'spark'"):
        upgrade_gallery(chain.gallery, [chain.h12], chain.out, engine='spark')
    monkeypatch.setattr('mmfct.apis.upgrade_gallery.upgrade.ray_module', lambda: None)
    with pytest.raises(ValueError, match="`launcher` must be 'none' with the engine 'ray', got 'pytorch'"):
        upgrade_gallery(chain.gallery, [chain.h12], chain.out, engine='ray', launcher='pytorch')
    assert not Path(chain.out).exists()


def test_a_worker_upgrades_its_shards_and_reports_errors(chain, tmp_path):
    words = dict(gallery=chain.gallery, transforms=[chain.h12], out=chain.out)
    words |= dict(dtype='float32', batch_size=1024, device='cpu', distance=None)
    worker = ray_engine.ShardUpgrader(words)
    assert worker(dict(index=6, start=48, stop=50)) == dict(rows=2, zero_rows=0, error='', message='')
    Path(chain.gallery, 'id-00002.npy').unlink()
    done = worker(dict(index=2, start=16, stop=24))
    assert (done['rows'], done['error']) == (0, 'FileNotFoundError') and 'got none at' in done['message']
    elsewhere = ray_engine.ShardUpgrader(words | dict(gallery=str(tmp_path / 'none')))
    assert elsewhere(dict(index=0, start=0, stop=8))['error'] == 'FileNotFoundError'


@pytest.mark.parametrize('running', [False, True])
def test_only_a_cluster_of_its_own_is_ended(monkeypatch, running):
    """Ray puts a handler of SIGTERM into the process, which would hide that it was stopped."""
    calls = []

    def init(**options):
        calls.append('init')
        signal.signal(signal.SIGTERM, lambda *_: None)

    ray = SimpleNamespace(is_initialized=lambda: running, init=init, shutdown=lambda: calls.append('shutdown'))
    before = signal.getsignal(signal.SIGTERM)
    with ray_engine._connected(ray):
        assert signal.getsignal(signal.SIGTERM) == before
    assert calls == ([] if running else ['init', 'shutdown'])
