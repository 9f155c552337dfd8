"""What a gate asks for: when a switch counts as safe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mmfct.apis.evaluate_compatibility.agreement import RECALLS
from mmfct.evaluation.pair import Pair
from mmfct.evaluation.scores import SCORES
from mmfct.functional.bootstrap import check_bootstrap

# Kinds of evidence, and the scores that decide where the user names none.
LABELS, AGREEMENT = 'labels', 'agreement with the new model'
DEFAULT_METRICS = {LABELS: ('cmc1', 'map'), AGREEMENT: RECALLS}
METRICS = (*SCORES, *RECALLS)


def evidence_of(metric: str) -> str:
    """Return the kind of evidence that a score is."""
    return AGREEMENT if metric in RECALLS else LABELS


@dataclass(frozen=True)
class GateRule:
    """When a switch counts as safe: if it passes every criterion, so that a gain in one cannot hide a loss in another.

    Every criterion has the confidence that was asked for. Since all of them must pass, more criteria make a wrong
    "safe" no more likely (an intersection-union test: Berger, 1982).

    Args:
        metrics: Scores of a query that must not fall: some of ``cmc1``, ``cmc5`` and ``map``, which need labels, and
            ``recall1`` and ``recall10``, agreement with the new model. Without any: ``cmc1`` and ``map`` where there
            are labels, else both of the agreement.
        baseline: Today's system, written ``query/gallery``.
        candidate: The system to switch to, written likewise.
        margin: Loss of a mean score that is tolerated, as a fraction.
        max_lost: Largest share of the queries that may lose their first hit; ``None`` for any. ``cmc1`` judges the net
            change of first hits already. Two models that are equally good exchange some percent of them, so a limit
            is for those to whom a hit that is lost costs more than one that is won.
        confidence: Confidence of the intervals.
        resamples: Bootstrap samples.
        seed: Seed of the bootstrap.

    Raises:
        ValueError: If an option is out of range, or a pair is written otherwise.
    """

    metrics: Sequence[str] = ()
    baseline: str = 'old/old'
    candidate: str = 'new/upgraded'
    margin: float = 0.0
    max_lost: float | None = None
    confidence: float = 0.95
    resamples: int = 10000
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.margin >= 0:
            raise ValueError(f'`margin` must be at least 0, got {self.margin!r}')
        if self.max_lost is not None and not 0 <= self.max_lost <= 1:
            raise ValueError(f'`max_lost` must be a share in [0, 1], or None for no limit, got {self.max_lost!r}')
        for name in [self.metrics] if isinstance(self.metrics, str) else self.metrics:
            if isinstance(self.metrics, str) or name not in METRICS:
                raise ValueError(f'`metrics` must be a list of some of {", ".join(METRICS)}, got {name!r}')
        check_bootstrap(self.confidence, self.resamples)
        for pair in (self.baseline, self.candidate):
            Pair.parse(pair)  # raises

    @property
    def pairs(self) -> tuple[Pair, Pair]:
        """Baseline and candidate."""
        return Pair.parse(self.baseline), Pair.parse(self.candidate)
