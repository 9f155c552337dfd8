"""Why a gallery gets worse while it is filled up: its lengths, or new vectors that attract all queries."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from mmfct.apis.plan_backfill.lengths import Lengths, Search, compare_lengths
from mmfct.evaluation.backfill_curves import POINTS, filled_up
from mmfct.evaluation.backfill_dips import Dip, Interval
from mmfct.evaluation.embedding_set import EmbeddingSet, rows_of
from mmfct.functional.bootstrap import share_interval
from mmfct.functional.neighbour_recall import nearest_rows


@dataclass(frozen=True)
class Attraction:
    """Whether queries prefer items that are recomputed, whatever their class.

    Args:
        recomputed: Share of the gallery that is.
        nearest: Share of the queries whose nearest neighbour is.
        interval: Interval of that share.
    """

    recomputed: float
    nearest: float
    interval: Interval


@dataclass(frozen=True)
class Causes:
    """What was found about a dip.

    Args:
        order: Order of the curve.
        score: Score of the curve.
        distance: How embeddings are compared.
        attraction: Whether queries prefer recomputed items.
        lengths: Lengths; ``None`` with the cosine distance, for which they do not matter.
    """

    order: str
    score: str
    distance: str
    attraction: Attraction
    lengths: Lengths | None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        best = self.lengths and self.lengths.best
        correction = None
        if self.lengths and best:
            slope, intercept = self.lengths.corrections[best].length
            correction = dict(kind=best, slope=slope, intercept=intercept)
        return asdict(self) | dict(correction=correction)


def find_causes(
    query: EmbeddingSet,
    upgraded: EmbeddingSet,
    new: EmbeddingSet,
    rows: np.ndarray,
    dip: Dip,
    *,
    order: str,
    score: str,
    distance: str,
    exclude: str,
) -> Causes:
    """Compare lengths and try other ones.

    Args:
        query: Queries by the new model.
        upgraded: The gallery before.
        new: The same rows by the new model.
        rows: Rows that are not recomputed yet, in the order of the curve.
        dip: What was found in it.
        order: Name of the order.
        score: Score of the curve.
        distance: See `backfill_curves`.
        exclude: See there.
    """
    attraction = _attraction(query, upgraded, new, rows, dip, distance)
    lengths = None
    if distance != 'cosine':
        search = Search(query, new, score, distance, exclude)
        lengths = compare_lengths(upgraded, new, rows, dip, search)
    return Causes(order, score, distance, attraction, lengths)


def _attraction(
    query: EmbeddingSet, upgraded: EmbeddingSet, new: EmbeddingSet, rows: np.ndarray, dip: Dip, distance: str
) -> Attraction:
    """Look where the nearest neighbour of each query comes from at the lowest point."""
    done = torch.ones(len(upgraded), dtype=torch.bool)
    done[torch.from_numpy(rows)] = False
    filled = rows[: dip.point * len(rows) // (POINTS - 1)]
    done[torch.from_numpy(filled)] = True
    own = rows_of(upgraded.ids, query.ids)
    mixed = filled_up(upgraded, new, filled).float()
    nearest = nearest_rows(query.embeddings.float(), mixed, 1, distance=distance, own_rows=own)[:, 0]
    hits = int(done[nearest].sum())
    return Attraction(done.double().mean().item(), hits / len(query), share_interval(hits, len(query)))
