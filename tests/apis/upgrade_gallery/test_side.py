"""Upgrades with side-information that is stored apart equal those of a gallery that has it."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from mmfct.apis.upgrade_gallery import estimate_upgrade, upgrade_gallery, upgrade_into_store
from mmfct.apis.upgrade_gallery.job import UpgradeJob
from mmfct.apis.upgrade_gallery.ray_engine import ShardUpgrader
from mmfct.retrieval import Gallery, GalleryWriter
from mmfct.retrieval.gallery.provenance import Provenance
from mmfct.retrieval.source import open_source
from mmfct.retrieval.stores.options import SourceOptions


@pytest.fixture
def apart(chain, tmp_path):
    """The gallery of ``chain`` without its side-information, that in another order, and how to find it."""
    rows = chain.columns
    writer = GalleryWriter(
        tmp_path / 'bare',
        columns=dict(embedding=('float32', 6), id=(rows['id'].dtype.str, None), label=('int64', None)),
        num_rows=50,
        shard_rows=8,
        metadata=Provenance(chain.V1, None).to_metadata(),
    )
    for index, start, stop in writer.pending():
        writer.write_shard(index, {name: rows[name][start:stop] for name in ('embedding', 'id', 'label')})
    writer.finish()
    order = np.random.default_rng(0).permutation(50)
    np.save(tmp_path / 'apart.npy', rows['side_info'][order])
    (tmp_path / 'apart.ids.txt').write_text('\n'.join(rows['id'][order]))
    side = dict(side=str(tmp_path / 'apart.npy'), side_model='simclr', side_fingerprint=chain.SIDE.fingerprint)
    return str(tmp_path / 'bare'), SourceOptions(**side)


@pytest.fixture
def wanted(chain, tmp_path):
    """What a gallery with its side-information in a column becomes."""
    return upgrade_gallery(chain.gallery, [chain.h12, chain.h23], str(tmp_path / 'wanted'), device='cpu')


def check(out, wanted):
    got = Gallery(out)
    assert np.array_equal(got.column('embedding'), wanted.column('embedding'))
    assert np.array_equal(got.column('label'), wanted.column('label'))
    # It stays where it is.
    assert 'side_info' not in got.columns and Provenance.from_metadata(got.metadata).side_info is None
    return got


def test_upgrade_and_resume(chain, apart, wanted, tmp_path, monkeypatch):
    path, options = apart
    words = (path, [chain.h12, chain.h23])
    assert estimate_upgrade(*words, options=options).vectors == 50
    got = upgrade_gallery(*words, chain.out, device='cpu', options=options)
    check(chain.out, wanted)
    assert upgrade_gallery(*words, chain.out, device='cpu', options=options).fingerprint == got.fingerprint
    assert got.metadata['upgraded_from'] == open_source(path).fingerprint
    # Other side-information is another upgrade.
    side = np.load(options.side)
    np.save(options.side, side + 1)
    with pytest.raises(ValueError, match='side_info_from'):
        upgrade_gallery(*words, chain.out, device='cpu', options=options)


def test_a_chain_in_two_steps_needs_it_twice(chain, apart, tmp_path):
    path, options = apart
    upgrade_gallery(path, [chain.h12], chain.out, device='cpu', options=options)
    third = str(tmp_path / 'h')
    chain.write_head(third, chain.V2, chain.V3, (5, 4, 7))
    with pytest.raises(ValueError, match='needs side-information of simclr .* with none: name its .* `--side`'):
        upgrade_gallery(chain.out, [third], str(tmp_path / 'v3'), device='cpu')
    got = upgrade_gallery(chain.out, [third], str(tmp_path / 'v3'), device='cpu', options=options)
    wanted = upgrade_gallery(chain.gallery, [chain.h12, third], str(tmp_path / 'wanted'), device='cpu')
    np.testing.assert_allclose(got.column('embedding'), wanted.column('embedding'), rtol=1e-4, atol=1e-5)


def test_workers_and_ranks(chain, apart, wanted):
    path, options = apart
    words = dict(gallery=path, transforms=[chain.h12, chain.h23], out=chain.out, options=options)
    words = pickle.loads(pickle.dumps(words | dict(dtype='float32', batch_size=1024, device='cpu', distance=None)))
    job = UpgradeJob(**words)
    workers = [pickle.loads(pickle.dumps(ShardUpgrader(words))) for _ in range(2)]
    for rank, worker in enumerate(workers):
        for shard in job.writer.pending(rank=rank, world_size=2):
            assert worker(shard._asdict())['error'] == ''
    job.writer.finish()
    check(chain.out, wanted)


def test_ray_gets_paths_that_hold_on_every_machine(chain, apart, tmp_path, monkeypatch):
    path, options = apart
    given = []

    def upgrade_on_ray(words, shards, advance, gpus):
        given.append(words['options'].side)
        worker = ShardUpgrader(words)
        assert all(worker(shard._asdict())['error'] == '' for shard in shards)
        return 0

    monkeypatch.setattr('mmfct.apis.upgrade_gallery.upgrade.upgrade_on_ray', upgrade_on_ray)
    monkeypatch.setattr('mmfct.apis.upgrade_gallery.upgrade.ray_module', lambda: None)
    monkeypatch.chdir(tmp_path)
    relative = SourceOptions(side='apart.npy', side_model='simclr', side_fingerprint=options.side_fingerprint)
    upgrade_gallery(path, [chain.h12], chain.out, device='cpu', engine='ray', options=relative)
    assert given == [str(tmp_path / 'apart.npy')]


@pytest.mark.parametrize('kind', ['lancedb', 'qdrant'])
def test_into_a_database_and_in_place(chain, apart, tmp_path, kind):
    pytest.importorskip('lancedb' if kind == 'lancedb' else 'qdrant_client')
    path, options = apart
    address = f'{kind}:{tmp_path}/db/v2'
    upgrade_into_store(path, [chain.h12], address, device='cpu', options=options)
    expected = upgrade_gallery(path, [chain.h12], chain.out, device='cpu', options=options).column('embedding')
    source = open_source(address)  # its notes say which model made it
    assert 'side_info' not in source.columns and Provenance.from_metadata(source.metadata).side_info is None
    found = dict(zip(source.column('id').tolist(), source.column('embedding'), strict=True))
    if kind == 'lancedb':
        for name, vector in zip(chain.columns['id'].tolist(), expected, strict=True):
            np.testing.assert_allclose(found[name], vector, rtol=1e-4, atol=1e-5)
        third = str(tmp_path / 'h')
        chain.write_head(third, chain.V2, chain.V3, (5, 4, 7))
        for _ in range(2):
            notes = upgrade_into_store(address, [third], f'{address}#v3', device='cpu', options=options)
        assert notes.complete and notes.metadata['side_info_model'] is None


def test_what_is_not_used_is_said(chain, apart, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr('mmfct.apis.upgrade_gallery.rows.print_log', lambda text, *_: said.append(text))
    path, options = apart
    chain.write_head(str(tmp_path / 'h'), chain.V1, chain.V2, (6, 6, 5), side=None)
    upgrade_gallery(path, [str(tmp_path / 'h')], chain.out, device='cpu', options=options)
    assert said == [f'{options.side} is not used: no transform takes side-information']


def test_the_tool(chain, apart, wanted, run_tool, capsys):
    path, options = apart
    words = [path, chain.h12, chain.h23, chain.out, '--device', 'cpu', '--side', options.side]
    assert run_tool('upgrade_gallery.py', *words) == 2
    assert 'needs side-information of simclr' in capsys.readouterr().err
    words += ['--side-model', 'simclr', '--side-fingerprint', options.side_fingerprint]
    assert run_tool('upgrade_gallery.py', *words, '--dry-run') == 0
    assert 'vectors          50' in capsys.readouterr().out
    assert run_tool('upgrade_gallery.py', *words) == 0
    check(chain.out, wanted)
