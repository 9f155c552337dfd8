"""Accuracy of a gallery while it is recomputed, against the part that is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from mmfct.evaluation.embedding_set import EmbeddingSet
from mmfct.evaluation.scores import SCORES, mean_scores, score_pair
from mmfct.functional import QueryScores

POINTS = 22

# Order -> score -> value at each of the fractions.
Curves = dict[str, dict[str, list[float]]]


def backfill_curves(
    query: EmbeddingSet,
    upgraded: EmbeddingSet,
    new: EmbeddingSet,
    orders: Mapping[str, np.ndarray],
    *,
    distance: str = 'l2',
    exclude: str = 'matches',
) -> Curves:
    """Score queries while more and more of the gallery is replaced by embeddings of the new model.

    Args:
        query: Queries by the new model.
        upgraded: The gallery, in the space of the new model.
        new: The same rows by the new model.
        orders: Name -> rows in the order in which they are replaced. Rows that are recomputed already are left out.
        distance: ``l2``, ``cosine`` or ``inner``.
        exclude: See `score_pair`.

    Returns:
        For each order and score 22 values, at 0, 1/21, ..., 1 of these rows, rounded down. Source of the points:
        FastFill (arXiv 2303.04766).

    Raises:
        ValueError: If no query has a match.
    """
    return mean_curves(backfill_points(query, upgraded, new, orders, distance=distance, exclude=exclude))


def backfill_points(
    query: EmbeddingSet,
    upgraded: EmbeddingSet,
    new: EmbeddingSet,
    orders: Mapping[str, np.ndarray],
    *,
    distance: str = 'l2',
    exclude: str = 'matches',
) -> dict[str, list[QueryScores]]:
    """Score each query at the 22 points of `backfill_curves`, which has the arguments and errors.

    Returns:
        For each order the scores of the queries at each point; the same queries count at all of them.
    """

    def search(gallery: EmbeddingSet) -> QueryScores:
        scores = score_pair(query, gallery, distance=distance, exclude=exclude)
        if scores is None or not scores.counted.any():
            raise ValueError(f'a query must have a match in the gallery, got none among {len(query)} queries')
        return scores

    start = search(upgraded)
    end = search(new)

    def at(order: np.ndarray, number: int) -> QueryScores:
        if number in (0, len(order)):  # the same for all orders
            return start if number == 0 else end
        return search(replace(upgraded, embeddings=filled_up(upgraded, new, order[:number])))

    return {
        name: [at(order, point * len(order) // (POINTS - 1)) for point in range(POINTS)]
        for name, order in orders.items()
    }


def mean_curves(points: Mapping[str, list[QueryScores]]) -> Curves:
    """Average the result of `backfill_points` over the queries that count."""
    means = {name: [mean_scores(scores).means for scores in places] for name, places in points.items()}
    return {name: {score: [mean[score] for mean in places] for score in SCORES} for name, places in means.items()}


def filled_up(upgraded: EmbeddingSet, new: EmbeddingSet, rows: np.ndarray) -> Tensor:
    """Return the embeddings of a gallery with some rows replaced by those of the new model, of shape (G, D)."""
    chosen = torch.from_numpy(rows)
    embeddings = upgraded.embeddings.clone()
    embeddings[chosen] = new.embeddings[chosen].to(embeddings.dtype)
    return embeddings


def fractions(done: float = 0.0) -> list[float]:
    """Return the fractions of the gallery at which a curve is measured.

    Args:
        done: Fraction that is recomputed already when the curve begins.
    """
    return [done + (1 - done) * point / (POINTS - 1) for point in range(POINTS)]


def area(values: list[float]) -> float:
    """Return the area under a curve as FastFill computes it: the mean of its points."""
    return sum(values) / len(values)
