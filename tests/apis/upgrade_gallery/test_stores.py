"""Upgrades of vectors of other programs equal that of a gallery with the same rows."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from mmfct.apis.upgrade_gallery import estimate_upgrade, upgrade_gallery
from mmfct.apis.upgrade_gallery.job import UpgradeJob
from mmfct.apis.upgrade_gallery.ray_engine import ShardUpgrader
from mmfct.retrieval import Gallery
from mmfct.retrieval.gallery.provenance import Provenance
from mmfct.retrieval.stores.address import absolute_source
from mmfct.retrieval.stores.options import SourceOptions


def write_npy(folder, rows):
    np.save(folder / 'v1.npy', rows['embedding'])
    np.save(folder / 'v1.side.npy', rows['side_info'])
    (folder / 'v1.ids.txt').write_text('\n'.join(rows['id'].tolist()))
    np.save(folder / 'v1.labels.npy', rows['label'])
    return str(folder / 'v1.npy')


def table(rows):
    pa = pytest.importorskip('pyarrow')
    vectors = {
        name: pa.FixedSizeListArray.from_arrays(pa.array(rows[name].ravel()), rows[name].shape[1])
        for name in ('embedding', 'side_info')
    }
    return pa.table(vectors | dict(id=rows['id'].tolist(), label=rows['label']))


def write_parquet(folder, rows):
    pytest.importorskip('pyarrow.parquet').write_table(table(rows), folder / 'v1.parquet', row_group_size=7)
    return str(folder / 'v1.parquet')


def write_lance(folder, rows):
    pytest.importorskip('lancedb').connect(folder / 'lance').create_table('v1', table(rows))
    return f'lancedb:{folder}/lance/v1'


def write_qdrant(folder, rows):
    qdrant = pytest.importorskip('qdrant_client')
    models = qdrant.models
    client = qdrant.QdrantClient(path=str(folder / 'qdrant'))
    params = {
        name: models.VectorParams(size=rows[name].shape[1], distance='Euclid') for name in ('embedding', 'side_info')
    }
    client.create_collection('v1', vectors_config=params)
    points = [
        models.PointStruct(
            id=row,
            vector={name: rows[name][row].tolist() for name in params},
            payload=dict(label=int(rows['label'][row]), name=rows['id'][row].item()),
        )
        for row in range(len(rows['id']))
    ]
    client.upsert('v1', points)
    client.close()
    return f'qdrant:{folder}/qdrant/v1'


@pytest.fixture(params=[write_npy, write_parquet, write_lance, write_qdrant])
def store(request, chain, tmp_path):
    """The rows of the gallery in a store, and how to read them."""
    folder = tmp_path / 'store'
    folder.mkdir()
    models = dict(model='v1', fingerprint=chain.V1.fingerprint, side_model='simclr')
    models['side_fingerprint'] = chain.SIDE.fingerprint
    options = SourceOptions(**models, distance='l2', shard_rows=9)
    return request.param(folder, chain.columns), options


def check(out, chain, store, tmp_path):
    wanted = upgrade_gallery(chain.gallery, [chain.h12, chain.h23], str(tmp_path / 'wanted'))
    got = Gallery(out)
    names = ['embedding', 'side_info', 'label']
    names += [] if store[0].startswith('qdrant') else ['id']
    for name in names:
        assert np.array_equal(got.column(name), wanted.column(name))
    assert Provenance.from_metadata(got.metadata).embedding == chain.V3
    return got


def test_upgrade(chain, store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / 'store')
    path, options = store
    upgrade_gallery(path, [chain.h12, chain.h23], chain.out, options=options)
    got = check(chain.out, chain, store, tmp_path)
    assert got.metadata['read_from']['kind'] in ('npy', 'parquet', 'lancedb', 'qdrant')
    # Nothing is left to do, by the same fingerprint of the source.
    upgrade_gallery(path, [chain.h12, chain.h23], chain.out, options=options)
    assert estimate_upgrade(path, [chain.h12, chain.h23], options=options).vectors == 50


def test_workers_and_ranks(chain, store, tmp_path):
    path, options = store
    words = dict(gallery=absolute_source(path), transforms=[chain.h12, chain.h23], out=chain.out, options=options)
    words = pickle.loads(pickle.dumps(words | dict(dtype='float32', batch_size=3, device='cpu', distance=None)))
    job = UpgradeJob(**words)
    workers = [pickle.loads(pickle.dumps(ShardUpgrader(words))) for _ in range(2)]
    for rank, worker in enumerate(workers):
        for shard in job.writer.pending(rank=rank, world_size=2):
            done = worker(shard._asdict())
            assert (done['rows'], done['zero_rows'], done['error']) == (shard.stop - shard.start, 0, '')
    job.writer.finish()
    check(chain.out, chain, store, tmp_path)


def test_zero_rows_are_said(chain, store, tmp_path, monkeypatch):
    folder = tmp_path / 'zeros'
    folder.mkdir()
    rows = dict(chain.columns)
    rows['embedding'] = rows['embedding'].copy()
    rows['embedding'][[3, 40]] = 0
    write = next(
        write for write in (write_npy, write_parquet, write_lance, write_qdrant) if write.__name__[6:] in store[0]
    )
    said = []
    monkeypatch.setattr('mmfct.apis.upgrade_gallery.upgrade.print_log', lambda text, *_: said.append(text))
    upgrade_gallery(write(folder, rows), [chain.h12], chain.out, options=store[1])
    assert said[0].startswith('2 of the embeddings are all zero, which no model makes')


def test_another_model_is_refused(chain, store):
    path, _ = store
    options = SourceOptions(model='v1', distance='l2')
    with pytest.raises(ValueError, match='upgrades embeddings of v1 .*got a gallery with those of v1'):
        upgrade_gallery(path, [chain.h12], chain.out, options=options)


def test_command_line(chain, store, tmp_path, run_tool, capsys):
    path, options = store
    words = [path, chain.h12, chain.h23, chain.out]
    assert run_tool('upgrade_gallery.py', *words) == 2
    assert 'name it with `--model NAME`' in capsys.readouterr().err
    models = ['--model', 'v1', '--fingerprint', options.fingerprint, '--side-model', 'simclr']
    models += ['--side-fingerprint', options.side_fingerprint, '--distance', 'l2']
    status = run_tool('upgrade_gallery.py', *words, *models, '--vector-column', 'vectors')
    error = capsys.readouterr().err
    if path.endswith('.npy'):
        assert status == 0  # it has no columns
    else:
        assert status == 2 and ('--vector-column' in error or "column 'vectors'" in error)
        columns = ['--vector-column', 'embedding', '--side-column', 'side_info', '--label-column', 'label']
        columns += ['--id-column', 'name' if path.startswith('qdrant') else 'id']
        assert run_tool('upgrade_gallery.py', *words, *models, *columns) == 0
        assert sorted(Gallery(chain.out).column('id').tolist()) == sorted(chain.columns['id'].tolist())
    check(chain.out, chain, store, tmp_path)
