"""Tests of writing upgraded vectors into LanceDB."""

from __future__ import annotations

import os
from functools import partial

import numpy as np
import pytest

pytest.importorskip('lancedb')

import pyarrow as pa

from mmfct.retrieval import Gallery
from mmfct.retrieval.gallery.description import LABEL_NAMES
from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance
from mmfct.retrieval.stores.address import parse_store
from mmfct.retrieval.stores.lance import lance_module, open_lance_table
from mmfct.retrieval.stores.lance_source import LanceSource
from mmfct.retrieval.stores.notes_target import NOTES_KEY, TargetNotes
from mmfct.retrieval.stores.open_target import noted_vector, opened_target
from mmfct.retrieval.stores.options import SourceOptions

from .upgrading import WIDTH, begin, columns_of, finish, upgraded, write_upgraded

ROWS, BATCH = 50, 16
write = partial(write_upgraded, batch=BATCH)
OPTIONS = SourceOptions(provenance=Provenance(ModelIdentity.named('v1')))
NEW = Provenance(ModelIdentity.named('v2'))


def notes_of(source, *, transform='h', in_place=False) -> TargetNotes:
    fingerprint = None if in_place else source.fingerprint
    vector = source.chosen.vector if isinstance(source, LanceSource) else None
    return TargetNotes('somewhere', vector, fingerprint, (transform,), NEW.to_metadata())


@pytest.fixture
def database(tmp_path):
    """A database with a table of vectors, integers as ids, and further columns."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((ROWS, WIDTH)).astype(np.float32)
    table = pa.table(
        dict(
            key=pa.array(range(100, 100 + ROWS)),
            note=[None if row % 7 == 0 else f"it's {row}" for row in range(ROWS)],
            vector=pa.FixedSizeListArray.from_arrays(vectors.reshape(-1), WIDTH),
            tags=[[str(row)] * (row % 3) for row in range(ROWS)],
        )
    ).replace_schema_metadata({'kept': 'yes', 'embedding_functions': '[]'})
    lance_module().connect(tmp_path / 'db').create_table('items', table)
    return tmp_path / 'db'


@pytest.fixture
def source(database) -> LanceSource:
    return LanceSource(parse_store(f'lancedb:{database}/items'), OPTIONS)


def rows_of(database, name) -> dict:
    return open_lance_table(parse_store(f'lancedb:{database}/{name}')).to_arrow().to_pydict()


def test_a_new_table_has_everything_of_the_source_and_other_vectors(source, database):
    address = parse_store(f'lancedb:{database}/items_v2')
    with opened_target(address, source, notes_of(source), columns_of(source), in_place=False) as target:
        assert write(target) == 4
        assert not stored_notes(address).complete
        finish(target)
    assert stored_notes(address).complete
    before, after = rows_of(database, 'items'), rows_of(database, 'items_v2')
    np.testing.assert_array_equal(after.pop('vector'), upgraded(np.array(before.pop('vector'))))
    assert after == before
    metadata = open_lance_table(address).schema.metadata
    assert metadata[b'kept'] == b'yes' and b'embedding_functions' not in metadata


def stored_notes(address) -> TargetNotes:
    schema = open_lance_table(address.table).schema
    return TargetNotes.decode(schema.field(address.column or 'vector').metadata[NOTES_KEY.encode()], 'it')


def test_a_new_column_leaves_all_others_alone(source, database):
    address = parse_store(f'lancedb:{database}/items#vector_v2')
    before = rows_of(database, 'items')
    with opened_target(address, source, notes_of(source, in_place=True), columns_of(source), in_place=True) as target:
        assert write(target) == 4
        finish(target)
    after = rows_of(database, 'items')
    order = np.argsort(after['key'])  # of the rows, which LanceDB moves
    after = {name: [values[row] for row in order] for name, values in after.items()}
    np.testing.assert_array_equal(after.pop('vector_v2'), upgraded(np.array(before['vector'])))
    assert after == before
    assert noted_vector(address) == 'vector'


@pytest.mark.parametrize(('name', 'in_place'), [('items_v2', False), ('items#vector_v2', True)])
def test_an_interrupted_upgrade_goes_on(source, database, name, in_place):
    address = parse_store(f'lancedb:{database}/{name}')
    with opened_target(
        address, source, notes_of(source, in_place=in_place), columns_of(source), in_place=in_place
    ) as target:
        write(target, batches=2)
        with pytest.raises(ValueError, match=f'must have {ROWS} rows with upgraded vectors, got .* 32 have one'):
            finish(target)
    assert not stored_notes(address).complete
    again = LanceSource(source.address, OPTIONS, version=None if in_place else source.version)
    notes = notes_of(again, in_place=in_place)
    with opened_target(address, again, notes, columns_of(again), in_place=in_place) as target:
        assert 0 < write(target) <= 4
        finish(target)
    rows = rows_of(database, address.name)
    vectors = rows[address.column or 'vector']
    expected = dict(zip(range(100, 100 + ROWS), upgraded(source.column('embedding')), strict=True))
    for key, vector in zip(rows['key'], vectors, strict=True):
        np.testing.assert_array_equal(vector, expected[key])


@pytest.mark.parametrize(('name', 'in_place'), [('items_v2', False), ('items#vector_v2', True)])
def test_another_upgrade_and_a_second_process_are_refused(source, database, name, in_place):
    address = parse_store(f'lancedb:{database}/{name}')
    words = (source, notes_of(source, in_place=in_place), columns_of(source))
    with (
        opened_target(address, *words, in_place=in_place),
        pytest.raises(ValueError, match='must not be written by two processes at a time'),
    ):
        begin(address, *words, in_place=in_place)
    other = notes_of(source, transform='other', in_place=in_place)
    with pytest.raises(ValueError, match='holds another upgrade, of somewhere, with another transforms; name another'):
        begin(address, source, other, columns_of(source), in_place=in_place)


@pytest.mark.parametrize(
    ('name', 'in_place', 'message'),
    [
        ('items', False, 'items exists and was not written by an upgrade'),
        ('items#vector', True, 'column vector of .*items exists and was not written by an upgrade'),
        ('items', True, 'a new column must be named, as in .*items#vector_v2'),
        ('items_v2#a.b', False, 'must be named with letters, digits and underscores, got .a.b.'),
        ('items#a`b', True, 'must be named with letters, digits and underscores'),
        ('items_v2#tags', False, "must not replace the column 'tags' of its source"),
    ],
)
def test_what_an_upgrade_must_not_write_is_refused(source, database, name, in_place, message):
    address = parse_store(f'lancedb:{database}/{name}')
    before = rows_of(database, 'items')
    with pytest.raises(ValueError, match=message):
        begin(address, source, notes_of(source), columns_of(source), in_place=in_place)
    assert rows_of(database, 'items') == before
    assert os.listdir(database) == ['items.lance']


def test_a_table_that_exists_with_other_columns_is_refused(source, database):
    lance_module().connect(database).create_table('other', pa.table(dict(a=[1])))
    with pytest.raises(ValueError, match='other exists and was not written by an upgrade; name another table'):
        address = parse_store(f'lancedb:{database}/other')
        begin(address, source, notes_of(source), columns_of(source), in_place=False)


def test_what_a_process_leaves_that_is_killed_while_it_creates_a_table_is_no_obstacle(source, database):
    (database / 'items_v2.lance/_versions').mkdir(parents=True)
    address = parse_store(f'lancedb:{database}/items_v2')
    with opened_target(address, source, notes_of(source), columns_of(source), in_place=False) as target:
        write(target)
        finish(target)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda table: table.delete('key = 100'), 'must have 50 rows with upgraded vectors, got 49 rows'),
        (lambda table: table.update(where='key = 100', values=dict(key=1)), 'must have the ids of .*items.lance'),
        (
            lambda table: table.update(where='key = 100', values=dict(vector=[9.0] * (WIDTH + 1))),
            'must hold what the transforms make of .*items.lance, got a vector that is .* away in row 0',
        ),
    ],
)
def test_a_table_that_is_not_what_the_source_says_is_not_complete(source, database, change, message):
    address = parse_store(f'lancedb:{database}/items_v2')
    with opened_target(address, source, notes_of(source), columns_of(source), in_place=False) as target:
        write(target)
        change(open_lance_table(address))
        target._table.checkout_latest()
        with pytest.raises(ValueError, match=message):
            finish(target)
    assert not stored_notes(address).complete


def test_indexes_that_no_longer_cover_the_rows_are_named(source, database, monkeypatch):
    said = []
    monkeypatch.setattr('mmfct.retrieval.stores.lance_column_target.say_once', said.append)
    open_lance_table(source.address).create_scalar_index('key')
    again = LanceSource(source.address, OPTIONS)
    address = parse_store(f'lancedb:{database}/items#v2')
    with opened_target(address, again, notes_of(again, in_place=True), columns_of(again), in_place=True) as target:
        write(target)
        finish(target)
    assert len(said) == 1 and 'until `table.optimize()` the indexes key_idx do not cover them' in said[0]


def test_rows_that_came_meanwhile_are_written_by_the_next_run(source, database):
    address = parse_store(f'lancedb:{database}/items#vector_v2')
    words = (notes_of(source, in_place=True), columns_of(source))
    with opened_target(address, source, *words, in_place=True) as target:
        write(target)
        row = dict(key=[7], note=['new'], vector=[[1.0] * WIDTH], tags=[['a']])
        open_lance_table(address.table).add(pa.table(row, open_lance_table(address.table).schema.remove(4)))
        target._table.checkout_latest()
        with pytest.raises(ValueError, match='got 51 rows of which 50 have one; another program writes it'):
            finish(target)
    again = LanceSource(source.address, OPTIONS)
    with opened_target(address, again, *words, in_place=True) as target:
        assert write(target) == 1
        finish(target)


def test_a_row_that_disappears_is_noticed(source, database):
    address = parse_store(f'lancedb:{database}/items#vector_v2')
    with opened_target(address, source, notes_of(source, in_place=True), columns_of(source), in_place=True) as target:
        open_lance_table(address.table).delete('key = 103')
        target._table.checkout_latest()
        with pytest.raises(ValueError, match='must have one row for each id, got 15 rows for 16 ids'):
            write(target)


def test_a_gallery_becomes_a_table(make_gallery, tmp_path):
    rng = np.random.default_rng(0)
    labels = np.array([0, 1, -1] * 10)
    rows = dict(label=labels, side_info=rng.standard_normal((30, 2)).astype(np.float32), camera=labels.astype('int8'))
    gallery = Gallery(make_gallery('old', 'v1', rng.standard_normal((30, WIDTH)), **rows))
    address = parse_store(f'lancedb:{tmp_path}/new/items')
    with opened_target(address, gallery, notes_of(gallery), columns_of(gallery), in_place=False) as target:
        write(target)
        finish(target)
    found = rows_of(tmp_path / 'new', 'items')
    np.testing.assert_array_equal(found['vector'], upgraded(gallery.column('embedding')))
    np.testing.assert_array_equal(found['side_info'], rows['side_info'])
    assert found['id'] == gallery.column('id').tolist()
    assert found['label'] == [0, 1, None] * 10 and found['camera'] == [0, 1, -1] * 10
    source = LanceSource(address, SourceOptions())
    assert Provenance.from_metadata(source.metadata).embedding == NEW.embedding
    assert source.column('label').tolist() == labels.tolist()


def test_labels_are_written_by_their_names(make_gallery, tmp_path):
    gallery = Gallery(make_gallery('old', 'v1', np.ones((4, WIDTH)), label=np.array([0, 1, 2, -1])))
    gallery.metadata[LABEL_NAMES] = {'0': 'cat', '1': 'dog', '2': 'eel'}
    address = parse_store(f'lancedb:{tmp_path}/new/items')
    with opened_target(address, gallery, notes_of(gallery), columns_of(gallery), in_place=False) as target:
        write(target)
    assert rows_of(tmp_path / 'new', 'items')['label'] == ['cat', 'dog', 'eel', None]


def test_a_gallery_without_unique_ids_is_refused(make_gallery, tmp_path):
    address = parse_store(f'lancedb:{tmp_path}/new/items')
    twice = Gallery(make_gallery('twice', 'v1', np.ones((4, WIDTH)), id=np.array(['a', 'b', 'c', 'a'])))
    with pytest.raises(ValueError, match="must be unique, got 1 that are not, such as 'a'"):
        begin(address, twice, notes_of(twice), columns_of(twice), in_place=False)
    assert not (tmp_path / 'new').exists()
