"""What was learned, and how the candidates compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmfct.apis.learn_transform.judge import Scores, to_json
from mmfct.apis.learn_transform.pairs import Pairs


@dataclass(frozen=True)
class Candidate:
    """A candidate on held-out pairs.

    Args:
        scores: Its scores.
        seconds: Time of one fit.
        complete: Whether it was judged in all folds, not in the first alone.
        parts: Weights of a mixture by candidate.
    """

    scores: Scores
    seconds: float
    complete: bool
    parts: Mapping[str, float] = field(default_factory=dict)

    @property
    def rank(self) -> float:
        """What candidates are chosen by, larger is better."""
        return self.scores.choice if self.complete else -1.0


@dataclass(frozen=True)
class Learned:
    """A transformation that was learned from stored embeddings.

    Args:
        chosen: Name of the candidate that was written.
        asked: Whether it was asked for, instead of chosen by its scores.
        direction: ``gallery`` or ``query``.
        pairs: What it was learned from.
        candidates: All candidates by name.
        bounds: Scores of ``old/old`` and ``new/new``.
        curve: Number of pairs -> scores of the chosen candidate on the same held-out pairs.
        held_out: Number of pairs in each part that was held out, and searched on its own.
        seconds: Time of everything.
    """

    chosen: str
    asked: bool
    direction: str
    pairs: Pairs
    candidates: Mapping[str, Candidate]
    bounds: Mapping[str, Scores]
    curve: Mapping[int, Scores]
    held_out: Sequence[int]
    seconds: float

    def by_chance(self, k: int) -> float:
        """Recall@k of a search that finds any k of the other items of a part."""
        return sum(k * number / (number - 1) for number in self.held_out) / sum(self.held_out)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return dict(
            chosen=self.chosen,
            asked=self.asked,
            direction=self.direction,
            pairs=len(self.pairs),
            distance=self.pairs.distance,
            models={role: model.to_json() for role, model in self.pairs.models.items()},
            candidates={
                name: dict(to_json(one.scores), seconds=one.seconds, complete=one.complete, parts=dict(one.parts))
                for name, one in self.candidates.items()
            },
            bounds={name: to_json(scores) for name, scores in self.bounds.items()},
            held_out=list(self.held_out),
            curve={str(pairs): to_json(scores) for pairs, scores in self.curve.items()},
            notes=list(self.pairs.notes),
            seconds=self.seconds,
        )
