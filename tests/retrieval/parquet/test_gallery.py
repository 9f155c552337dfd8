"""Tests of reading a gallery's rows out of its Parquet."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mmfct.retrieval import Gallery
from mmfct.retrieval.parquet.convert import write_parquet
from mmfct.retrieval.parquet.gallery import ParquetGallery
from mmfct.retrieval.source import open_source

pyarrow = pytest.importorskip('pyarrow')
from pyarrow import parquet  # noqa: E402  # after it is known to be there


@pytest.fixture
def gallery(make_gallery, rng=np.random.default_rng(0)) -> Gallery:  # noqa: B008  # drawn from once
    """Ten rows in shards of four."""
    return Gallery(make_gallery('g', 'm', rng.standard_normal((10, 3)), shard_rows=4, label=np.arange(10)))


@pytest.mark.parametrize('name', ['g.parquet', 'folder'])
def test_rows_are_those_of_the_gallery(gallery, tmp_path, name):
    source = open_source(write_parquet(gallery, tmp_path / name))
    assert isinstance(source, ParquetGallery) and isinstance(open_source(gallery.path), Gallery)
    assert (len(source), source.shard_rows, source.shards) == (10, 4, gallery.shards)
    assert (source.columns, source.metadata, source.width('embedding')) == (gallery.columns, gallery.metadata, 3)
    indices = np.array([9, 0, 5, 5, 3])
    for column in gallery.columns:
        rows = source.rows(column, indices)
        assert rows.dtype == gallery.rows(column, indices).dtype
        assert np.array_equal(rows, gallery.rows(column, indices))
    for shard in source.shards:
        source.verify_shard(shard.index)


def test_a_shard_is_read_once_for_all_columns(gallery, tmp_path, monkeypatch):
    source = open_source(write_parquet(gallery, tmp_path / 'g.parquet'))
    read, groups = parquet.ParquetFile.read_row_group, []
    monkeypatch.setattr(
        parquet.ParquetFile,
        'read_row_group',
        lambda self, group, **rest: groups.append(group) or read(self, group, **rest),
    )
    for start in range(10):
        for column in source.columns:
            source.rows(column, np.array([start]))
    assert groups == [0, 1, 2]


def test_what_is_no_gallery_in_parquet(gallery, tmp_path):
    path = write_parquet(gallery, tmp_path / 'g.parquet')
    table = parquet.read_table(path)
    parquet.write_table(table, tmp_path / 'joined.parquet')
    with pytest.raises(ValueError, match='must have a row group for each shard of its gallery, got 1 of other sizes'):
        open_source(tmp_path / 'joined.parquet')
    notes = json.loads(table.schema.metadata[b'mmfct'])
    assert notes.pop('fingerprint') == open_source(path).fingerprint == gallery.fingerprint
    older = table.replace_schema_metadata({b'mmfct': json.dumps(notes)})
    parquet.write_table(older, tmp_path / 'older.parquet')
    with pytest.raises(ValueError, match='must note the fingerprint of its gallery, which an earlier version did not'):
        open_source(tmp_path / 'older.parquet')
    parquet.write_table(table.replace_schema_metadata(None), tmp_path / 'other.parquet')
    with pytest.raises(ValueError, match='must be Parquet that this project wrote, got other Parquet; make a gallery'):
        ParquetGallery(tmp_path / 'other.parquet')
    with pytest.raises(ValueError, match='does not say which model made its vectors; name it with `--model NAME`'):
        open_source(tmp_path / 'other.parquet')
    (tmp_path / 'text').write_text('no Parquet')
    with pytest.raises(ValueError, match='text must be a Parquet file'):
        open_source(tmp_path / 'text')
    with pytest.raises(FileNotFoundError, match='`path` must be a folder with a manifest.json'):
        open_source(tmp_path / 'none')


def test_damaged_shards_are_refused(gallery, tmp_path):
    path = write_parquet(gallery, tmp_path / 'g.parquet')
    table = parquet.read_table(path)
    rows = np.array(table['embedding'].to_pylist(), np.float32)
    rows[5, 1] = np.nan
    wrong = table.set_column(0, 'embedding', pyarrow.array(rows.tolist(), pyarrow.list_(pyarrow.float32())))
    assert table.column_names[0] == 'embedding'
    parquet.write_table(
        wrong.replace_schema_metadata(table.schema.metadata), tmp_path / 'nan.parquet', row_group_size=4
    )
    source = open_source(tmp_path / 'nan.parquet')
    source.verify_shard(0)
    with pytest.raises(ValueError, match='`embedding` in .* must be finite, got 1 rows with NaN or infinite values'):
        source.verify_shard(1)
    content = bytearray(path.read_bytes())
    start = parquet.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
    content[start : start + 8] = b'\xff' * 8
    (tmp_path / 'flipped.parquet').write_bytes(content)
    with pytest.raises(ValueError, match='flipped.parquet must be whole, got'):
        open_source(tmp_path / 'flipped.parquet').verify_shard(1)
