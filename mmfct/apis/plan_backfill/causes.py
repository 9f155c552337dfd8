"""Why a gallery gets worse while it is filled up: what attracts the queries, and what a correction changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from mmfct.apis.plan_backfill.corrections import Correction, Search, mean_interval, try_corrections
from mmfct.evaluation.backfill_curves import POINTS, filled_up
from mmfct.evaluation.backfill_dips import Dip, Interval
from mmfct.evaluation.embedding_set import EmbeddingSet, rows_of
from mmfct.functional.bootstrap import share_interval
from mmfct.functional.neighbour_recall import nearest_rows


@dataclass(frozen=True)
class Attraction:
    """Whether queries prefer items that are recomputed, or those that are not, whatever their class.

    Args:
        recomputed: Share of the gallery that is recomputed at the lowest point.
        nearest: Share of the queries whose nearest neighbour is.
        interval: Interval of that share.
    """

    recomputed: float
    nearest: float
    interval: Interval


@dataclass(frozen=True)
class Lengths:
    """Lengths of upgraded vectors beside those of the new ones of the same items.

    Args:
        upgraded: Mean length of upgraded vectors that are not recomputed.
        new: Mean length of the new ones.
        interval: Interval of the mean difference, new minus upgraded.
    """

    upgraded: float
    new: float
    interval: Interval


@dataclass(frozen=True)
class Causes:
    """What was found about a dip.

    Args:
        order: Order of the curve.
        score: Score of the curve.
        distance: How embeddings are compared.
        attraction: Whether queries prefer some items.
        lengths: Lengths of the vectors.
        corrections: See `try_corrections`.
    """

    order: str
    score: str
    distance: str
    attraction: Attraction
    lengths: Lengths
    corrections: Mapping[str, Correction]

    @property
    def best(self) -> str | None:
        """Name of the correction with the highest of the lowest points; ``None`` if none helps."""
        useful = [name for name, correction in self.corrections.items() if correction.helps]
        return max(useful, key=lambda name: self.corrections[name].lowest, default=None)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return dict(
            order=self.order,
            score=self.score,
            distance=self.distance,
            attraction=asdict(self.attraction),
            lengths=asdict(self.lengths),
            corrections={name: correction.to_json() for name, correction in self.corrections.items()},
            correction=self.best,
        )


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
    """Look at nearest neighbours and lengths, and try corrections.

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
    chosen = torch.from_numpy(rows)
    before, after = (torch.linalg.vector_norm(items.embeddings[chosen].double(), dim=1) for items in (upgraded, new))
    return Causes(
        order,
        score,
        distance,
        _attraction(query, upgraded, new, rows, dip, distance),
        Lengths(before.mean().item(), after.mean().item(), mean_interval(after - before)),
        try_corrections(upgraded, rows, Search(query, new, score, distance, exclude)),
    )


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
