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
    """A cluster of this process alone, to which a test may add machines."""
    ray = pytest.importorskip('ray', reason='Ray is not installed')
    pytest.importorskip('ray.data', reason='Ray Data is not installed')
    from ray.cluster_utils import Cluster

    os.environ['RAY_USAGE_STATS_ENABLED'] = '0'
    handler = signal.getsignal(signal.SIGTERM)
    # A machine that is gone is noticed in 5 x 0.5 s; one that is only busy has the usual time to answer.
    quick = dict(health_check_initial_delay_ms=0, health_check_period_ms=500, health_check_failure_threshold=5)
    cluster = Cluster(True, head_node_args=dict(num_cpus=1, include_dashboard=False, _system_config=quick))
    ray.init(cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()
    signal.signal(signal.SIGTERM, handler)


@pytest.mark.parametrize('source', ['gallery', 'parquet'])
def test_the_same_bytes_as_without_ray(cluster, chain, tmp_path, monkeypatch, source):
    head = str(tmp_path / 'h')
    chain.write_head(head, chain.V1, chain.V2, (6, 4, 5), with_uncertainty=True)
    options = dict(batch_size=3, dtype='bfloat16')
    upgrade_gallery(chain.gallery, [head], str(tmp_path / 'local'), **options)
    monkeypatch.chdir(tmp_path)  # relative paths are those of this process
    if source == 'parquet':
        pytest.importorskip('pyarrow')
        write_parquet(Gallery('v1'), 'v1.parquet')
    upgraded = upgrade_gallery(
        {'gallery': 'v1', 'parquet': 'v1.parquet'}[source], ['h'], 'out', engine='ray', **options
    )
    assert contents('out') == contents('local')
    assert len(upgraded) == 50 and 'log_variance' in upgraded.columns


@pytest.mark.slow
@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGTERM])
def test_stopped_on_the_way_it_continues_to_the_same_bytes(cluster, chain, tmp_path, number):
    chain.write_rows(tmp_path / 'many', rows=400)
    words = [str(tmp_path / 'many'), chain.h12]
    command = [sys.executable, str(ROOT / 'tools/upgrade_gallery.py'), *words, chain.out, '--engine', 'ray']
    environment = os.environ | dict(PYTHONPATH=str(ROOT), RAY_ADDRESS=cluster.address)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        while not Path(chain.out, 'shard-00000.json').exists() and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(number)
        _, error = process.communicate(timeout=60)
    assert process.returncode == {signal.SIGKILL: -9, signal.SIGTERM: 143}[number], error[-3000:]
    assert ('run the same command once more' in error) == (number == signal.SIGTERM)
    assert not is_complete(chain.out)
    engine = {signal.SIGKILL: 'ray', signal.SIGTERM: 'local'}[number]  # either one goes on
    upgrade_gallery(words[0], [words[1]], chain.out, engine=engine)
    upgrade_gallery(words[0], [words[1]], str(tmp_path / 'local'))
    assert contents(chain.out) == contents(tmp_path / 'local')


@pytest.mark.slow
def test_a_machine_that_dies_half_way_leaves_no_trace(cluster, chain, tmp_path, monkeypatch):
    machine = cluster.add_node(num_cpus=1)
    doomed, notes = machine.node_id, tmp_path / 'notes'
    notes.mkdir()

    def wait_until(condition):
        end = time.monotonic() + 300  # two machines start on one that may be busy
        while not condition():
            assert time.monotonic() < end, 'nothing happened'
            time.sleep(0.02)

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

    ray = ray_engine.ray_module()
    pool_of = ray.data.ActorPoolStrategy
    chain.write_rows(tmp_path / 'many', rows=160)
    words = [str(tmp_path / 'many'), [chain.h12]]
    with monkeypatch.context() as patch, ThreadPoolExecutor() as pool:
        patch.setattr(ray_engine, 'ShardUpgrader', Upgrader)
        killed = pool.submit(kill)
        # Two workers from the start: a busy machine may put off a second one.
        patch.setattr(ray.data, 'ActorPoolStrategy', lambda **sizes: pool_of(**sizes | dict(min_size=2)))
        upgrade_gallery(*words, chain.out, engine='ray')
        killed.result()
    shards = [note.name.partition('-')[0] for note in notes.iterdir()]
    assert set(shards) == {str(index) for index in range(20)}
    assert len(shards) > 20 and begun() == 2  # what the machine had in hand, another one computed
    upgrade_gallery(*words, str(tmp_path / 'local'))
    assert contents(chain.out) == contents(tmp_path / 'local')


def test_what_a_worker_finds_wrong_is_said_as_without_ray(cluster, chain):
    file = Path(chain.gallery, 'embedding-00003.npy')
    file.write_bytes(file.read_bytes()[:-1] + b'?')
    with pytest.raises(ValueError, match=r'embedding-00003.npy must match its checksum, got other content; restore'):
        upgrade_gallery(chain.gallery, [chain.h12], chain.out, engine='ray')
    assert not is_complete(chain.out)


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
