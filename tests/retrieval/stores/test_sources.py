"""Every kind of source gives the same gallery, and refuses the same wrong ones."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance
from mmfct.retrieval.source import open_source
from mmfct.retrieval.stores.columns import VectorColumns
from mmfct.retrieval.stores.options import SourceOptions

from .conftest import WRITERS

OPTIONS = SourceOptions(model='m', side_model='s', distance='l2', shard_rows=4)


def damaged(kind, tmp_path, items, **columns):
    """Open the items with other columns."""
    for name, values in columns.items():
        setattr(items, name, values)
    return open_source(WRITERS[kind](tmp_path, items), options=OPTIONS)


def test_rows_are_those_that_were_stored(store, items):
    source = open_source(store, options=OPTIONS)
    assert len(source) == 10 and [tuple(shard) for shard in source.shards] == [(0, 0, 4), (1, 4, 8), (2, 8, 10)]
    assert source.columns == dict(
        embedding=('float32', 3), id=('<U2', None), label=('int64', None), side_info=('float32', 2)
    )
    for index, start, stop in source.shards:
        source.verify_shard(index)
        assert np.array_equal(source.shard('embedding', index), items.vectors[start:stop])
    order = np.array([9, 0, 5, 5, 3])  # backwards, and across shards
    for name, wanted in dict(embedding=items.vectors, side_info=items.side, label=np.array(items.numbers)).items():
        assert np.array_equal(source.column(name), wanted)
        assert np.array_equal(source.rows(name, order), wanted[order])
    assert source.column('id').tolist() == items.ids and sum(source.ids(), []) == items.ids
    assert source.metadata['label_names'] == {'0': 'ant', '1': 'cat', '2': 'dog'}
    provenance = Provenance.from_metadata(source.metadata)
    assert provenance == Provenance(ModelIdentity.named('m'), ModelIdentity.named('s'), 'l2')


def test_what_was_found_is_said(store, capsys):
    open_source(store, options=replace(OPTIONS, side_model=None))
    said = capsys.readouterr().out
    assert '3 labels are texts, numbered in sorted order; 1 of 10 rows have no label' in said
    assert 'side-information of an unknown model' in said and 'embedding = ' in said and 'label = ' in said


def test_a_fingerprint_of_the_content(store, items, tmp_path):
    source = open_source(store, options=OPTIONS)
    assert source.fingerprint == open_source(store, options=OPTIONS).fingerprint
    assert (
        source.fingerprint != open_source(store, options=replace(OPTIONS, columns=VectorColumns(label=''))).fingerprint
    )
    items.vectors[0, 0] += 1
    (tmp_path / 'other').mkdir()
    kind = next(kind for kind in WRITERS if kind in store)
    assert open_source(WRITERS[kind](tmp_path / 'other', items), options=OPTIONS).fingerprint != source.fingerprint


def test_a_model_must_be_named(store):
    with pytest.raises(ValueError, match='does not say which model made its vectors; name it with `--model NAME`'):
        open_source(store)


def test_models_named_after_the_file(store):
    options = SourceOptions(distance='cosine')
    source = open_source(store, options=options, named_after_file=True)
    assert Provenance.from_metadata(source.metadata).embedding == ModelIdentity.named('items')
    named = open_source(store, options=replace(options, model='m'), named_after_file=True)
    assert Provenance.from_metadata(named.metadata).embedding == ModelIdentity.named('m')
    if store.endswith('.npy'):  # no names of columns
        return
    # A table may hold vectors of several models.
    vector = 'embedding' if store.startswith('qdrant') else 'vector'
    by_option = [(store, replace(options, columns=VectorColumns(vector=vector)))]
    for path, given in by_option + ([] if store.endswith('.parquet') else [(f'{store}#{vector}', options)]):
        source = open_source(path, options=given, named_after_file=True)
        assert Provenance.from_metadata(source.metadata).embedding == ModelIdentity.named(f'items#{vector}')


def test_a_distance_must_be_known(store):
    provenance = Provenance(ModelIdentity.named('m'), distance='cosine')
    given = Provenance.from_metadata(open_source(store, provenance=provenance).metadata)
    if store.startswith('qdrant'):  # that of the collection
        assert given.distance == 'l2'
        assert Provenance.from_metadata(open_source(store, options=SourceOptions(model='m')).metadata).distance == 'l2'
    else:
        assert given.distance == 'cosine'
        with pytest.raises(ValueError, match='does not say how its vectors are compared; say it with `--distance`'):
            open_source(store, options=SourceOptions(model='m'))


@pytest.mark.parametrize('kind', WRITERS)
def test_values_that_are_not_finite_are_refused(kind, tmp_path, items):
    items.vectors[5, 1] = np.inf if kind in ('lancedb', 'qdrant') else np.nan  # these refuse NaN themselves
    source = damaged(kind, tmp_path, items)
    source.verify_shard(0)
    with pytest.raises(ValueError, match='`embedding` of .* must be finite, got 1 of the rows 4 to 7 with NaN'):
        source.verify_shard(1)


@pytest.mark.parametrize('kind', ['parquet', 'npy', 'lancedb'])
def test_repeated_and_empty_ids_are_refused(kind, tmp_path, items):
    with pytest.raises(ValueError, match="must be unique, got 1 that are not, such as '12', 2 times; name another"):
        damaged(kind, tmp_path, items, ids=[*items.ids[:9], '12'])
    (tmp_path / 'again').mkdir()
    with pytest.raises(ValueError, match="must be texts or integers, got an empty one after '18'"):
        damaged(kind, tmp_path / 'again', items, ids=[*items.ids[:9], ''])


@pytest.mark.parametrize('kind', ['parquet', 'npy', 'lancedb'])
def test_precision(kind, tmp_path, items):
    exact = items.vectors.copy()
    half = damaged(kind, tmp_path, items, vectors=exact.astype(np.float16))
    assert half.columns['embedding'] == ('float16', 3)
    assert np.array_equal(half.column('embedding'), exact.astype(np.float16))
    for name in ('double', 'large'):
        (tmp_path / name).mkdir()
    double = damaged(kind, tmp_path / 'double', items, vectors=exact.astype(np.float64))
    assert double.columns['embedding'] == ('float32', 3) and np.array_equal(double.column('embedding'), exact)
    wide = exact.astype(np.float64)
    wide[9, 2] = 1e300
    large = damaged(kind, tmp_path / 'large', items, vectors=wide)
    large.verify_shard(0)
    with pytest.raises(ValueError, match='`embedding` of .* must fit into float32, got .*1e\\+300'):
        large.verify_shard(2)


def test_a_store_that_disappears(store, tmp_path):
    source = open_source(store, options=OPTIONS)
    source.verify_shard(0)
    for path in tmp_path.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if store.startswith('qdrant'):  # embedded: what is read is a copy
        source.verify_shard(1)
        with pytest.raises(FileNotFoundError, match='must be a folder with meta.json'):
            open_source(store, options=OPTIONS)
        return
    with pytest.raises(FileNotFoundError, match=r'items.* must stay where it is while it is read, got '):
        source.verify_shard(1)
    with pytest.raises(FileNotFoundError):
        open_source(store, options=OPTIONS)


def test_a_read_only_store(store, tmp_path, items):
    for folder, _, files in os.walk(tmp_path):
        for name in files:
            os.chmod(os.path.join(folder, name), 0o444)
        os.chmod(folder, 0o555)
    before = {(path, path.stat().st_mtime_ns) for path in tmp_path.rglob('*')}
    try:
        assert np.array_equal(open_source(store, options=OPTIONS).column('embedding'), items.vectors)
    finally:
        for folder, _, _ in os.walk(tmp_path):
            os.chmod(folder, 0o755)
    # Also where the tests run as root, whom no permission stops: nothing was written.
    assert {(path, path.stat().st_mtime_ns) for path in tmp_path.rglob('*')} == before


def test_side_information_of_a_named_model(store):
    with pytest.raises(ValueError, match='must have side-information if its model is named'):
        open_source(store, options=replace(OPTIONS, columns=VectorColumns(side='')))
