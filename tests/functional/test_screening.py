"""The compiled loops find what sorting finds, to the last rank, on rows that are hard to rank."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from mmfct.functional import _screening, query_scores

pytest.importorskip('numba', reason='the compiled loops need numba')


@pytest.fixture
def both_ways(monkeypatch):
    """Scores by sorting and by screening."""

    def score(*arguments, **options):
        monkeypatch.setattr(_screening, 'MIN_PAIRS', 10**18)
        by_sorting = query_scores(*arguments, **options)
        monkeypatch.setattr(_screening, 'MIN_PAIRS', 0)
        return by_sorting, query_scores(*arguments, **options)

    return score


def assert_same(by_sorting, by_screening):
    assert torch.equal(by_sorting.counted, by_screening.counted)
    assert by_sorting.counted.any()
    torch.testing.assert_close(by_sorting, by_screening, rtol=0, atol=1e-12, equal_nan=True)


def problem(queries=40, rows=3000, width=24, classes=30):
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(queries, width, generator=generator)
    gallery = torch.randn(rows, width, generator=generator)
    labels = torch.randint(0, classes, (queries + rows,), generator=generator)
    return query, gallery, labels[:queries], labels[queries:]


@pytest.mark.parametrize('distance', ['l2', 'cosine', 'inner'])
@pytest.mark.parametrize('classes', [2, 30, 1000])
def test_random_rows(both_ways, distance, classes):
    ids = {'query_ids': np.arange(40), 'gallery_ids': np.arange(3000) % 100}
    assert_same(*both_ways(*problem(classes=classes), distance=distance, **ids))


@pytest.mark.parametrize('distance', ['l2', 'cosine', 'inner'])
def test_rows_that_differ_by_less_than_float32_distances_can_tell(both_ways, distance):
    query, gallery, query_labels, gallery_labels = problem(width=64)
    gallery = 100 + gallery[:50].repeat(60, 1) + 1e-5 * gallery
    assert_same(*both_ways(query, gallery, query_labels, gallery_labels, distance=distance))


@pytest.mark.parametrize('scale', [0.0, 1e-30, 1e-12, 1e12, 1e30])
@pytest.mark.parametrize('distance', ['l2', 'cosine', 'inner'])
def test_rows_of_any_length(both_ways, scale, distance):
    query, gallery, query_labels, gallery_labels = problem(rows=300)
    gallery[::2] *= scale
    assert_same(*both_ways(query, gallery, query_labels, gallery_labels, distance=distance))


def test_more_rows_than_a_histogram_counts(both_ways):
    query, gallery, query_labels, gallery_labels = problem(queries=3, rows=70_000, width=4)
    gallery[::2] = 0  # 35,000 rows in one bin
    assert_same(*both_ways(query, gallery, query_labels, gallery_labels))


def test_a_query_does_not_depend_on_the_others_nor_on_chunks(monkeypatch):
    monkeypatch.setattr(_screening, 'MIN_PAIRS', 0)
    query, gallery, query_labels, gallery_labels = problem(rows=1000)
    gallery = gallery[:100].repeat(10, 1)
    whole = query_scores(query, gallery, query_labels, gallery_labels)
    for size in (1, 7, 40):
        chunked = query_scores(query, gallery, query_labels, gallery_labels, chunk_size=size)
        torch.testing.assert_close(chunked, whole, rtol=0, atol=1e-12, equal_nan=True)
        alone = query_scores(query[:size], gallery, query_labels[:size], gallery_labels)
        part = type(whole)(*(column[:size] for column in whole))
        torch.testing.assert_close(alone, part, rtol=0, atol=1e-12, equal_nan=True)


def test_reduced_precision_of_torch_does_not_matter(both_ways):
    arguments = problem()
    _, expected = both_ways(*arguments)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision('medium')
    try:
        with torch.autocast('cpu', dtype=torch.bfloat16):
            by_sorting, by_screening = both_ways(*arguments)
    finally:
        torch.set_float32_matmul_precision(before)
    assert_same(by_sorting, expected)
    assert_same(by_screening, expected)


def test_large_problems_are_sorted_without_numba(monkeypatch):
    monkeypatch.setattr(_screening, 'MIN_PAIRS', 0)
    arguments = problem(rows=200)
    expected = query_scores(*arguments)
    monkeypatch.setitem(sys.modules, 'mmfct.functional._screening_kernels', None)
    monkeypatch.delattr(sys.modules['mmfct.functional'], '_screening_kernels')
    _screening.load_kernels.cache_clear()
    try:
        assert _screening.load_kernels() is None
        assert_same(query_scores(*arguments), expected)
    finally:
        _screening.load_kernels.cache_clear()
