"""Fixtures of the evaluation of galleries."""

from __future__ import annotations

import pytest

from mmfct.apis.evaluate_compatibility import evaluate_compatibility


@pytest.fixture
def evaluate(switch, tmp_path):
    """Evaluate the old and new queries on all three galleries, or on others."""

    def evaluate(**options):
        queries = options.pop('queries', dict(old=switch.old, new=switch.new))
        galleries = options.pop('galleries', dict(upgraded=switch.upgraded, new=switch.new, old=switch.old))
        return evaluate_compatibility(queries, galleries, tmp_path / 'out', **options)

    return evaluate
