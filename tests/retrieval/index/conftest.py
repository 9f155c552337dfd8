"""Galleries to search, and queries."""

from __future__ import annotations

import numpy as np
import pytest

from mmfct.retrieval import Gallery


@pytest.fixture
def queries():
    return np.random.default_rng(1).standard_normal((6, 8)).astype(np.float32)


@pytest.fixture
def make(make_gallery):
    """Make a gallery of 80 rows of width 8."""

    def make(name='g', model='new', distance='l2', seed=0) -> Gallery:
        embedding = np.random.default_rng(seed).standard_normal((80, 8))
        return Gallery(make_gallery(name, model, embedding, distance=distance, shard_rows=30))

    return make
