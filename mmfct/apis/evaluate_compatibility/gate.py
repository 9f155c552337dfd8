"""Decide whether it is safe to switch, from queries that both systems answered."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from mmfct.evaluation.pair import Pair
from mmfct.evaluation.scores import SCORES, scores_by_name
from mmfct.functional import QueryScores
from mmfct.functional.bootstrap import bootstrap_interval, check_bootstrap
from mmfct.functional.compatibility import ROUNDING, negative_flips

# A bootstrap of fewer queries says too little about other queries.
_MIN_QUERIES = 30


@dataclass(frozen=True)
class GateRule:
    """When a switch counts as safe.

    Args:
        metric: Score of a query that decides: ``map``, ``cmc1`` or ``cmc5``.
        baseline: Today's system, written ``query/gallery``.
        candidate: The system to switch to, written likewise.
        margin: Loss of the mean score that is tolerated, as a fraction.
        confidence: Confidence of the interval of the difference.
        resamples: Bootstrap samples.
        seed: Seed of the bootstrap.

    Raises:
        ValueError: If the margin is negative, an option is out of range, or a pair is written otherwise.
    """

    metric: str = 'map'
    baseline: str = 'old/old'
    candidate: str = 'new/upgraded'
    margin: float = 0.0
    confidence: float = 0.95
    resamples: int = 10000
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.margin >= 0:
            raise ValueError(f'`margin` must be at least 0, got {self.margin!r}')
        if self.metric not in SCORES:
            raise ValueError(f'`metric` must be one of {", ".join(SCORES)}, got {self.metric!r}')
        check_bootstrap(self.confidence, self.resamples)
        for pair in (self.baseline, self.candidate):
            Pair.parse(pair)  # raises

    @property
    def pairs(self) -> tuple[Pair, Pair]:
        """Baseline and candidate."""
        return Pair.parse(self.baseline), Pair.parse(self.candidate)


@dataclass(frozen=True)
class GateDecision:
    """Whether the candidate is as good as the baseline.

    Args:
        rule: What was asked.
        num_queries: Number of queries that count in both systems.
        baseline: Mean score of today's system.
        candidate: Mean score of the system to switch to.
        difference: Candidate minus baseline.
        interval: Confidence interval of the difference over queries.
        better: Number of queries with a higher score.
        worse: Number of queries with a lower score.
        lost: Number of queries whose nearest neighbour was more likely a match before.
        safe: Whether the interval lies above ``-margin``.
        differences: Candidate minus baseline of each query, of shape (num_queries,).
    """

    rule: GateRule
    num_queries: int
    baseline: float
    candidate: float
    difference: float
    interval: tuple[float, float]
    better: int
    worse: int
    lost: int
    safe: bool
    differences: Tensor

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON, without the single queries."""
        entries = {name: value for name, value in vars(self).items() if name != 'differences'}
        return entries | dict(rule=asdict(self.rule), interval=list(self.interval))


def decide(baseline: QueryScores, candidate: QueryScores, rule: GateRule) -> GateDecision:
    """Compare two systems by a paired bootstrap over queries.

    If no query changed, the interval has no width, which says nothing about other queries.

    Args:
        baseline: Scores of Q queries in today's system.
        candidate: Scores of the same queries in the other system.
        rule: What counts as safe.

    Raises:
        ValueError: If fewer than 30 queries count in both.
    """
    counted = baseline.counted & candidate.counted
    if counted.sum() < _MIN_QUERIES:
        raise ValueError(
            f'at least {_MIN_QUERIES} queries must have a match in both galleries, got {int(counted.sum())} of '
            f'{len(counted)}'
        )
    before, after = (scores_by_name(scores, rule.metric)[counted] for scores in (baseline, candidate))
    hits_before, hits_after = (scores_by_name(scores, 'cmc1')[counted] for scores in (baseline, candidate))
    differences = after - before
    interval = bootstrap_interval(differences, confidence=rule.confidence, resamples=rule.resamples, seed=rule.seed)
    return GateDecision(
        rule=rule,
        num_queries=len(differences),
        baseline=before.mean().item(),
        candidate=after.mean().item(),
        difference=differences.mean().item(),
        interval=interval,
        better=int(negative_flips(after, before).sum()),
        worse=int(negative_flips(before, after).sum()),
        lost=int(negative_flips(hits_before, hits_after).sum()),
        safe=interval[0] >= -rule.margin - ROUNDING,
        differences=differences,
    )
