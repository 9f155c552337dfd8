"""Sets of one model that are to be compared by different distances are refused wherever they meet."""

from __future__ import annotations

import numpy as np
import pytest

from mmfct.apis.build_index import index_gallery
from mmfct.apis.evaluate_compatibility import evaluate_compatibility
from mmfct.apis.mix_galleries import mix_galleries
from mmfct.apis.plan_backfill import plan_backfill
from mmfct.apis.search_gallery import search_gallery


@pytest.fixture
def sets(make_gallery):
    """Folders of the same rows by ``l2`` and by ``cosine``."""
    rows, labels = np.random.default_rng(0).standard_normal((12, 4)), np.arange(12) % 3
    return [make_gallery(distance, 'm', rows, distance=distance, label=labels) for distance in ('l2', 'cosine')]


@pytest.mark.parametrize(
    ('what', 'compare'),
    [
        ('queries', lambda l2, cosine, out: search_gallery(cosine, l2)),
        ('queries', lambda l2, cosine, out: index_gallery(cosine, out / 'g.faiss', query=l2)),
        ("queries 'q'", lambda l2, cosine, out: evaluate_compatibility(dict(q=l2), dict(g=cosine), out)),
        ('queries', lambda l2, cosine, out: plan_backfill(cosine, out, new=cosine, query=l2)),
        ('new embeddings', lambda l2, cosine, out: plan_backfill(cosine, out, new=l2)),
        ('recomputed embeddings', lambda l2, cosine, out: mix_galleries(cosine, l2, out / 'mixed')),
    ],
    ids=['search', 'index', 'evaluate', 'curve', 'plan', 'mix'],
)
def test_one_distance_wherever_two_sets_meet(sets, tmp_path, what, compare):
    message = f"^{what} and gallery must have the same `distance`, got 'l2' and 'cosine'; make the {what} with"
    with pytest.raises(ValueError, match=message):
        compare(*sets, tmp_path)


def test_a_pair_that_is_asked_for_has_the_distance_of_the_gallery(sets, tmp_path):
    l2, cosine = sets
    scores = [
        evaluate_compatibility(dict(q=queries), dict(g=cosine), tmp_path, also=['q/g']).scores
        for queries in (l2, cosine)
    ]
    assert scores[0] == scores[1]
