"""Tests of writing upgraded vectors into Qdrant."""

from __future__ import annotations

import uuid
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip('qdrant_client')

from qdrant_client import QdrantClient, models

from mmfct.retrieval import Gallery
from mmfct.retrieval.gallery.description import LABEL_NAMES
from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance
from mmfct.retrieval.stores.address import parse_store
from mmfct.retrieval.stores.columns import VectorColumns
from mmfct.retrieval.stores.notes_target import NOTES_KEY, TargetNotes, vector_notes_key
from mmfct.retrieval.stores.open_target import noted_vector, opened_qdrant, opened_target
from mmfct.retrieval.stores.options import SourceOptions
from mmfct.retrieval.stores.qdrant_alias import check_alias, rollback_alias, switch_alias
from mmfct.retrieval.stores.qdrant_notes import qdrant_errors, read_notes
from mmfct.retrieval.stores.qdrant_points import point_id
from mmfct.retrieval.stores.qdrant_source import QdrantSource
from mmfct.retrieval.stores.qdrant_target import point_ids

from .upgrading import WIDTH, begin, columns_of, finish, upgraded, write_upgraded

ROWS, BATCH = 20, 6
write = partial(write_upgraded, batch=BATCH)
OPTIONS = SourceOptions(provenance=Provenance(ModelIdentity.named('v1')))
OPTIONS_A = replace(OPTIONS, columns=VectorColumns(vector='a'))
NEW = Provenance(ModelIdentity.named('v2'))
UUID = '0d9f9d1e-5e0a-4b3e-8f0c-0123456789ab'


def notes_of(source, *, transform='h', in_place=False, distance='l2') -> TargetNotes:
    fingerprint = None if in_place else source.fingerprint
    vector = source.chosen.vector if isinstance(source, QdrantSource) else None
    metadata = Provenance(NEW.embedding, distance=distance).to_metadata()
    return TargetNotes('somewhere', vector, fingerprint, (transform,), metadata)


def points_of(folder, name) -> dict:
    client = QdrantClient(path=str(folder))
    try:
        points, _ = client.scroll(name, limit=1000, with_payload=True, with_vectors=True)
    finally:
        client.close()
    return {point.id: point for point in points}


def make(folder, vectors_config, vector_of) -> None:
    """Make a collection with numbers and a UUID as ids."""
    rng = np.random.default_rng(0)
    client = QdrantClient(path=str(folder))
    client.create_collection('items', vectors_config=vectors_config)
    ids = [*range(7, 7 + ROWS - 1), UUID]
    payload = [dict(note=f'it is {row}', nested=dict(a=[row])) for row in range(ROWS)]
    points = [
        models.PointStruct(id=point, vector=vector_of(rng), payload=entry)
        for point, entry in zip(ids, payload, strict=True)
    ]
    client.upsert('items', points)
    client.close()


def params(width=WIDTH, distance='Euclid'):
    return models.VectorParams(size=width, distance=models.Distance(distance))


@pytest.fixture
def folder(tmp_path):
    """An embedded database with a collection of unnamed vectors."""
    make(tmp_path / 'db', params(), lambda rng: rng.standard_normal(WIDTH).tolist())
    return tmp_path / 'db'


@pytest.fixture
def source(folder) -> QdrantSource:
    return QdrantSource(parse_store(f'qdrant:{folder}/items'), OPTIONS)


def test_a_new_collection_keeps_ids_and_payload(source, folder):
    address = parse_store(f'qdrant:{folder}/items_v2')
    before = points_of(folder, 'items')
    with opened_target(address, source, notes_of(source), columns_of(source), in_place=False) as target:
        assert write(target) == 4
        assert not read_notes(target._client, address, NOTES_KEY).complete
        finish(target)
        assert read_notes(target._client, address, NOTES_KEY).complete
    after = points_of(folder, 'items_v2')
    assert after.keys() == before.keys() >= {7, UUID}
    assert [after[point].payload for point in before] == [before[point].payload for point in before]
    expected = upgraded(np.array([point.vector for point in before.values()], np.float32))
    np.testing.assert_array_equal(np.array([after[point].vector for point in before], np.float32), expected)
    assert points_of(folder, 'items') == before


def test_other_vectors_of_a_collection_are_copied(tmp_path):
    def both(rng):
        return dict(a=rng.standard_normal(WIDTH).tolist(), b=rng.standard_normal(2).tolist())

    make(tmp_path / 'db', dict(a=params(), b=params(2, 'Dot')), both)
    source = QdrantSource(parse_store(f'qdrant:{tmp_path}/db/items'), OPTIONS_A)
    before = points_of(tmp_path / 'db', 'items')
    for name, vector in [('items_v2', 'a'), ('items_v3#c', 'c')]:
        address = parse_store(f'qdrant:{tmp_path}/db/{name}')
        with opened_target(address, source, notes_of(source), columns_of(source), in_place=False) as target:
            write(target)
            finish(target)
        after = points_of(tmp_path / 'db', address.name)
        assert {*next(iter(after.values())).vector} == {vector, 'b'}
        assert all(after[point].vector['b'] == before[point].vector['b'] for point in before)
        rows = np.array([before[point].vector['a'] for point in before], np.float32)
        got = np.array([after[point].vector[vector] for point in before], np.float32)
        np.testing.assert_array_equal(got, upgraded(rows))
    with pytest.raises(ValueError, match="must not replace the vector 'b' of its source"):
        address = parse_store(f'qdrant:{tmp_path}/db/items_v4#b')
        begin(address, source, notes_of(source), columns_of(source), in_place=False)


def test_a_new_named_vector_leaves_all_else_alone(source, folder):
    address = parse_store(f'qdrant:{folder}/items#v2')
    before = points_of(folder, 'items')
    with opened_target(address, source, notes_of(source, in_place=True), columns_of(source), in_place=True) as target:
        assert write(target) == 4
        finish(target)
    after = points_of(folder, 'items')
    assert [after[point].payload for point in before] == [before[point].payload for point in before]
    assert [after[point].vector[''] for point in before] == [before[point].vector for point in before]
    rows = np.array([before[point].vector for point in before], np.float32)
    np.testing.assert_array_equal(np.array([after[p].vector['v2'] for p in before], np.float32), upgraded(rows))
    assert noted_vector(address) == source.chosen.vector
    written = QdrantSource(address, SourceOptions(VectorColumns(vector='v2')))
    np.testing.assert_array_equal(written.column('embedding'), upgraded(rows))


@pytest.mark.parametrize(('name', 'in_place'), [('items_v2', False), ('items#v2', True)])
def test_an_interrupted_upgrade_goes_on(source, folder, name, in_place):
    address = parse_store(f'qdrant:{folder}/{name}')
    words = (notes_of(source, in_place=in_place), columns_of(source))
    with opened_target(address, source, *words, in_place=in_place) as target:
        write(target, batches=2)
        with pytest.raises(ValueError, match='must have 20 rows with upgraded vectors, got'):
            finish(target)
    with opened_target(address, source, *words, in_place=in_place) as target:
        assert target.pending(10, 14).tolist() == [False, False, True, True]
        assert write(target) == 2
        finish(target)
    other = notes_of(source, transform='other', in_place=in_place)
    with pytest.raises(ValueError, match='holds another upgrade, of somewhere, with another transforms'):
        begin(address, source, other, columns_of(source), in_place=in_place)


def test_a_cosine_collection_keeps_unit_vectors(source, folder):
    address = parse_store(f'qdrant:{folder}/items_v2')
    notes = notes_of(source, distance='cosine')
    with opened_target(address, source, notes, columns_of(source), in_place=False) as target:
        write(target)
        finish(target)
        vectors = target.vectors(np.arange(ROWS))
    expected = upgraded(source.column('embedding'))
    np.testing.assert_allclose(vectors, expected / np.linalg.norm(expected, axis=1)[:, None], rtol=1e-5)
    with opened_target(address, source, notes, columns_of(source), in_place=False) as target:
        assert write(target) == 0
        finish(target)  # the embedded form hands back other lengths once it is opened again


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda client: client.delete('items_v2', [7]), 'must have 20 rows with upgraded vectors, got 19 rows'),
        (
            lambda client: client.upsert('items_v2', [models.PointStruct(id=1000, vector=[0.0] * 5)]),
            'must have 20 rows with upgraded vectors, got 21 rows',
        ),
        (
            lambda client: (
                client.delete('items_v2', [7]),
                client.upsert('items_v2', [models.PointStruct(id=1000, vector=[0.0] * 5)]),
            ),
            'must have the ids of .*items, got others for the rows 0 to 20',
        ),
        (
            lambda client: client.update_vectors('items_v2', [models.PointVectors(id=7, vector=[9.0] * 5)]),
            'must hold what the transforms make of .* away in row 0',
        ),
    ],
)
def test_a_collection_that_is_not_what_the_source_says_is_not_complete(source, folder, change, message):
    address = parse_store(f'qdrant:{folder}/items_v2')
    with opened_target(address, source, notes_of(source), columns_of(source), in_place=False) as target:
        write(target)
        change(target._client)
        with pytest.raises(ValueError, match=message):
            finish(target)
        assert not read_notes(target._client, address, NOTES_KEY).complete


def test_a_point_that_disappears_is_noticed(source, folder):
    address = parse_store(f'qdrant:{folder}/items#v2')
    with opened_target(address, source, notes_of(source, in_place=True), columns_of(source), in_place=True) as target:
        target._client.delete('items', [9])
        with pytest.raises(ConnectionError, match='has lost a point while it was read or written: 9'):
            write(target)


@pytest.mark.parametrize(
    ('name', 'in_place', 'message'),
    [
        ('items', False, 'collection .*items exists and was not written by an upgrade; name another one'),
        ('other', False, 'collection .*other exists and was not written by an upgrade'),
    ],
)
def test_a_collection_that_exists_is_refused(source, folder, name, in_place, message):
    client = QdrantClient(path=str(folder))
    client.create_collection('other', vectors_config=params())
    client.close()
    with pytest.raises(ValueError, match=message):
        address = parse_store(f'qdrant:{folder}/{name}')
        begin(address, source, notes_of(source), columns_of(source), in_place=in_place)


def test_a_vector_that_exists_is_refused(tmp_path):
    make(tmp_path / 'db', dict(a=params(), b=params()), lambda rng: dict(a=[1.0] * WIDTH, b=[2.0] * WIDTH))
    source = QdrantSource(parse_store(f'qdrant:{tmp_path}/db/items'), OPTIONS_A)
    address = parse_store(f'qdrant:{tmp_path}/db/items#b')
    with pytest.raises(ValueError, match="vector 'b' of .*items exists and was not written by an upgrade"):
        begin(address, source, notes_of(source, in_place=True), columns_of(source), in_place=True)


def test_servers_that_are_too_old_are_said(source, folder, monkeypatch):
    def refuse(*args, **kwargs):
        raise NotImplementedError('no such request')

    monkeypatch.setattr(QdrantClient, 'create_vector_name', refuse)
    address = parse_store(f'qdrant:{folder}/items#v2')
    with pytest.raises(
        ValueError, match='needs a server that can add a vector to a collection, version 1.18 or later'
    ):
        begin(address, source, notes_of(source, in_place=True), columns_of(source), in_place=True)
    create, update = QdrantClient.create_collection, QdrantClient.update_collection
    monkeypatch.setattr(QdrantClient, 'create_collection', lambda *a, metadata, **k: create(*a, **k))
    monkeypatch.setattr(QdrantClient, 'update_collection', lambda *a, metadata, **k: update(*a, **k))
    for name, in_place in [('items_v2', False), ('items#v3', True)]:
        address = parse_store(f'qdrant:{folder}/{name}')
        notes = notes_of(source, in_place=in_place)
        with pytest.raises(ValueError, match='must keep metadata of collections, which it does from version 1.16 on'):
            begin(address, source, notes, columns_of(source), in_place=in_place)
    with opened_qdrant(source.address) as client:
        assert not client.collection_exists('items_v2')


def test_payload_indexes_are_made_again_and_custom_shards_refused(source, folder, monkeypatch):
    made, get = [], QdrantClient.get_collection
    index = SimpleNamespace(params=None, data_type='keyword')

    def described(self, name):
        info = get(self, name)
        info.config.params.sharding_method = method
        return info.model_copy(update=dict(payload_schema=dict(note=index)))

    monkeypatch.setattr(QdrantClient, 'get_collection', described)
    monkeypatch.setattr(QdrantClient, 'create_payload_index', lambda self, *a, **k: made.append((a, k)))
    method = models.ShardingMethod.CUSTOM
    address = parse_store(f'qdrant:{folder}/items_v2')
    words = (address, source, notes_of(source), columns_of(source))
    with pytest.raises(ValueError, match='items must not be sharded by keys to be copied'):
        begin(*words, in_place=False)
    method = None
    with opened_target(*words, in_place=False):
        assert made == [(('items_v2', 'note'), dict(field_schema='keyword'))]


def test_a_server_that_is_gone_is_an_error_that_names_it(make_gallery):
    gallery = Gallery(make_gallery('old', 'v1', np.ones((4, WIDTH))))
    address = parse_store('qdrant:http://127.0.0.1:1/items')
    with pytest.raises(ConnectionError, match='qdrant:http://127.0.0.1:1/items could not be read or written: '):
        begin(address, gallery, notes_of(gallery), columns_of(gallery), in_place=False)


def test_a_gallery_becomes_a_collection(make_gallery, tmp_path):
    rng = np.random.default_rng(0)
    ids = np.array(['12', '012', UUID, 'a photo.png'])
    side = rng.standard_normal((4, 2)).astype(np.float32)
    label = np.array([0, 1, -1, 2])
    gallery = Gallery(make_gallery('old', 'v1', rng.standard_normal((4, WIDTH)), id=ids, label=label, side_info=side))
    gallery.metadata[LABEL_NAMES] = {'0': 'cat', '1': 'dog'}
    address = parse_store(f'qdrant:{tmp_path}/db/items')
    with opened_target(address, gallery, notes_of(gallery), columns_of(gallery), in_place=False) as target:
        write(target)
        finish(target)
    points = points_of(tmp_path / 'db', 'items')
    assert {*points} == {12, UUID, *(str(uuid.uuid5(uuid.NAMESPACE_OID, text)) for text in ('012', 'a photo.png'))}
    assert [points[point_id(text)].payload for text in ids] == [
        dict(id=text, label=name) for text, name in zip(ids, ['cat', 'dog', None, 2], strict=True)
    ]
    vectors = [points[point_id(text)].vector for text in ids]
    got = np.array([vector['embedding'] for vector in vectors], np.float32)
    np.testing.assert_array_equal(got, upgraded(gallery.column('embedding')))
    np.testing.assert_array_equal(np.array([vector['side_info'] for vector in vectors], np.float32), side)
    source = QdrantSource(address, SourceOptions())
    assert sorted(source.column('id')) == sorted(ids)


def test_ids_of_points_must_be_those_of_the_rows():
    with pytest.raises(ValueError, match='must not change while it is upgraded, got 2 points instead of 3'):
        point_ids(iter([1, 2]), 3)
    with pytest.raises(ValueError, match='must be unique to become points of Qdrant, got 1 again, as 2'):
        point_ids(iter([1, 2, 2]), 3)


def test_damaged_notes_are_refused():
    for text in ('{', '[]', '{}', '{"format_version": 2}', '{"format_version": 1, "transforms": []}'):
        with pytest.raises(ValueError, match="collection must have notes of this version under 'mmfct', got"):
            TargetNotes.decode(text, 'collection')
    with pytest.raises(ConnectionError, match='has lost a point'), qdrant_errors(parse_store('qdrant:db/items')):
        raise KeyError(3)


@pytest.fixture
def switched(source, folder):
    """A complete collection items_v2, an incomplete items_v3, and an alias of items."""
    for name, complete in [('items_v2', True), ('items_v3', False)]:
        address = parse_store(f'qdrant:{folder}/{name}')
        with opened_target(address, source, notes_of(source), columns_of(source), in_place=False) as target:
            write(target, batches=None if complete else 1)
            if complete:
                finish(target)
    with opened_qdrant(source.address) as client:
        create = models.CreateAlias(collection_name='items', alias_name='live')
        client.update_collection_aliases([models.CreateAliasOperation(create_alias=create)])
        yield client, {name: parse_store(f'qdrant:{folder}/{name}') for name in ('items', 'items_v2', 'items_v3')}


def aliases(client) -> dict:
    return {entry.alias_name: entry.collection_name for entry in client.get_aliases().aliases}


def test_an_alias_is_switched_and_rolled_back(switched):
    client, address = switched
    assert switch_alias(client, address['items_v2'], 'live') == 'items'
    assert switch_alias(client, address['items_v2'], 'live') == 'items_v2'  # nothing to do, and nothing forgotten
    assert aliases(client) == dict(live='items_v2')
    assert rollback_alias(client, address['items_v2'], 'live') == 'items'
    assert aliases(client) == dict(live='items')
    with pytest.raises(
        ValueError, match="alias 'live' must have been switched to .*items_v2 to be rolled back, got an "
    ):
        rollback_alias(client, address['items_v2'], 'live')
    assert switch_alias(client, address['items_v2'], 'new') is None
    assert rollback_alias(client, address['items_v2'], 'new') is None
    assert aliases(client) == dict(live='items')


def test_what_is_not_complete_is_neither_switched_to_nor_back_to(switched):
    client, address = switched
    with pytest.raises(ValueError, match="items_v3 must be complete before 'live' may name it; run the upgrade"):
        switch_alias(client, address['items_v3'], 'live')
    with pytest.raises(ValueError, match='items must be a collection that an upgrade has written, got one without'):
        switch_alias(client, address['items'], 'other')
    create = models.CreateAlias(collection_name='items_v3', alias_name='odd')
    client.update_collection_aliases([models.CreateAliasOperation(create_alias=create)])
    switch_alias(client, address['items_v2'], 'odd')
    with pytest.raises(ValueError, match="items_v3, which 'odd' named before .*items_v2, must be complete"):
        rollback_alias(client, address['items_v2'], 'odd')
    client.delete_collection('items_v3')
    with pytest.raises(ValueError, match="collection 'items_v3', which 'odd' named before .*items_v2, is gone"):
        rollback_alias(client, address['items_v2'], 'odd')
    with pytest.raises(FileNotFoundError, match='items_v3 must exist'):
        rollback_alias(client, address['items_v3'], 'odd')


@pytest.mark.parametrize('alias', ['', 'items', 'items_v2'])
def test_names_of_collections_are_no_aliases(switched, alias):
    client, address = switched
    with pytest.raises(ValueError, match='an alias must have a name of its own, got'):
        check_alias(client, address['items_v2'], alias)


def test_keys_of_notes():
    assert [vector_notes_key(name) for name in (None, '', 'v2')] == ['mmfct', 'mmfct', 'mmfct:v2']
