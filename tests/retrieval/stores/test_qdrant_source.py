"""Tests of collections of Qdrant as sources, and of opening them."""

from __future__ import annotations

import http.server
import json
import sys
import threading
import uuid

import numpy as np
import pytest

from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance
from mmfct.retrieval.source import open_source
from mmfct.retrieval.stores.address import parse_store
from mmfct.retrieval.stores.columns import VectorColumns
from mmfct.retrieval.stores.notes_target import NOTES_KEY, TargetNotes
from mmfct.retrieval.stores.options import SourceOptions
from mmfct.retrieval.stores.qdrant import qdrant_client
from mmfct.retrieval.stores.qdrant_points import field_of, point_id

from .conftest import write_qdrant

qdrant = pytest.importorskip('qdrant_client')
models = qdrant.models
OPTIONS = SourceOptions(model='m', shard_rows=4)
UUID = str(uuid.UUID(int=5))


def write(folder, points, name='items', distance='Euclid', **settings):
    """Write a collection of points (id, vector, payload)."""
    client = qdrant.QdrantClient(path=str(folder))
    params = settings.pop('vectors_config', models.VectorParams(size=2, distance=distance))
    client.create_collection(name, vectors_config=params, **settings)
    if points:
        client.upsert(name, [models.PointStruct(id=one, vector=two, payload=three) for one, two, three in points])
    client.close()
    return f'qdrant:{folder}/{name}'


def test_ids_of_points(tmp_path):
    text = write(tmp_path / 'q', [(7, [1, 2], {}), (UUID, [3, 4], None), (2, [5, 6], {'id': 'unrelated'})])
    source = open_source(text, options=OPTIONS)
    assert source.column('id').tolist() == ['2', '7', UUID]
    assert source.column('embedding').tolist() == [[5, 6], [1, 2], [3, 4]]


def test_texts_of_which_ids_were_made(tmp_path):
    points = [(point_id(name), [row, 1], dict(id=name)) for row, name in enumerate(['b.png', '12', 'a.png'])]
    source = open_source(write(tmp_path / 'q', points), options=OPTIONS)
    rows = dict(zip(source.column('id').tolist(), source.column('embedding')[:, 0].tolist(), strict=True))
    assert rows == {'b.png': 0, '12': 1, 'a.png': 2}


def test_fields_inside_others(tmp_path):
    points = [(row, [row, 1], dict(meta=dict(name=f'n{row}', kind=['cat', 'dog'][row % 2]))) for row in range(5)]
    columns = VectorColumns(id='meta.name', label='meta.kind')
    source = open_source(write(tmp_path / 'q', points), options=SourceOptions(columns, model='m'))
    assert source.column('id').tolist() == [f'n{row}' for row in range(5)]
    assert source.column('label').tolist() == [0, 1, 0, 1, 0]
    assert field_of({'a.b': 1, 'a': {'b': 2}}, 'a.b') == 1 and field_of({'a': 1}, 'a.b') is None


def test_a_field_that_some_points_lack(tmp_path):
    points = [(0, [0, 1], dict(name='a')), (1, [1, 1], {})]
    with pytest.raises(ValueError, match="ids of .* must be texts or integers, got a missing one after 'a'"):
        open_source(write(tmp_path / 'q', points), options=SourceOptions(VectorColumns(id='name'), model='m'))


def test_several_vectors(tmp_path, items):
    text = write_qdrant(tmp_path / 'q', items)
    with pytest.raises(ValueError, match=r"vector column 'v2', got embedding \(lists of floats\), side"):
        open_source(f'{text}#v2', options=OPTIONS)
    config = {name: models.VectorParams(size=2, distance='Dot') for name in ('clip', 'dino')}
    two = write(tmp_path / 'two', [(1, dict(clip=[1, 2], dino=[3, 4]), {})], vectors_config=config)
    with pytest.raises(ValueError, match=r'which column is the vector of .*two/items\? Got clip .*, dino '):
        open_source(two, options=OPTIONS)
    source = open_source(f'{two}#dino', options=OPTIONS)
    assert source.column('embedding').tolist() == [[3, 4]]
    assert Provenance.from_metadata(source.metadata).distance == 'inner'


def test_points_without_the_vector(tmp_path):
    config = {name: models.VectorParams(size=2, distance='Dot') for name in ('clip', 'dino')}
    points = [(1, dict(clip=[1, 2], dino=[3, 4]), {}), (2, dict(clip=[1, 2]), {})]
    source = open_source(write(tmp_path / 'q', points, vectors_config=config) + '#dino', options=OPTIONS)
    with pytest.raises(ValueError, match="must have the vector 'dino', got 1 of 2 without it, such as 2; add it"):
        source.verify_shard(0)


def test_unit_vectors_of_a_cosine_collection(tmp_path):
    # A server normalises; the embedded form keeps vectors as they are given, so they are given as a server keeps them.
    source = open_source(
        write(tmp_path / 'q', [(1, [0.6, 0.8], {}), (2, [0, 0], {})], distance='Cosine'), options=OPTIONS
    )
    assert source.metadata['normalised_by_store'] is True
    assert Provenance.from_metadata(source.metadata).distance == 'cosine'
    given = Provenance(ModelIdentity.named('m'), distance='l2')
    again = open_source(f'qdrant:{tmp_path}/q/items', provenance=given)
    assert Provenance.from_metadata(again.metadata).distance == 'cosine'
    for name, distance in dict(embedded='Cosine', l2='Euclid').items():
        rows = [(1, [3, 4] if name == 'embedded' else [0.6, 0.8], {})]
        source = open_source(write(tmp_path / name, rows, distance=distance), options=OPTIONS)
        assert 'normalised_by_store' not in source.metadata
    assert np.linalg.norm(source.column('embedding')) == pytest.approx(1)


def test_other_distances_and_kinds(tmp_path):
    text = write(tmp_path / 'q', [(1, [3, 4], {})], distance='Manhattan')
    with pytest.raises(ValueError, match='must compare vectors by Cosine, Euclid, Dot, got Manhattan; say by which'):
        open_source(text, options=OPTIONS)
    source = open_source(text, options=SourceOptions(model='m', distance='l2'))
    assert Provenance.from_metadata(source.metadata).distance == 'l2'
    multi = models.MultiVectorConfig(comparator='max_sim')
    config = dict(v=models.VectorParams(size=2, distance='Dot', multivector_config=multi))
    text = write(tmp_path / 'multi', [(1, dict(v=[[1, 2], [3, 4]]), {})], vectors_config=config)
    with pytest.raises(ValueError, match="vector 'v' of .* must be one vector a point, got several"):
        open_source(text, options=OPTIONS)
    half = models.VectorParams(size=2, distance='Dot', datatype='float16')
    text = write(tmp_path / 'half', [(1, [1, 2], {})], vectors_config=half)
    assert open_source(text, options=OPTIONS).columns['embedding'] == ('float16', 2)


def test_an_embedded_store_that_is_open_elsewhere(tmp_path, items):
    text = write_qdrant(tmp_path / 'q', items)
    client = qdrant_client(parse_store(text))
    with pytest.raises(ValueError, match='must not be open in another process, because the embedded form'):
        qdrant_client(parse_store(text))
    source = open_source(text, options=SourceOptions(model='m'))
    client.delete('items', [10])
    client.close()
    assert len(source) == 10 and len(open_source(text, options=SourceOptions(model='m'))) == 9


def test_aliases(tmp_path, items):
    text = write_qdrant(tmp_path / 'q', items)
    client = qdrant_client(parse_store(text))
    action = models.CreateAliasOperation(create_alias=models.CreateAlias(collection_name='items', alias_name='live'))
    client.update_collection_aliases([action])
    client.close()
    assert len(open_source(f'qdrant:{tmp_path}/q/live', options=SourceOptions(model='m'))) == 10


def test_what_an_upgrade_noted(tmp_path):
    made_by = Provenance(ModelIdentity.named('v2'), distance='l2', upgrades=(dict(transform='h'),))
    notes = TargetNotes('elsewhere', None, None, ('t',), made_by.to_metadata())
    for complete in (False, True):
        metadata = {NOTES_KEY: notes.with_state(complete=complete).encode()}
        text = write(tmp_path / f'{complete}', [(1, [3, 4], {})], metadata=metadata)
        if complete:
            assert Provenance.from_metadata(open_source(text).metadata) == made_by
        else:
            with pytest.raises(ValueError, match='must be complete, got vectors of an upgrade of elsewhere'):
                open_source(text)


def test_points_that_change_while_they_are_read(tmp_path, items):
    source = open_source(write_qdrant(tmp_path / 'q', items), options=OPTIONS)
    source._client.delete('items', [12])
    with pytest.raises(ValueError, match='must not change while it is read, got other points; start again'):
        source.verify_shard(0)


def test_pages_of_a_server(tmp_path, items, monkeypatch):
    monkeypatch.setattr('mmfct.retrieval.stores.qdrant_source._PAGE', 3)
    monkeypatch.setattr('mmfct.retrieval.stores.qdrant_source._MAX_POINTS', 3)
    source = open_source(write_qdrant(tmp_path / 'q', items), options=OPTIONS)
    source.address = parse_store('qdrant:http://host/items')  # the embedded form reads a shard at once
    read, limits = source._client.scroll, []
    monkeypatch.setattr(
        source._client, 'scroll', lambda *args, **rest: limits.append(rest['limit']) or read(*args, **rest)
    )
    assert np.array_equal(source.column('embedding'), items.vectors)
    assert source.column('id').tolist() == items.ids and limits[:5] == [3, 1, 3, 1, 2]


def test_collections_that_do_not_exist_or_are_damaged(tmp_path, items):
    text = write_qdrant(tmp_path / 'q', items)
    with pytest.raises(FileNotFoundError, match="must have a collection 'other', got items"):
        open_source(f'qdrant:{tmp_path}/q/other', options=OPTIONS)
    with pytest.raises(FileNotFoundError, match='must be a folder with meta.json'):
        qdrant_client(parse_store(f'qdrant:{tmp_path}/none/other'))
    assert not (tmp_path / 'none').exists()
    with pytest.raises(ValueError, match='must have a row, got none'):
        open_source(write(tmp_path / 'empty', []), options=OPTIONS)
    (tmp_path / 'q/collection/items/storage.sqlite').write_text('no database, but long enough to be looked at' * 9)
    with pytest.raises(ValueError, match='storage.sqlite must be a database of Qdrant, got'):
        open_source(text, options=OPTIONS)


def test_a_server_that_does_not_answer_or_lacks_the_collection():
    with pytest.raises(ConnectionError, match='http://127.0.0.1:1 must answer as a server of Qdrant'):
        open_source('qdrant:http://127.0.0.1:1/items', options=OPTIONS)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps(dict(status=dict(error='no'))).encode()
            self.send_response(404 if 'items' in self.path else 403)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f'qdrant:http://127.0.0.1:{server.server_port}'
    with pytest.raises(FileNotFoundError, match="must have a collection 'items'"):
        open_source(f'{address}/items', options=OPTIONS)
    with pytest.raises(ConnectionError, match='/secret could not be read: '):
        open_source(f'{address}/secret', options=OPTIONS)
    server.shutdown()
    server.server_close()


def test_without_qdrant(monkeypatch):
    monkeypatch.setitem(sys.modules, 'qdrant_client', None)
    with pytest.raises(
        ImportError, match=r"Qdrant needs qdrant-client; install it with `pip install 'mmfct\[qdrant\]'`"
    ):
        open_source('qdrant:http://127.0.0.1:1/items', options=OPTIONS)
