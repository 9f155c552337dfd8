"""Tests of looking at all rows, and of writing them as a gallery."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from mmfct.retrieval import Gallery
from mmfct.retrieval.source import open_source
from mmfct.retrieval.stores.convert import write_gallery
from mmfct.retrieval.stores.inspect import RowReport, check_unique_ids, count_zero_rows, inspect_rows
from mmfct.retrieval.stores.options import SourceOptions

from .conftest import write_npy

OPTIONS = SourceOptions(model='m', side_model='s', distance='l2', shard_rows=4)


def test_what_rows_are_like(tmp_path, items):
    items.vectors[[2, 9]] = 0
    items.side[1] = 0
    source = open_source(write_npy(tmp_path / 'x.npy', items), options=OPTIONS)
    done = []
    report = inspect_rows(source, done.append)
    lengths = [math.sqrt(sum(value * value for value in row)) for row in items.vectors.tolist()]
    assert report == RowReport(10, 2, 1, 1, pytest.approx(sum(lengths) / 8), False) and done == [4, 4, 2]
    assert str(report).startswith('10 rows, 2 of them all zero, which no model makes: leave them out or embed them')
    assert ', the side-information of 1 all zero, 1 without a label, mean length ' in str(report)


@pytest.mark.parametrize('dtype', [np.float16, np.float32])
def test_unit_vectors(tmp_path, items, dtype):
    items.vectors = (items.vectors / np.linalg.norm(items.vectors, axis=1, keepdims=True)).astype(dtype)
    items.vectors[3] = 0
    report = inspect_rows(open_source(write_npy(tmp_path / 'x.npy', items), options=OPTIONS))
    assert report.unit and 'vectors of length 1' in str(report)
    items.vectors[:] = 0
    report = inspect_rows(open_source(write_npy(tmp_path / 'x.npy', items), options=OPTIONS))
    assert not report.unit and math.isnan(report.mean_length)


def test_rows_of_a_gallery_without_labels(make_gallery):
    gallery = Gallery(make_gallery('g', 'm', np.eye(3)))
    report = inspect_rows(gallery)
    assert (report.rows, report.unlabelled, report.unit) == (3, 3 if 'label' not in gallery.columns else 0, True)
    assert count_zero_rows(np.array([[0, 0], [0, 1], [0, 0]])) == 2


def test_repeated_ids_of_a_gallery(make_gallery, tmp_path, items):
    check_unique_ids(open_source(write_npy(tmp_path / 'x.npy', items), options=OPTIONS))
    check_unique_ids(Gallery(make_gallery('g', 'm', np.eye(3))))
    path = make_gallery('twice', 'm', np.eye(3), id=np.array(['a', 'b', 'a']))
    with pytest.raises(ValueError, match="twice' must be unique, got 1 that are not, such as 'a', 2 times"):
        check_unique_ids(Gallery(path))


def test_a_gallery_of_the_same_rows(store, tmp_path, items):
    source = open_source(store, options=OPTIONS)
    gallery = write_gallery(source, tmp_path / 'out/gallery')
    assert gallery.columns == source.columns and gallery.metadata == source.metadata
    for name in source.columns:
        assert np.array_equal(gallery.column(name), source.column(name))
    with pytest.raises(FileExistsError, match='`out` must not exist'):
        write_gallery(source, tmp_path / 'out/gallery')


def test_nothing_is_left_of_a_gallery_that_fails(tmp_path, items, capsys):
    items.vectors[9, 0] = np.nan
    path = write_npy(tmp_path / 'x.npy', items)
    with pytest.raises(ValueError, match='must be finite'):
        write_gallery(open_source(path, options=OPTIONS), tmp_path / 'out/gallery')
    assert not any((tmp_path / 'out').iterdir())
    items.vectors[9] = 0
    write_gallery(open_source(write_npy(tmp_path / 'x.npy', items), options=OPTIONS), tmp_path / 'out/gallery')
    assert '1 of 10 embeddings are all zero, which no model makes' in capsys.readouterr().out


@pytest.mark.parametrize(
    'words', [dict(side_model='s'), dict(fingerprint='a' * 64), dict(model='m', side_fingerprint='a' * 64)]
)
def test_half_a_model_is_refused(words):
    with pytest.raises(ValueError, match='` needs `(side_)?model` '):
        SourceOptions(**words)


def test_fingerprints_of_models(tmp_path, items):
    options = replace(OPTIONS, fingerprint='a' * 64, side_fingerprint='b' * 64)
    metadata = open_source(write_npy(tmp_path / 'x.npy', items), options=options).metadata
    assert metadata['embedding_model'] == dict(name='m', fingerprint='a' * 64)
    assert metadata['side_info_model'] == dict(name='s', fingerprint='b' * 64)
