"""Vectors that only some rows have: a column, or a named vector, that is filled for a sample of the items."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from mmfct.retrieval.source import open_source
from mmfct.retrieval.stores.address import parse_store
from mmfct.retrieval.stores.columns import VectorColumns
from mmfct.retrieval.stores.options import SourceOptions
from mmfct.retrieval.stores.present import PresentRows

ROWS, WIDTH = 23, 3
OPTIONS = SourceOptions(VectorColumns(vector='new'), model='m', distance='l2', shard_rows=4, skip_missing=True)
SAMPLE = [2, 3, 4, 9, 10, 15, 16, 17, 18, 19, 22]  # shards of four, whose rows lie far apart


def write_parquet(folder, rows, fixed=False):
    pa, pq = pytest.importorskip('pyarrow'), pytest.importorskip('pyarrow.parquet')
    new = pa.array(rows.new, pa.list_(pa.float32(), WIDTH) if fixed else pa.list_(pa.float32()))
    table = pa.table(dict(id=rows.ids, label=rows.labels, old=rows.old.tolist(), new=new))
    pq.write_table(table.slice(0, 14), folder / 'a.parquet', row_group_size=5)
    pq.write_table(table.slice(14), folder / 'b.parquet', row_group_size=7)
    return str(folder)


def write_lance(folder, rows):
    lancedb, pa = pytest.importorskip('lancedb'), pytest.importorskip('pyarrow')
    new = pa.array(rows.new, pa.list_(pa.float32(), WIDTH))
    table = pa.table(dict(id=rows.ids, label=rows.labels, old=rows.old.tolist(), new=new))
    written = lancedb.connect(folder).create_table('items', table.slice(0, 6))
    written.add(table.slice(6))
    return f'lancedb:{folder}/items'


def write_qdrant(folder, rows):
    qdrant = pytest.importorskip('qdrant_client')
    params = qdrant.models.VectorParams(size=WIDTH, distance='Euclid')
    client = qdrant.QdrantClient(path=str(folder))
    client.create_collection('items', vectors_config=dict(old=params, new=params))
    points = [
        qdrant.models.PointStruct(
            id=int(name),
            vector=dict(old=old.tolist()) | ({} if new is None else dict(new=new)),
            payload=dict(label=label),
        )
        for name, label, old, new in zip(rows.ids, rows.labels, rows.old, rows.new, strict=True)
    ]
    client.upsert('items', points)
    client.close()
    return f'qdrant:{folder}/items'


WRITERS = {
    'parquet': write_parquet,
    'parquet of fixed width': lambda folder, rows: write_parquet(folder, rows, fixed=True),
    'lancedb': write_lance,
    'qdrant': write_qdrant,
}


@pytest.fixture
def rows() -> SimpleNamespace:
    """Rows of which a sample has new vectors."""
    vectors = np.random.default_rng(0).standard_normal((2, ROWS, WIDTH)).astype(np.float32)
    return SimpleNamespace(
        old=vectors[0],
        new=[vectors[1, row].tolist() if row in SAMPLE else None for row in range(ROWS)],
        ids=[str(100 + row) for row in range(ROWS)],
        labels=[row % 5 for row in range(ROWS)],
    )


@pytest.fixture(params=WRITERS)
def table(request, tmp_path, rows) -> str:
    return WRITERS[request.param](tmp_path, rows)


def test_rows_without_a_vector_are_left_out_and_counted(table, rows, capsys):
    source = open_source(table, options=OPTIONS)
    assert '12 of 23 rows have no vector and are left out' in capsys.readouterr().out
    assert len(source) == 11 and [shard.stop for shard in source.shards] == [4, 8, 11]
    wanted = np.array([rows.new[row] for row in SAMPLE], np.float32)
    order = np.random.default_rng(1).permutation(11)
    for places in (np.arange(11), order):
        assert np.array_equal(source.rows('embedding', places), wanted[places])
        assert source.rows('id', places).tolist() == [rows.ids[SAMPLE[place]] for place in places]
        assert source.rows('label', places).tolist() == [SAMPLE[place] % 5 for place in places]
    for index, _, _ in source.shards:
        source.verify_shard(index)
    assert sum(source.ids(), []) == [rows.ids[row] for row in SAMPLE]
    assert source.fingerprint == open_source(table, options=OPTIONS).fingerprint


def test_all_rows_have_a_vector(table, rows, capsys):
    named = replace(OPTIONS, columns=VectorColumns(vector='old'))
    source = open_source(table, options=named)
    assert 'left out' not in capsys.readouterr().out
    assert np.array_equal(source.column('embedding'), rows.old)
    assert source.fingerprint == open_source(table, options=replace(named, skip_missing=False)).fingerprint


def test_missing_vectors_are_refused_otherwise(table):
    source = open_source(table, options=replace(OPTIONS, skip_missing=False))
    with pytest.raises(ValueError, match='without .*; .*leave .* out with `--skip-missing`, which `mmfct convert`'):
        source.verify_shard(0)


def test_missing_side_information_is_no_reason_to_leave_a_row_out(table):
    columns = VectorColumns(vector='old', side='new')
    source = open_source(table, options=replace(OPTIONS, columns=columns))
    assert len(source) == ROWS
    with pytest.raises(ValueError, match="without .*; .* or read no side-information, with `--side-column ''`"):
        source.verify_shard(0)


@pytest.mark.parametrize('kind', WRITERS)
def test_no_row_has_a_vector(kind, tmp_path, rows):
    rows.new = [None] * ROWS
    table = WRITERS[kind](tmp_path, rows)
    with pytest.raises(ValueError, match="'new' of .* must hold a vector in "):
        open_source(table, options=OPTIONS)


def test_a_gap_is_not_read_at_once(tmp_path, rows, monkeypatch):
    """Of Parquet and Lance, parts of the store that hold wanted rows are read, each no longer than a shard."""
    source = open_source(write_lance(tmp_path, rows), options=OPTIONS)
    read, asked = source._read, []
    monkeypatch.setattr(source, '_read', lambda *words: asked.append(words[:2]) or read(*words))
    source.column('embedding')
    assert asked == [(2, 5), (9, 10), (10, 11), (15, 18), (18, 20), (22, 23)]


def test_pages_of_a_server(tmp_path, rows, monkeypatch):
    monkeypatch.setattr('mmfct.retrieval.stores.qdrant_source._PAGE', 3)
    monkeypatch.setattr('mmfct.retrieval.stores.qdrant_source._MAX_POINTS', 2)
    source = open_source(write_qdrant(tmp_path, rows) + '#new', options=replace(OPTIONS, columns=VectorColumns()))
    source.address = parse_store('qdrant:http://host/items#new')  # the embedded form reads a shard at once
    assert np.array_equal(source.column('embedding'), np.array([rows.new[row] for row in SAMPLE], np.float32))


def test_windows_against_a_plain_loop():
    rng = np.random.default_rng(0)
    masks = [rng.random(size) < 0.3 for size in (7, 1, 30, 12)]
    places = np.flatnonzero(np.concatenate(masks))
    present = PresentRows.find(masks, 'x')
    for start, stop, size in [(0, len(places), 5), (2, 9, 50), (3, 4, 1)]:
        windows = list(present.windows(start, stop, size))
        found = [first + row for first, mask in windows for row in np.flatnonzero(mask)]
        assert found == places[start:stop].tolist() and all(len(mask) <= size for _, mask in windows)
