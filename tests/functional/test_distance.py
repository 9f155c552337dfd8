"""Distances against their definitions, and of equal rows."""

from __future__ import annotations

import pytest
import torch

from mmfct.functional import pairwise_distances
from mmfct.functional.distance import ranking_terms
from mmfct.utils.distances import DISTANCES


def definition(q, g, distance):
    if distance == 'l2':
        return (q - g).square().sum().sqrt()
    if distance == 'cosine':
        return 1 - torch.dot(q, g) / (torch.dot(q, q).sqrt() * torch.dot(g, g).sqrt())
    return -torch.dot(q, g)


def rows(number, width=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(number, width, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize('distance', DISTANCES)
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_equals_the_definition(distance, dtype):
    query, gallery = rows(4).to(dtype), rows(6, seed=1).to(dtype)
    result = pairwise_distances(query, gallery, distance)
    pairs = [[definition(q, g, distance) for g in gallery.double()] for q in query.double()]
    expected = torch.tensor(pairs, dtype=torch.float64)
    assert result.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    torch.testing.assert_close(result, expected.to(result.dtype))


def test_cosine_divides_by_the_2_norm():
    query = torch.tensor([[3.0, 4.0]])
    gallery = torch.tensor([[6.0, 8.0], [-4.0, 3.0], [0.0, 0.0]])
    assert pairwise_distances(query, gallery, 'cosine').tolist() == [[0.0, 1.0, 1.0]]


def test_l2_of_close_long_vectors_does_not_cancel():
    query = torch.tensor([[1e6, 1e6]])
    gallery = torch.tensor([[1e6, 1e6 + 0.125], [1e6, 1e6]])
    assert pairwise_distances(query, gallery).tolist() == [[0.125, 0.0]]


@pytest.mark.parametrize('distance', DISTANCES)
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_equal_rows_have_equal_distances_in_any_order(distance, dtype):
    originals = rows(9, width=33).to(dtype)
    source = torch.randint(0, 9, (101,), generator=torch.Generator().manual_seed(1))
    query = rows(5, width=33, seed=2).to(dtype)
    result = pairwise_distances(query, originals[source], distance)
    assert torch.equal(result, pairwise_distances(query, originals, distance)[:, source])


@pytest.mark.parametrize('distance', DISTANCES)
def test_float32_distances_do_not_depend_on_the_chunks(distance):
    query, gallery = rows(20, width=33).float(), rows(40, width=33, seed=1).float()
    whole = pairwise_distances(query, gallery, distance)
    for size in (1, 3, 7):
        parts = [pairwise_distances(part, gallery, distance) for part in query.split(size)]
        assert torch.equal(torch.cat(parts), whole)


@pytest.mark.parametrize('distance', DISTANCES)
def test_ranking_terms_rank_as_the_distance(distance):
    query, gallery = rows(3), rows(50, seed=1)
    offset, weight = ranking_terms(gallery.norm(dim=1), distance)
    order = (offset + weight * (query @ gallery.T)).argsort(dim=1)
    assert torch.equal(order, pairwise_distances(query, gallery, distance).argsort(dim=1))


@pytest.mark.parametrize(
    ('query', 'gallery', 'distance', 'message'),
    [
        (rows(2), rows(2), 'l1', r"`distance` must be one of l2, cosine, inner, got 'l1'"),
        (rows(2)[0], rows(2), 'l2', r'`query` must be 2-D .*, got torch.float64 of shape \(5,\)'),
        (rows(2), rows(2).long(), 'l2', '`gallery` must be 2-D and of a floating type'),
        (rows(2), rows(0), 'l2', r'`gallery` must not be empty, got .* of shape \(0, 5\)'),
        (rows(2), rows(2, width=4), 'l2', 'same number of columns, got 5 and 4'),
    ],
)
def test_bad_input_is_refused(query, gallery, distance, message):
    with pytest.raises(ValueError, match=message):
        pairwise_distances(query, gallery, distance)
