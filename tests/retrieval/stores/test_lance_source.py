"""Tests of tables of LanceDB as sources, and of opening them."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest

from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance
from mmfct.retrieval.source import open_source
from mmfct.retrieval.stores.address import parse_store
from mmfct.retrieval.stores.columns import VectorColumns
from mmfct.retrieval.stores.lance import lance_tables, open_lance_table
from mmfct.retrieval.stores.lance_source import LanceSource
from mmfct.retrieval.stores.notes_target import NOTES_KEY, TargetNotes
from mmfct.retrieval.stores.options import SourceOptions

from .conftest import write_lance

lancedb, pa = pytest.importorskip('lancedb'), pytest.importorskip('pyarrow')
OPTIONS = SourceOptions(model='m', distance='l2', shard_rows=4)


@pytest.fixture
def text(tmp_path, items):
    return write_lance(tmp_path / 'db', items)


@pytest.fixture
def table(tmp_path, text):
    return lancedb.connect(tmp_path / 'db').open_table('items')


def test_rows_that_were_deleted_and_updated(text, table, items):
    table.delete("key in ('11', '17')")
    table.update(where="key = '12'", values=dict(vector=[0.0, 0.0, 0.0]))
    source = open_source(text, options=OPTIONS)
    by_id = dict(zip(source.column('id').tolist(), source.column('embedding').tolist(), strict=True))
    expected = dict(zip(items.ids, items.vectors.tolist(), strict=True)) | {'12': [0, 0, 0]}
    assert by_id == {name: row for name, row in expected.items() if name not in ('11', '17')}


def test_a_version_is_read_whatever_is_written_meanwhile(text, table, items):
    source = open_source(text, options=OPTIONS)
    source.verify_shard(0)
    fingerprint = source.fingerprint
    table.add(table.to_arrow().slice(0, 3).set_column(2, 'key', pa.array(['x', 'y', 'z'])))
    table.delete("key = '14'")
    assert np.array_equal(source.column('embedding'), items.vectors) and source.fingerprint == fingerprint
    later = open_source(text, options=OPTIONS)
    assert len(later) == 12 and later.fingerprint != fingerprint
    earlier = LanceSource(parse_store(text), OPTIONS, version=source.version)
    assert earlier.fingerprint == fingerprint


def test_vectors_that_are_missing_are_refused(text, table):
    row = table.to_arrow().slice(0, 1).set_column(2, 'key', pa.array(['x']))
    nothing = pa.array([None], table.schema.field('vector').type)
    table.add(row.set_column(row.schema.get_field_index('vector'), 'vector', nothing))
    source = open_source(text, options=OPTIONS)
    source.verify_shard(1)
    with pytest.raises(ValueError, match="column 'vector' of .* must hold a vector in every row, got 1 without one"):
        source.verify_shard(2)


def test_a_column_in_the_address(text):
    source = open_source(f'{text}#side', options=OPTIONS)
    assert source.columns['embedding'] == ('float32', 2)
    with pytest.raises(ValueError, match=r"which vector of .*items\? Got 'side' in the address and 'vector' for"):
        open_source(f'{text}#side', columns=VectorColumns(vector='vector'))


def test_the_distance_of_an_index(text, tmp_path, items):
    rng = np.random.default_rng(0)
    flat = pa.array(rng.standard_normal(600 * 4).astype(np.float32))
    rows = pa.table(dict(id=list(range(600)), vector=pa.FixedSizeListArray.from_arrays(flat, 4)))
    table = lancedb.connect(tmp_path / 'db').create_table('indexed', rows)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        table.create_index(metric='dot', num_partitions=2, num_sub_vectors=2)
    source = open_source(text.replace('items', 'indexed'), options=SourceOptions(model='m'))
    assert Provenance.from_metadata(source.metadata).distance == 'inner'


def test_what_an_upgrade_noted(text, table):
    made_by = Provenance(ModelIdentity.named('v2'), distance='cosine', upgrades=(dict(transform='h'),))
    notes = TargetNotes('elsewhere', None, None, ('t',), made_by.to_metadata())
    note = lambda: table.update_field_metadata({'path': 'vector', 'metadata': {NOTES_KEY: notes.encode()}})  # noqa: E731
    note()
    with pytest.raises(
        ValueError, match='must be complete, got vectors of an upgrade of elsewhere that has not finished'
    ):
        open_source(text)
    notes = notes.with_state(complete=True)
    note()
    assert Provenance.from_metadata(open_source(text).metadata) == made_by
    assert Provenance.from_metadata(open_source(text, named_after_file=True).metadata) == made_by
    with pytest.raises(ValueError, match='notes that v2 made its vectors, got m; leave `--model` out'):
        open_source(text, options=SourceOptions(model='m'))


def test_a_table_that_does_not_exist(text, tmp_path):
    with pytest.raises(FileNotFoundError, match="must have a table 'other', got the tables items: "):
        open_source(f'lancedb:{tmp_path}/db/other', options=OPTIONS)
    with pytest.raises(FileNotFoundError, match='a database of LanceDB must be a folder, got'):
        open_source(f'lancedb:{tmp_path}/none/other', options=OPTIONS)
    assert not (tmp_path / 'none').exists()
    with pytest.raises(FileNotFoundError, match='has no version 99: '):
        open_lance_table(parse_store(text), version=99)


def test_many_tables_are_listed(tmp_path):
    database = lancedb.connect(tmp_path / 'many')
    schema = pa.schema([('a', pa.int64())])
    for number in range(12):
        database.create_table(f't{number:02d}', schema=schema)
    assert lance_tables(database) == [f't{number:02d}' for number in range(12)]


def test_an_empty_table(tmp_path):
    schema = pa.schema([('id', pa.int64()), ('vector', pa.list_(pa.float32(), 3))])
    lancedb.connect(tmp_path / 'db').create_table('empty', schema=schema)
    with pytest.raises(ValueError, match='must have a row, got none'):
        open_source(f'lancedb:{tmp_path}/db/empty', options=OPTIONS)


def test_without_lancedb(text, monkeypatch):
    monkeypatch.setitem(sys.modules, 'lancedb', None)
    with pytest.raises(ImportError, match=r"LanceDB needs lancedb; install it with `pip install 'mmfct\[lancedb\]'`"):
        open_source(text, options=OPTIONS)
