"""Tests of the description of a gallery: columns, shards and metadata."""

import numpy as np
import pytest

from mmfct.retrieval.gallery.description import Column, GalleryDescription

COLUMNS = {'old': ('float32', 3), 'label': ('int64', None)}


def _description(columns=COLUMNS, num_rows=10, shard_rows=4, metadata=None) -> GalleryDescription:
    return GalleryDescription(columns, num_rows, shard_rows, metadata or {})


def test_column_knows_its_shape_dtype_and_file():
    column = Column('old', 'float16', 3)
    assert column.shape(5) == (5, 3)
    assert column.numpy_dtype == np.dtype('<f2')
    assert column.file_name(7) == 'old-00007.npy'
    assert Column('label', 'int64', None).shape(5) == (5,)


@pytest.mark.parametrize('name', ['../old', 'a/b', '', 'old-1', 'größe'])
def test_column_refuses_a_name_that_is_no_identifier(name):
    with pytest.raises(ValueError, match='must be an identifier, got'):
        Column(name, 'float32', 3)


@pytest.mark.parametrize('dtype', ['object', 'bfloat16', '>f4', '<U0', np.dtype('float32'), None])
def test_column_refuses_an_unknown_dtype(dtype):
    with pytest.raises(ValueError, match="`dtype` of column 'old' must be one of bool, .*got"):
        Column('old', dtype, 3)


def test_texts_of_any_length_have_no_width():
    assert Column('id', 'text', None).numpy_dtype.kind == 'O'
    with pytest.raises(ValueError, match="`width` of column 'id' must be None for texts, got 3"):
        Column('id', 'text', 3)


@pytest.mark.parametrize('width', [0, -1, 2.0, True, '3'])
def test_column_refuses_a_width_that_is_no_count(width):
    with pytest.raises(ValueError, match='`width of old` must be a positive integer, got'):
        Column('old', 'float32', width)


def test_shards_cover_every_row_once():
    assert _description().shards == [(0, 0, 4), (1, 4, 8), (2, 8, 10)]
    assert _description(shard_rows=10).shards == [(0, 0, 10)]
    assert _description(shard_rows=99).shards == [(0, 0, 10)]


def test_json_round_trip_keeps_everything():
    description = _description(metadata={'views': (1, 2), 'chain': []})
    again = GalleryDescription.from_json(description.to_json())
    assert again.to_json() == description.to_json()
    assert again.metadata == {'views': [1, 2], 'chain': []}
    assert not description.differences(again)


@pytest.mark.parametrize(
    ('change', 'names'),
    [
        ({'columns': {'old': ('float32', 4), 'label': ('int64', None)}}, ['columns.old']),
        ({'columns': {'old': ('float32', 3)}}, ['columns.label']),
        ({'num_rows': 11}, ['num_rows']),
        ({'shard_rows': 5, 'metadata': {'a': None}}, ['metadata.a', 'shard_rows']),
        ({'metadata': {'views': 1.0}}, ['metadata.views']),
    ],
)
def test_differences_are_named(change, names):
    metadata = {'views': 1} if 'views' in change.get('metadata', {}) else {}
    other = _description(**change)
    assert _description(metadata=metadata).differences(other) == names


def test_metadata_is_a_copy():
    metadata = {'chain': ['a']}
    description = _description(metadata=metadata)
    metadata['chain'].append('b')
    assert description.metadata == {'chain': ['a']}


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'columns': {}}, '`columns` must name at least one column, got {}'),
        ({'num_rows': 0}, '`num_rows` must be a positive integer, got 0'),
        ({'shard_rows': 2.5}, '`shard_rows` must be a positive integer, got 2.5'),
        ({'num_rows': 10**9, 'shard_rows': 1}, '`shard_rows` must make at most 1,000,000 shards, got 1 of 1000000000'),
    ],
)
def test_description_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        _description(**change)


def test_metadata_must_be_json():
    with pytest.raises(TypeError, match=r"`metadata\['a'\]` must be made of .*, got set"):
        _description(metadata={'a': {1}})


@pytest.mark.parametrize('entries', [{}, {'columns': []}, {'columns': {'old': {'dtype': 'bool'}}}])
def test_malformed_entries_are_refused(entries):
    with pytest.raises(ValueError, match='the manifest must describe a gallery, got'):
        GalleryDescription.from_json(entries)
