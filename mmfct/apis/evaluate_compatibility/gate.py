"""Decide whether it is safe to switch, from queries that both systems answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from mmfct.apis.evaluate_compatibility.gate_rule import AGREEMENT, DEFAULT_METRICS, LABELS, GateRule, evidence_of
from mmfct.evaluation.report import list_titles
from mmfct.functional.bootstrap import bootstrap_interval, share_interval
from mmfct.functional.compatibility import ROUNDING, negative_flips

# A bootstrap of fewer queries says too little about other queries.
_MIN_QUERIES = 30


@dataclass(frozen=True)
class Criterion:
    """Whether the candidate keeps one score.

    Args:
        num_queries: Number of queries that count in both systems.
        baseline: Mean score of today's system.
        candidate: Mean score of the system to switch to.
        difference: Candidate minus baseline.
        interval: Confidence interval of the difference over queries.
        better: Number of queries with a higher score.
        worse: Number of queries with a lower score.
        passed: Whether the interval lies above ``-margin``.
        differences: Candidate minus baseline of each query, of shape (num_queries,).
    """

    num_queries: int
    baseline: float
    candidate: float
    difference: float
    interval: tuple[float, float]
    better: int
    worse: int
    passed: bool
    differences: Tensor

    @property
    def is_loss(self) -> bool:
        """Whether the score is lower for certain, rather than not shown to be kept."""
        return self.interval[1] < -ROUNDING

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON, without the single queries."""
        return {name: value for name, value in vars(self).items() if name != 'differences'} | dict(
            interval=list(self.interval)
        )


@dataclass(frozen=True)
class FirstHits:
    """How many queries lose the first hit that they have today.

    Args:
        metric: ``cmc1``, or ``recall1`` without labels: the nearest neighbour is that of the new model.
        num_queries: Number of queries that count in both systems.
        lost: Number of queries whose nearest neighbour was more likely a match before.
        won: Number of queries whose nearest neighbour is more likely a match now.
        share: Share of the queries that lose theirs.
        interval: Confidence interval of the share.
        passed: Whether the interval lies below the limit; ``None`` without one.
    """

    metric: str
    num_queries: int
    lost: int
    won: int
    share: float
    interval: tuple[float, float]
    passed: bool | None


@dataclass(frozen=True)
class GateDecision:
    """Whether the candidate is as good as the baseline.

    Args:
        rule: What was asked.
        criteria: Score -> whether the candidate keeps it.
        first_hits: The queries that lose their first hit.
    """

    rule: GateRule
    criteria: Mapping[str, Criterion]
    first_hits: FirstHits

    @property
    def safe(self) -> bool:
        """Whether every criterion is passed."""
        return not self.failed and self.first_hits.passed is not False

    @property
    def failed(self) -> list[str]:
        """Names of the scores that are not kept."""
        return [name for name, criterion in self.criteria.items() if not criterion.passed]

    @property
    def evidence(self) -> list[str]:
        """Kinds of evidence that the criteria are."""
        return list(dict.fromkeys(map(evidence_of, self.criteria)))

    @property
    def verdict(self) -> str:
        """The decision in one sentence, with what stands against the switch."""
        reasons = [list_titles(self.failed)] if self.failed else []
        if self.first_hits.passed is False:
            reasons.append('the first hits that are lost')
        return f'Safe to switch: {"yes" if self.safe else "NO, because of " + " and ".join(reasons)}.'

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON, without the single queries."""
        return dict(
            rule=asdict(self.rule) | dict(metrics=list(self.criteria)),
            safe=self.safe,
            verdict=self.verdict,
            evidence=self.evidence,
            criteria={name: criterion.to_json() for name, criterion in self.criteria.items()},
            first_hits=asdict(self.first_hits) | dict(interval=list(self.first_hits.interval)),
        )


def decide(baseline: Mapping[str, Tensor], candidate: Mapping[str, Tensor], rule: GateRule) -> GateDecision:
    """Compare two systems by a paired bootstrap over queries.

    If no query changed, the interval of a mean has no width, which says nothing about other queries; that of the share
    of lost first hits has one.

    Args:
        baseline: Name -> score of Q queries in today's system; NaN where a query does not count. Those of ``METRICS``
            that the rule names, and ``cmc1`` or ``recall1``.
        candidate: Scores of the same queries in the other system.
        rule: What counts as safe.

    Raises:
        ValueError: If fewer than 30 queries count in both.
    """
    names = rule.metrics or DEFAULT_METRICS[LABELS if 'cmc1' in baseline else AGREEMENT]
    criteria = {name: _judge(baseline[name], candidate[name], rule) for name in dict.fromkeys(names)}
    first = 'cmc1' if evidence_of(next(iter(criteria))) == LABELS else 'recall1'
    return GateDecision(rule, criteria, _count_first_hits(first, baseline[first], candidate[first], rule))


def _judge(before: Tensor, after: Tensor, rule: GateRule) -> Criterion:
    counted = before.isfinite() & after.isfinite()
    if counted.sum() < _MIN_QUERIES:
        raise ValueError(
            f'at least {_MIN_QUERIES} queries must have a match in both galleries, got {int(counted.sum())} of '
            f'{len(counted)}'
        )
    before, after = before[counted], after[counted]
    differences = after - before
    interval = bootstrap_interval(differences, confidence=rule.confidence, resamples=rule.resamples, seed=rule.seed)
    return Criterion(
        num_queries=len(differences),
        baseline=before.mean().item(),
        candidate=after.mean().item(),
        difference=differences.mean().item(),
        interval=interval,
        better=int(negative_flips(after, before).sum()),
        worse=int(negative_flips(before, after).sum()),
        passed=interval[0] >= -rule.margin - ROUNDING,
        differences=differences,
    )


def _count_first_hits(metric: str, before: Tensor, after: Tensor, rule: GateRule) -> FirstHits:
    lost, won = int(negative_flips(before, after).sum()), int(negative_flips(after, before).sum())
    number = int((before.isfinite() & after.isfinite()).sum())
    interval = share_interval(lost, number, confidence=rule.confidence)
    passed = None if rule.max_lost is None else interval[1] <= rule.max_lost + ROUNDING
    return FirstHits(metric, number, lost, won, lost / number, interval, passed)
