"""Tests of Parquet of other programs as a source."""

from __future__ import annotations

import numpy as np
import pytest

from mmfct.retrieval.source import open_source
from mmfct.retrieval.stores.options import SourceOptions
from mmfct.retrieval.stores.say import say_once

pa, pq = pytest.importorskip('pyarrow'), pytest.importorskip('pyarrow.parquet')
OPTIONS = SourceOptions(model='m', distance='l2', shard_rows=10)


def write(path, rows, groups, start=0, **columns):
    vectors = np.arange(start, start + rows, dtype=np.float32)[:, None] * np.ones(3, np.float32)
    table = dict(vector=list(vectors), id=list(range(start, start + rows))) | columns
    pq.write_table(pa.table(table), path, row_group_size=groups)


@pytest.mark.parametrize('groups', [3, 10, 14, 1000])
def test_rows_of_any_row_groups_and_files(tmp_path, groups, monkeypatch):
    monkeypatch.setattr('mmfct.retrieval.stores.parquet_source._BATCH', 4)
    for number, (start, rows) in enumerate([(0, 17), (17, 1), (18, 29)]):
        write(tmp_path / f'{number}.parquet', rows, groups, start)
    source = open_source(tmp_path, options=OPTIONS)
    wanted = np.arange(47)
    order = np.random.default_rng(0).permutation(47)
    for rows in (wanted, order, wanted[::-1]):
        assert np.array_equal(source.rows('embedding', rows)[:, 0], rows)
        assert source.rows('id', rows).tolist() == [str(row) for row in rows]
    for index in (4, 0, 2, 1, 3, 1, 0):
        _, start, stop = source.shards[index]
        assert np.array_equal(source.shard('embedding', index)[:, 0], np.arange(start, stop))


def test_rows_are_read_once_on_the_way_to_the_end(tmp_path, monkeypatch):
    write(tmp_path / 'a.parquet', 40, 1000)
    source = open_source(tmp_path / 'a.parquet', options=OPTIONS)
    read, started = pq.ParquetFile.iter_batches, []
    monkeypatch.setattr(
        pq.ParquetFile, 'iter_batches', lambda self, *args, **rest: started.append(rest) or read(self, *args, **rest)
    )
    for index in range(4):
        source.verify_shard(index)
    # Across the end of a shard and back, as an upgrade into smaller shards reads.
    for first in range(20, 37):
        source.rows('embedding', np.arange(first, first + 3))
    assert [names['row_groups'] for names in started] == [[0]]


def test_labels_that_are_categories_or_floats(tmp_path):
    label = pa.array(['b', None, 'a']).dictionary_encode()
    write(tmp_path / 'a.parquet', 3, 2, label=label)
    assert open_source(tmp_path / 'a.parquet', options=OPTIONS).column('label').tolist() == [1, -1, 0]
    write(tmp_path / 'b.parquet', 3, 2, label=[2.0, None, 0.0])
    assert open_source(tmp_path / 'b.parquet', options=OPTIONS).column('label').tolist() == [2, -1, 0]


def test_long_ids(tmp_path):
    write(tmp_path / 'a.parquet', 3, 2, id=['x' * 300, 'y', 'z'])
    source = open_source(tmp_path / 'a.parquet', options=OPTIONS)
    assert source.columns['id'] == ('text', None) and source.column('id').tolist() == ['x' * 300, 'y', 'z']


def test_missing_vectors_and_values(tmp_path):
    rows = [[1.0, 2.0], None, [3.0, 4.0]]
    write(tmp_path / 'a.parquet', 3, 2, vector=pa.array(rows, pa.list_(pa.float32(), 2)))
    with pytest.raises(ValueError, match="column 'vector' of .* must hold a vector in every row, got 1 without one"):
        open_source(tmp_path / 'a.parquet', options=OPTIONS).verify_shard(0)


def test_a_folder_of_ours_and_others(tmp_path, make_gallery):
    from mmfct.retrieval import Gallery
    from mmfct.retrieval.parquet.convert import write_parquet

    (tmp_path / 'parts').mkdir()
    write(tmp_path / 'parts/a.parquet', 3, 2)
    write_parquet(Gallery(make_gallery('g', 'm', np.eye(3))), tmp_path / 'parts/b.parquet')
    with pytest.raises(ValueError, match='must be of one gallery or of none, got notes in .*b.parquet'):
        open_source(tmp_path / 'parts', options=OPTIONS)


def test_files_that_change_while_they_are_read(tmp_path):
    write(tmp_path / 'a.parquet', 30, 7)
    source = open_source(tmp_path / 'a.parquet', options=OPTIONS)
    write(tmp_path / 'a.parquet', 31, 7)
    with pytest.raises(ValueError, match='must not change while it is read, got other files; start again'):
        source.verify_shard(0)


def test_damaged_pages(tmp_path):
    write(tmp_path / 'a.parquet', 200, 7)
    content = bytearray((tmp_path / 'a.parquet').read_bytes())
    start = pq.ParquetFile(tmp_path / 'a.parquet').metadata.row_group(20).column(0).data_page_offset
    content[start : start + 12] = b'\xff' * 12
    (tmp_path / 'a.parquet').write_bytes(content)
    source = open_source(tmp_path / 'a.parquet', options=OPTIONS)
    with pytest.raises((ValueError, FileNotFoundError), match='a.parquet'):
        source.verify_shard(14)


def test_columns_that_are_not_read_are_said(tmp_path, capsys):
    say_once.cache_clear()
    (tmp_path / 'label=3').mkdir()
    write(tmp_path / 'label=3/a.parquet', 9, 1000, label=pa.array([True] * 9))
    assert 'label' not in open_source(tmp_path, options=OPTIONS).columns
    said = capsys.readouterr().out
    assert "columns in the names of folders, such as 'label=3', are not read" in said
    assert 'label (bool) is not read as the label, which must hold texts or integers or numbers' in said
