"""How the chosen candidate grows with the number of pairs."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from mmfct.apis.learn_transform.judge import Fold, Scores
from mmfct.apis.learn_transform.problem import Problem
from mmfct.functional.bootstrap import bootstrap_interval
from mmfct.retrieval.transform.network import TransformNetwork

_SHARES = (0.1, 0.25, 0.5, 1.0)
_LEAST_PAIRS = 60
_WORTH = 0.005  # a doubling that brings less is not worth embedding for


class Fitter(Protocol):
    """What the curve needs of a comparison."""

    problem: Problem

    def fit(self, name: str, problem: Problem) -> TransformNetwork:
        """Fit a candidate."""

    def apply(self, network: TransformNetwork, fold: Fold) -> Tensor:
        """Transform the held-out inputs."""

    def score(self, predicted: Tensor, fold: Fold) -> Scores:
        """Score them."""


def learning_curve(name: str, fitter: Fitter, fold: Fold) -> dict[int, Scores]:
    """Fit a candidate to a tenth, a quarter, a half and all pairs of a fold, and score each on those held out."""
    order = fold.train[torch.randperm(len(fold.train), generator=torch.Generator().manual_seed(0))]
    found = {}
    for share in _SHARES:
        number = round(share * len(order))
        if number >= _LEAST_PAIRS:
            network = fitter.fit(name, fitter.problem.take(order[:number].sort().values))
            found[number] = fitter.score(fitter.apply(network, fold), fold)
    return found


def advice(curve: dict[int, Scores]) -> str:
    """Say whether more pairs would help, from what the last doubling brought on the same queries."""
    if len(curve) < 2:
        return 'too few pairs to say what more of them would bring'
    (before, fewer), (after, all_of_them) = sorted(curve.items())[-2:]
    gains = all_of_them.recalls[10] - fewer.recalls[10]
    low, high = (100 * end for end in bootstrap_interval(gains))
    gain = 100 * gains.mean().item()
    interval = f'95 % interval {low:.1f} to {high:.1f}'
    verb = 'rose' if gain > -0.05 else 'fell'
    said = f'from {before:,} to {after:,} pairs recall@10 {verb} by {abs(gain):.1f} points ({interval})'
    if low > 100 * _WORTH:
        return f'more pairs would help: {said}'
    if high < 2 * 100 * _WORTH:
        return f'enough pairs: {said}'
    if verb == 'fell':
        return f'too few held-out pairs to say whether more pairs would help: {said}'
    return f'more pairs may help a little: {said}'
