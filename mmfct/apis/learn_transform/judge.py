"""Judge transformations on held-out pairs: by the new model's own neighbours, and by labels where there are any."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmfct.apis.learn_transform.pairs import Pairs
from mmfct.functional import pairwise_distances, query_scores
from mmfct.functional.neighbour_recall import nearest_rows, neighbour_recall
from mmfct.functional.retrieval_scores import UNKNOWN

NEIGHBOURS = (1, 10, 100)
_CHOSEN_BY = 10
_RANKED = 500  # items whose order is compared


@dataclass(frozen=True)
class Scores:
    """Scores of Q held-out queries by the new model, searched in a gallery of the other held-out items.

    Args:
        recalls: Recall@k of the new model's own neighbours by k, each of shape (Q,).
        rank_correlation: Mean Spearman correlation of the distances to other items.
        cosine: Mean cosine similarity of what a gallery holds and what the new model computes, or of mapped queries
            and what the old model computes; NaN where nothing was transformed.
        error: Squared error in proportion to the variance of the new embeddings, likewise.
        cmc1: CMC-1 of each query, NaN where it does not count, of shape (Q,); ``None`` without labels.
        average_precision: Average precision likewise.
    """

    recalls: dict[int, Tensor]
    rank_correlation: float
    cosine: float
    error: float
    cmc1: Tensor | None
    average_precision: Tensor | None

    @property
    def choice(self) -> float:
        """Score by which candidates are chosen: recall@10, as a fraction; recall@1 of few pairs is mostly noise."""
        return self.recalls[_CHOSEN_BY].mean().item()

    def means(self) -> dict[str, float]:
        """Return the mean of every score that could be measured, by name."""
        named = {f'recall@{k}': values.mean().item() for k, values in self.recalls.items()}
        named |= dict(rank_correlation=self.rank_correlation, cosine=self.cosine, error=self.error)
        for name, values in (('cmc1', self.cmc1), ('map', self.average_precision)):
            if values is not None:
                named[name] = values.nanmean().item()
        return {name: value for name, value in named.items() if not math.isnan(value)}


@dataclass(frozen=True)
class Fold:
    """Pairs to learn from, and pairs to judge by: rows of all pairs."""

    train: Tensor
    held_out: Tensor


def make_folds(items: Tensor, *, folds: int, one_fold_from: int, max_held_out: int, seed: int) -> list[Fold]:
    """Cut pairs into parts that are held out one after the other; many pairs, into a single one.

    Args:
        items: Number of the item of each pair, of shape (N,). Of several views of an item the first is held out, and
            the others are not learned from meanwhile.
        folds: Number of parts.
        one_fold_from: Number of pairs from which one part alone is held out.
        max_held_out: Most items of that part.
        seed: Seed of the cut.

    Raises:
        ValueError: If a part is too small for ten neighbours.
    """
    _, first, item = np.unique(items.numpy(), return_index=True, return_inverse=True)
    number, single = len(first), len(items) >= one_fold_from
    size = min(max_held_out, number // folds) if single else number // folds
    if size <= _CHOSEN_BY:
        raise ValueError(
            f'each part that is held out must have more than {_CHOSEN_BY} pairs, got {size} of {number} pairs; give '
            'fewer `folds`, or a larger `max_held_out`'
        )
    order = torch.randperm(number, generator=torch.Generator().manual_seed(seed))
    parts = [order[:size]] if single else order.tensor_split(folds)
    held_out = [part.sort().values.numpy() for part in parts]
    return [
        Fold(torch.from_numpy(np.flatnonzero(~np.isin(item, part))), torch.from_numpy(np.sort(first[part])))
        for part in held_out
    ]


def score(pairs: Pairs, gallery: Tensor, queries: Tensor | None = None) -> Scores:
    """Score a gallery of all pairs, in which each item is searched by its query but is never found itself.

    Args:
        pairs: Held-out pairs.
        gallery: What the gallery holds for them, of shape (N, D').
        queries: Queries of shape (N, D'); ``None`` for the new embeddings.
    """
    made, meant = (gallery, pairs.new) if queries is None else (queries, pairs.old)
    queries = pairs.new if queries is None else queries
    own = torch.arange(len(pairs))
    most = max(k for k in NEIGHBOURS if k < len(pairs))
    right = nearest_rows(pairs.new, pairs.new, most, distance=pairs.distance, own_rows=own)
    found = nearest_rows(queries, gallery, most, distance=pairs.distance, own_rows=own)
    recalls = {k: neighbour_recall(found, right, k) for k in NEIGHBOURS if k <= most}
    cmc1 = precision = None
    if pairs.labels is not None and (pairs.labels != UNKNOWN).any():
        scores = query_scores(
            queries,
            gallery,
            pairs.labels,
            pairs.labels,
            query_ids=own,
            gallery_ids=own,
            distance=pairs.distance,
            topk=(1,),
        )
        cmc1, precision = scores.cmc[:, 0], scores.average_precision
    same = (
        made.shape == meant.shape and made is not pairs.old
    )  # old embeddings themselves are not meant to be anything
    return Scores(
        recalls,
        _rank_correlation(pairs, gallery, queries),
        (normalize(made, dim=1) * normalize(meant, dim=1)).sum(1).mean().item() if same else math.nan,
        _relative_error(made, meant, pairs.distance) if same else math.nan,
        cmc1,
        precision,
    )


def pooled(parts: list[Scores]) -> Scores:
    """Put the scores of several folds together."""
    rows = torch.tensor([float(len(part.recalls[1])) for part in parts])

    def mean(values: list[float]) -> float:
        return (torch.tensor(values) * rows).sum().item() / rows.sum().item()

    def joined(name: str) -> Tensor | None:
        columns = [getattr(part, name) for part in parts]
        return None if any(column is None for column in columns) else torch.cat(columns)

    shared = [k for k in NEIGHBOURS if all(k in part.recalls for part in parts)]
    return Scores(
        {k: torch.cat([part.recalls[k] for part in parts]) for k in shared},
        mean([part.rank_correlation for part in parts]),
        mean([part.cosine for part in parts]),
        mean([part.error for part in parts]),
        joined('cmc1'),
        joined('average_precision'),
    )


def bounds(pairs: Pairs, folds: list[Fold]) -> dict[str, Scores]:
    """Score the old system, ``old/old``, by what it finds of the new model's neighbours, and the goal, ``new/new``."""
    held_out = [pairs.take(fold.held_out) for fold in folds]
    return {
        'old/old': pooled([score(part, part.old, part.old) for part in held_out]),
        'new/new': pooled([score(part, part.new) for part in held_out]),
    }


def _rank_correlation(pairs: Pairs, gallery: Tensor, queries: Tensor) -> float:
    """Mean over queries of Spearman's correlation of the distances to other items, found and right."""
    rows = torch.arange(0, len(pairs), -(-len(pairs) // _RANKED))
    found = pairwise_distances(queries[rows], gallery[rows], pairs.distance)
    right = pairwise_distances(pairs.new[rows], pairs.new[rows], pairs.distance)
    others = ~torch.eye(len(rows), dtype=torch.bool)
    ranks = [values[others].view(len(rows), -1).argsort(dim=1).argsort(dim=1).double() for values in (found, right)]
    centred = [values - values.mean(dim=1, keepdim=True) for values in ranks]
    products = (centred[0] * centred[1]).sum(1) / (centred[0].norm(dim=1) * centred[1].norm(dim=1)).clamp_min(1e-12)
    return products.mean().item()


def _relative_error(made: Tensor, meant: Tensor, distance: str) -> float:
    """Squared error in proportion to the variance; with the cosine distance, of vectors divided by their length."""
    if distance == 'cosine':
        made, meant = normalize(made, dim=1), normalize(meant, dim=1)
    return ((made - meant).square().sum() / (meant - meant.mean(0)).square().sum().clamp_min(1e-30)).item()


def to_json(scores: Scores) -> dict[str, Any]:
    """Return the means, and the number of queries, as plain JSON."""
    return {**scores.means(), 'num_queries': len(scores.recalls[1])}
