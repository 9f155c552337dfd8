"""Tests of addresses of vector databases."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmfct.retrieval.stores.address import StoreAddress, absolute_source, belongs_to, is_store, parse_store


@pytest.mark.parametrize(
    ('text', 'address'),
    [
        ('lancedb:db/items', StoreAddress('lancedb', 'db', 'items')),
        ('lancedb:/a/b/items#vector_v2', StoreAddress('lancedb', '/a/b', 'items', 'vector_v2')),
        ('lancedb:s3://bucket/folder/items', StoreAddress('lancedb', 's3://bucket/folder', 'items')),
        ('qdrant:http://host:6333/items', StoreAddress('qdrant', 'http://host:6333', 'items')),
        ('qdrant:folder/items#v2', StoreAddress('qdrant', 'folder', 'items', 'v2')),
    ],
)
def test_parts(text, address):
    assert parse_store(text) == address and str(address) == text and is_store(text)
    assert address.is_local == ('://' not in text)
    assert address.table.column is None and str(address.table) == text.partition('#')[0]


@pytest.mark.parametrize(
    'text',
    ['lancedb:', 'lancedb:items', 'lancedb:/items', 'lancedb:db/', 'lancedb:db/items#', 'qdrant:http://host:6333']
    + ['qdrant:http://host:6333/', 'qdrant:http:///items', 'qdrant:://host/items', 'milvus:db/items', 'db/items'],
)
def test_other_texts_are_refused(text):
    with pytest.raises(ValueError, match='a table or collection must be given as lancedb:FOLDER/TABLE, qdrant:http'):
        parse_store(text)


def test_paths_are_no_addresses():
    assert not any(map(is_store, ['gallery', 'a/b.parquet', Path('qdrant:x/y'), 'C:/x', '']))


def test_addresses_from_any_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute_source('gallery') == str(tmp_path / 'gallery')
    assert absolute_source('lancedb:db/items#v') == f'lancedb:{tmp_path}/db/items#v'
    assert absolute_source('qdrant:http://host:6333/items') == 'qdrant:http://host:6333/items'


def test_what_belongs_to_a_source(tmp_path):
    npy = tmp_path / 'x.npy'
    for path in ('x.npy', 'x.ids.txt', 'a/../x.npy'):
        assert belongs_to(tmp_path / path, npy)
    assert not belongs_to(tmp_path / 'y.npy', npy) and not belongs_to(tmp_path / 'a/x.ids.txt', npy)
    assert belongs_to(tmp_path / 'db/t.lance/h', f'lancedb:{tmp_path}/db/t#v2')
    assert not belongs_to(tmp_path / 'db/h', f'lancedb:{tmp_path}/db/t')
    assert belongs_to(tmp_path / 'db/collection/t/h', f'qdrant:{tmp_path}/db/t')
    assert not belongs_to(tmp_path / 'db/h', f'qdrant:{tmp_path}/db/t')
    assert not belongs_to('h', 'qdrant:http://localhost:6333/items')
