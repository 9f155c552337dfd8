"""Side-information of a source of its own."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from mmfct.retrieval import GalleryWriter
from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance
from mmfct.retrieval.source import open_source
from mmfct.retrieval.stores import joined as module
from mmfct.retrieval.stores.columns import VectorColumns
from mmfct.retrieval.stores.joined import JoinedSource, open_joined, unjoined
from mmfct.retrieval.stores.matching import find_rows, id_hashes, source_ids, unique_id_hashes
from mmfct.retrieval.stores.options import SourceOptions

ROWS = 40


def write_gallery(folder, ids, *, model, width=3, shard_rows=7, with_ids=True, **columns):
    """Write a gallery whose rows are the numbers in its ids, and return its folder."""
    numbers = np.array([float(''.join(filter(str.isdigit, str(name)))) for name in ids], np.float32)
    arrays = dict(embedding=numbers[:, None] + np.arange(width, dtype=np.float32) / 8) | columns
    if with_ids:
        arrays['id'] = np.asarray(ids)
    writer = GalleryWriter(
        folder,
        columns={
            name: (array.dtype.str if array.dtype.kind == 'U' else array.dtype.name, *(array.shape[1:] or (None,)))
            for name, array in arrays.items()
        },
        num_rows=len(ids),
        shard_rows=shard_rows,
        metadata=Provenance(ModelIdentity.named(model), None, 'l2').to_metadata(),
    )
    for index, start, stop in writer.pending():
        writer.write_shard(index, {name: array[start:stop] for name, array in arrays.items()})
    writer.finish()
    return str(folder)


def names(numbers) -> list[str]:
    return [f'n{number}' for number in numbers]


@pytest.fixture
def base(tmp_path):
    """Items in an order of their own."""
    order = np.random.default_rng(0).permutation(ROWS)
    return write_gallery(tmp_path / 'base', names(order), model='old', label=order.astype(np.int64)), order


@pytest.fixture
def side(tmp_path):
    """Side-information of twice as many items, in another order, with .npy, and its options."""
    order = np.random.default_rng(1).permutation(2 * ROWS)
    np.save(tmp_path / 'side.npy', np.stack([order, -order], 1).astype(np.float32))
    (tmp_path / 'side.ids.txt').write_text('\n'.join(names(order)))
    return str(tmp_path / 'side.npy')


def test_rows_are_matched_by_id(base, side, monkeypatch):
    monkeypatch.setattr(module, '_BLOCK_BYTES', 5 * 8)  # five rows
    path, order = base
    source = open_joined(path, pickle.loads(pickle.dumps(SourceOptions(side=side, side_model='clip', shard_rows=9))))
    wanted = np.stack([order, -order], 1)
    assert source.columns['side_info'] == ('float32', 2) and source.columns['label'] == ('int64', None)
    assert np.array_equal(source.column('side_info'), wanted)
    assert np.array_equal(source.column('label'), order)
    for index, start, stop in source.shards:
        source.verify_shard(index)
        assert np.array_equal(source.shard('side_info', index), wanted[start:stop])
        assert np.array_equal(source.shard('label', index), order[start:stop])
    for rows in ([3], [0, 39, 0, 12], np.arange(4, 31), []):
        indices = np.array(rows, np.int64)
        assert np.array_equal(source.rows('side_info', indices), wanted[indices])
        assert np.array_equal(source.rows('label', indices), order[indices])
    provenance = Provenance.from_metadata(source.metadata)
    assert provenance.embedding == ModelIdentity.named('old') and provenance.side_info == ModelIdentity.named('clip')
    assert source.metadata['side_info_from'] == source.side.fingerprint
    assert source.fingerprint == open_source(path).fingerprint == unjoined(source).fingerprint
    assert unjoined(unjoined(source)) is source.base
    for wrong in ([40], [-1], [0.5]):
        with pytest.raises(ValueError, match='`indices` must'):
            source.rows('side_info', np.array(wrong))


def test_side_information_of_the_gallery_is_hidden(tmp_path, side):
    own = np.zeros((ROWS, 5), np.float32)
    path = write_gallery(tmp_path / 'base', names(range(ROWS)), model='old', side_info=own)
    source = open_joined(path, SourceOptions(side=side))
    assert source.width('side_info') == 2 and source.base.width('side_info') == 5
    # The file names the model.
    assert Provenance.from_metadata(source.metadata).side_info == ModelIdentity.named('side')


def test_missing_rows_are_counted_and_named(tmp_path, base):
    path, order = base
    few = write_gallery(tmp_path / 'few', names(set(range(ROWS)) - {5, 17, 33}), model='clip')
    first = names(number for number in order if number in (5, 17, 33))[0]
    with pytest.raises(ValueError, match=rf"got none for 3 of 40, such as '{first}' \(its own ids are such as 'n0'\)"):
        open_joined(path, SourceOptions(side=few))


def test_rows_without_side_information_in_its_column_do_not_count(tmp_path, base):
    pa, pq = pytest.importorskip('pyarrow'), pytest.importorskip('pyarrow.parquet')
    clip = [[float(number)] if number < ROWS else None for number in range(2 * ROWS)]
    pq.write_table(pa.table(dict(id=names(range(2 * ROWS)), clip=clip)), tmp_path / 'side.parquet')
    options = SourceOptions(VectorColumns(side='clip'), side=str(tmp_path / 'side.parquet'), side_model='clip')
    assert np.array_equal(open_joined(base[0], options).column('side_info')[:, 0], base[1])


def test_ids_are_needed_and_unique(tmp_path, base):
    path, _ = base
    other = write_gallery(tmp_path / 'other', names(range(ROWS)), model='clip', with_ids=False)
    with pytest.raises(ValueError, match=r'other must have ids to be joined by them, got embedding'):
        open_joined(path, SourceOptions(side=other))
    twice = write_gallery(tmp_path / 'twice', [*names(range(ROWS)), 'n7'], model='clip')
    with pytest.raises(ValueError, match=r"twice must be unique to join by them, got 'n7' more than once"):
        open_joined(path, SourceOptions(side=twice))


def test_integers_and_texts_are_the_same_ids(tmp_path):
    path = write_gallery(tmp_path / 'base', np.arange(ROWS), model='old')
    other = write_gallery(tmp_path / 'other', [str(number) for number in range(ROWS)][::-1], model='clip')
    source = open_joined(path, SourceOptions(side=other))
    assert np.array_equal(source.column('side_info'), source.column('embedding'))


def test_changed_ids_are_noticed(base, side):
    source = open_joined(base[0], SourceOptions(side=side, side_model='clip'))
    source._places = np.roll(source._places, 1)
    with pytest.raises(ValueError, match=r"must not change while they are read, got 'n\d+' where 'n\d+' was"):
        source.rows('side_info', np.arange(3))


def test_a_row_that_is_not_finite_is_refused_where_it_is_needed(tmp_path, base, side):
    rows = np.load(side)
    unused = int(np.flatnonzero(rows[:, 0] >= ROWS)[0])
    rows[unused] = np.nan
    np.save(side, rows)
    everything = SourceOptions(side=side, side_model='clip')
    source = open_joined(base[0], everything)
    with pytest.raises(ValueError, match='must be finite, got 1 of the rows'):
        for index, _, _ in source.shards:
            source.verify_shard(index)


def test_columns_of_both(tmp_path):
    pa, pq = pytest.importorskip('pyarrow'), pytest.importorskip('pyarrow.parquet')
    numbers = np.arange(ROWS, dtype=np.float32)
    table = dict(sku=names(range(ROWS)), clip=list(np.stack([numbers, numbers], 1)), dino=list(numbers[:, None]))
    pq.write_table(pa.table(dict(sku=names(range(ROWS)), vec=list(numbers[:, None]))), tmp_path / 'old.parquet')
    pq.write_table(pa.table(table), tmp_path / 'side.parquet')
    columns = VectorColumns(id='sku', side='dino')
    given = dict(columns=columns, model='old', distance='l2', side_model='dino-b')
    source = open_joined(tmp_path / 'old.parquet', SourceOptions(side=str(tmp_path / 'side.parquet'), **given))
    assert source.width('side_info') == 1 and Provenance.from_metadata(source.metadata).side_info.name == 'dino-b'


def test_another_order_is_said(base, side, monkeypatch):
    said = []
    monkeypatch.setattr(module, 'say_once', said.append)
    monkeypatch.setattr(module, '_BLOCK_BYTES', 8)
    apart = SourceOptions(model='clip', distance='l2', shard_rows=16)
    gallery = open_source(base[0])
    JoinedSource(gallery, open_source(side, options=apart))
    assert len(said) == 1 and 'side.npy has its rows in another order' in said[0] and 'read about 8 times' in said[0]


def test_the_order_of_the_gallery_needs_no_advice(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(module, 'say_once', said.append)
    path = write_gallery(tmp_path / 'base', names(range(ROWS)), model='old')
    np.save(tmp_path / 'same.npy', np.zeros((ROWS, 2), np.float32))
    (tmp_path / 'same.ids.txt').write_text('\n'.join(names(range(ROWS))))
    JoinedSource(
        open_source(path),
        open_source(tmp_path / 'same.npy', options=SourceOptions(model='clip', distance='l2', shard_rows=4)),
    )
    assert said == []


def test_matching(base, side):
    source = open_source(base[0])
    assert [name for batch in source_ids(source) for name in batch] == source.column('id').tolist()
    hashes = id_hashes(source)
    assert np.array_equal(hashes, unique_id_hashes(source)) and hashes[3] == hash(str(source.column('id')[3]))
    assert find_rows(hashes[[5, 0]], hashes).tolist() == [5, 0]
    assert find_rows(np.array([hash('no'), hashes[2], -(2**63), 2**63 - 1]), hashes).tolist() == [-1, 2, -1, -1]


def test_a_side_model_needs_a_source():
    assert SourceOptions(side='side.npy', side_model='clip').model is None
    with pytest.raises(ValueError, match='`side_model` needs `model`'):
        SourceOptions(side_model='clip')
