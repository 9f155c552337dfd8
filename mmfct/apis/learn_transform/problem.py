"""What a transformation is fitted to: inputs and targets, in the form that the distance asks for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmfct.apis.learn_transform.pairs import Pairs
from mmfct.functional.linear_fits import Moments, RidgeFit, fit_ridge


@dataclass(frozen=True)
class Problem:
    """Inputs and targets of a fit.

    Args:
        old: Old embeddings of shape (N, D).
        side: Side-information of shape (N, S), or ``None``.
        new: Targets of shape (N, D').
        unit_inputs: Whether the network divides its inputs by their length; those here are divided already.
    """

    old: Tensor
    side: Tensor | None
    new: Tensor
    unit_inputs: bool

    @classmethod
    def of(cls, pairs: Pairs, *, input_normalised: bool = False) -> Problem:
        """Prepare pairs: with the cosine distance lengths are left out, of inputs and of targets.

        Args:
            pairs: The pairs.
            input_normalised: Whether lengths of the inputs are left out with any distance.
        """
        unit_targets = pairs.distance == 'cosine'
        unit_inputs = unit_targets or input_normalised
        old, side = pairs.old, pairs.side
        if unit_inputs:
            old, side = normalize(old, dim=1), None if side is None else normalize(side, dim=1)
        return cls(old, side, normalize(pairs.new, dim=1) if unit_targets else pairs.new, unit_inputs)

    def __len__(self) -> int:
        return len(self.old)

    def take(self, rows: Tensor) -> Problem:
        """Return some of the rows."""
        side = None if self.side is None else self.side[rows]
        return Problem(self.old[rows], side, self.new[rows], self.unit_inputs)

    def inputs(self, *, use_side: bool) -> Tensor:
        """Return the inputs of a linear map: (N, D), or (N, D + S) with side-information."""
        return self._joined if use_side and self.side is not None else self.old

    def moments(self, *, use_side: bool) -> Moments:
        """Return the moments of these inputs, computed once."""
        return self._moments if use_side else self._moments.first(self.old.shape[1])

    def ridge(self, penalties: tuple[float, ...], *, use_side: bool) -> RidgeFit:
        """Return the ridge regression of the targets on these inputs, computed once."""
        if (penalties, use_side) not in self._ridges:
            inputs, moments = self.inputs(use_side=use_side), self.moments(use_side=use_side)
            self._ridges[penalties, use_side] = fit_ridge(moments, inputs, self.new, penalties=penalties)
        return self._ridges[penalties, use_side]

    @cached_property
    def _ridges(self) -> dict[tuple[tuple[float, ...], bool], RidgeFit]:
        return {}

    @cached_property
    def _joined(self) -> Tensor:
        return self.old if self.side is None else torch.cat([self.old, self.side], dim=1)

    @cached_property
    def _moments(self) -> Moments:
        return Moments.of(self._joined, self.new)
