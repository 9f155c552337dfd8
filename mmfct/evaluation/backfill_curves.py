"""Accuracy of a gallery while it is recomputed, against the part that is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from mmfct.evaluation.embedding_set import EmbeddingSet
from mmfct.evaluation.scores import SCORES, mean_scores, score_pair
from mmfct.functional import MeanScores

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

    def search(gallery: EmbeddingSet) -> MeanScores:
        return mean_scores(score_pair(query, gallery, distance=distance, exclude=exclude))

    start = search(upgraded)
    if start.num_queries == 0:
        raise ValueError(f'a query must have a match in the gallery, got none among {len(query)} queries')

    end = search(new)

    def at(order: np.ndarray, number: int) -> MeanScores:
        if number in (0, len(order)):  # the same for all orders
            return start if number == 0 else end
        rows = torch.from_numpy(order[:number])
        embeddings = upgraded.embeddings.clone()
        embeddings[rows] = new.embeddings[rows].to(embeddings.dtype)
        return search(replace(upgraded, embeddings=embeddings))

    curves = {}
    for name, order in orders.items():
        points = [at(order, point * len(order) // (POINTS - 1)) for point in range(POINTS)]
        curves[name] = {score: [point.means[score] for point in points] for score in SCORES}
    return curves


def fractions(done: float = 0.0) -> list[float]:
    """Return the fractions of the gallery at which a curve is measured.

    Args:
        done: Fraction that is recomputed already when the curve begins.
    """
    return [done + (1 - done) * point / (POINTS - 1) for point in range(POINTS)]


def area(values: list[float]) -> float:
    """Return the area under a curve as FastFill computes it: the mean of its points."""
    return sum(values) / len(values)
