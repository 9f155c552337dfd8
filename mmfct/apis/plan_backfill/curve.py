"""Accuracy of a gallery that is recomputed in part, against the part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import torch

from mmfct.apis.evaluate_compatibility.embedded_set import EmbeddedSet
from mmfct.apis.evaluate_compatibility.pairs import SCORES, mean_scores, score_pair

POINTS = 22

# Order -> score -> value at each of the fractions.
Curves = dict[str, dict[str, list[float]]]


def backfill_curves(
    query: EmbeddedSet, upgraded: EmbeddedSet, new: EmbeddedSet, orders: Mapping[str, np.ndarray]
) -> Curves:
    """Score queries while more and more of the gallery is replaced by embeddings of the new model.

    Args:
        query: Queries by the new model.
        upgraded: The gallery, in the space of the new model.
        new: The same rows by the new model.
        orders: Name -> rows in the order in which they are replaced; where some of the gallery are recomputed already,
            those that are left.

    Returns:
        For each order and score 22 values, at 0, 1/21, ..., 1 of these rows. Source of the points: FastFill (arXiv
        2303.04766).

    Raises:
        ValueError: If no query has a match.
    """

    @cache
    def whole(gallery: str) -> dict[str, float]:
        return mean_scores(score_pair(query, dict(upgraded=upgraded, new=new)[gallery]))

    if whole('upgraded')['num_queries'] == 0:
        raise ValueError(f'a query must have a match in the gallery, got none among {len(query.labels)} queries')

    def at(order: np.ndarray, number: int) -> dict[str, float]:
        if number in (0, len(order)):  # the same for all orders
            return whole('upgraded' if number == 0 else 'new')
        rows = torch.from_numpy(order[:number])
        embeddings = upgraded.embeddings.clone()
        embeddings[rows] = new.embeddings[rows].to(embeddings.dtype)
        return mean_scores(score_pair(query, replace(upgraded, embeddings=embeddings)))

    curves = {}
    for name, order in orders.items():
        scores = [at(order, round(fraction * len(order))) for fraction in fractions()]
        curves[name] = {score: [point[score] for point in scores] for score in SCORES}
    return curves


def fractions(done: float = 0.0) -> list[float]:
    """Fractions of the gallery that are recomputed where the curve is measured.

    Args:
        done: Fraction that is recomputed when the curve begins.
    """
    return [done + (1 - done) * point / (POINTS - 1) for point in range(POINTS)]


def area(values: list[float]) -> float:
    """Area under a curve as FastFill computes it: the plain mean of its points."""
    return sum(values) / len(values)
