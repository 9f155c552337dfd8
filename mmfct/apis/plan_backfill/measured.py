"""What was measured of a partial backfill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mmfct.apis.plan_backfill.causes import Causes
from mmfct.apis.plan_backfill.sentences import Dips, dip_warnings
from mmfct.evaluation.backfill_curves import Curves, area, fractions, mean_curves
from mmfct.evaluation.backfill_dips import WATCHED, Interval, curve_bands, find_dip
from mmfct.evaluation.scores import SCORES
from mmfct.functional import QueryScores


@dataclass(frozen=True)
class Backfill:
    """Curves of partial backfills, and what is wrong with them.

    Args:
        points: Order -> scores of the queries at each point, see `backfill_points`.
        done: Fraction of the gallery that is recomputed already when the curves begin.
        dips: See `find_dips`.
        causes: What was found about the deepest dip; ``None`` without one.
        notes: Sentences for below the tables.
        caveats: Sentences about scores that are too good or mean nothing.
        transform: Fingerprint of the transform that made the upgraded vectors; ``None`` if the gallery does not say.
    """

    points: Mapping[str, list[QueryScores]]
    done: float = 0.0
    dips: Dips | None = None
    causes: Causes | None = None
    notes: Sequence[str] = ()
    caveats: Sequence[str] = ()
    transform: str | None = None

    @cached_property
    def curves(self) -> Curves:
        """Mean scores at each point."""
        return mean_curves(self.points)

    @cached_property
    def bands(self) -> dict[str, dict[str, list[Interval]]]:
        """Confidence intervals of the curves, each of which holds for all points at once."""
        return {
            order: {score: curve_bands(places, score) for score in SCORES} for order, places in self.points.items()
        }

    @property
    def areas(self) -> dict[str, dict[str, float]]:
        """Area under each curve."""
        return {
            name: {score: area(values) for score, values in scores.items()} for name, scores in self.curves.items()
        }

    @property
    def warnings(self) -> list[str]:
        """Sentences for above the tables."""
        return [*self.caveats, *dip_warnings(self.dips or {}, fractions(self.done), self.causes)]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON, without the single queries."""
        dips = {
            order: {score: dip._asdict() for score, dip in scores.items()}
            for order, scores in (self.dips or {}).items()
        }
        return dict(
            warnings=self.warnings,
            fractions=fractions(self.done),
            area=self.areas,
            curves=self.curves,
            intervals=self.bands,
            dips=dips,
            causes=self.causes and self.causes.to_json(),
            notes=list(self.notes),
        )


def find_dips(points: Mapping[str, list[QueryScores]]) -> Dips:
    """Look for falls in the curves of CMC-1 and mAP.

    Args:
        points: Order -> scores of the queries at each point.

    Returns:
        Order -> score -> fall, of those that fall.
    """
    found = {
        order: {score: dip for score in WATCHED if (dip := find_dip(places, score))}
        for order, places in points.items()
    }
    return {order: dips for order, dips in found.items() if dips}


def deepest_dip(dips: Dips) -> tuple[str, str] | None:
    """Return order and score of the deepest fall that rises again; ``None`` without any."""
    rising = [
        (dip.depth, order, score)
        for order, scores in dips.items()
        for score, dip in scores.items()
        if dip.below_end is not None
    ]
    return max(rising)[1:] if rising else None
