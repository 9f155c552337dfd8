"""What the inputs of a transform looked like when it was learned, to refuse vectors that come from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

_QUANTILES = (0.0, 0.01, 0.25, 0.5, 0.75, 0.99, 1.0)
_DIRECTIONS = 32
_MOST_ROWS = 20_000  # that directions are found from
_ENOUGH_ROWS = 100  # to judge by more than lengths
_UNIT = 2e-3  # float16 rounds lengths this much
_SCALE = 2.0
# Of the typical length: a mean that is not at zero, and one that is, as of vectors that somebody centred.
_OFF_CENTRE, _CENTRED = 0.4, 0.15


class Difference(NamedTuple):
    """How rows differ from those that a profile was measured on, and what someone who transforms them may do."""

    fact: str
    advice: str


@dataclass(frozen=True)
class InputProfile:
    """The distribution of one input of a transform.

    Args:
        rows: Number of rows that it was measured on.
        norms: Quantiles of their 2-norms at 0, 1, 25, 50, 75, 99 and 100 %.
        captured: Share of the variance along the directions; of rows that these were not found from.
        mean: Mean row of shape (D,); of unit rows where the transform divides inputs by their length.
        directions: Leading principal directions of shape (D, K), orthonormal.
    """

    rows: int
    norms: tuple[float, ...]
    captured: float
    mean: Tensor
    directions: Tensor

    @classmethod
    def of(cls, rows: Tensor, *, unit: bool) -> InputProfile:
        """Measure rows of shape (N, D); ``unit`` says whether the transform divides them by their length."""
        norms = rows.double().norm(dim=1)
        quantiles = torch.quantile(_thinned(norms), torch.tensor(_QUANTILES, dtype=torch.float64))
        values = _thinned(normalize(rows, dim=1) if unit else rows).double()
        mean, directions = _principal(values)
        # Of few rows in many dimensions, directions capture more than they do of any others.
        halves = values[::2], values[1::2]
        enough = len(values) >= _ENOUGH_ROWS
        captured = _captured(halves[1], *_principal(halves[0])) if enough else _captured(values, mean, directions)
        return cls(len(rows), tuple(quantiles.tolist()), captured, mean.float(), directions.float().contiguous())

    @property
    def is_unit(self) -> bool:
        """Whether (nearly) all rows had length 1."""
        return max(abs(self.norms[1] - 1), abs(self.norms[5] - 1)) < _UNIT

    def objection(self, rows: Tensor, *, unit: bool) -> str | None:
        """Say why rows of shape (N, D) cannot come from where the training rows did; ``None`` if they may.

        Lengths are compared unless the transform ignores them. With a hundred rows or more, so is the share of their
        variance about the training mean along the training rows' principal directions: vectors of another model have
        theirs elsewhere. Half of the share is required, since other classes of the same model lie a little elsewhere.
        """
        difference = self.difference(rows, unit=unit, known='those it was learned from')
        return difference and f'{difference.fact}: {difference.advice}'

    def difference(self, rows: Tensor, *, unit: bool, known: str) -> Difference | None:
        """Say how rows differ from those that were measured, which the sentence calls ``known``; see `objection`."""
        norms = _thinned(rows).double().norm(dim=1)
        low, median, high = torch.quantile(norms, torch.tensor([0.01, 0.5, 0.99], dtype=torch.float64)).tolist()
        lengths = f'{self.norms[3]:.4g} ({self.norms[1]:.4g} to {self.norms[5]:.4g})'
        if not unit:
            if max(abs(low - 1), abs(high - 1)) < _UNIT and not self.is_unit:
                return Difference(
                    f'all have length 1, and {known} have lengths around {lengths}',
                    'somebody normalised them, as vector databases do in collections with the cosine distance; read '
                    'the original vectors, or learn the transform with `--input-normalised`',
                )
            if not self.norms[1] / _SCALE <= median <= self.norms[5] * _SCALE:
                return Difference(
                    f'have lengths around {median:.4g}, and {known} around {lengths}',
                    'they are of another model, or in another scale',
                )
        if len(rows) < _ENOUGH_ROWS:
            return None
        values = (normalize(rows, dim=1) if unit else rows).double()
        means = [mean.double().norm().item() for mean in (self.mean, values.mean(dim=0))]
        length = values.square().sum(dim=1).mean().sqrt().item()
        scale = 1.0 if unit else self.norms[3]
        if means[0] > _OFF_CENTRE * scale and means[1] < _CENTRED * length:
            return Difference(
                f'have their mean at zero, and {known} have it at a length of {means[0]:.3g}',
                'somebody centred them, or they are of another model',
            )
        captured = _captured(values, self.mean.double(), self.directions.double())
        if captured < self.captured / 2:
            return Difference(
                f'vary in other directions than {known} ({captured:.0%} of their variance is where '
                f'{self.captured:.0%} should)',
                'they are of another model, or of other items than it was learned for; learn the transform with pairs '
                'of these items',
            )
        return None

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as plain JSON; :meth:`tensors` returns the rest."""
        return dict(rows=self.rows, norms=list(self.norms), captured=self.captured)

    def tensors(self) -> dict[str, Tensor]:
        """Return mean and directions by name."""
        return dict(mean=self.mean, directions=self.directions)

    @classmethod
    def from_parts(cls, entries: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> InputProfile:
        """Read what :meth:`to_json` and :meth:`tensors` returned.

        Raises:
            KeyError: If an entry or a tensor is missing.
            ValueError: If there are not seven quantiles.
        """
        norms = tuple(float(value) for value in entries['norms'])
        if len(norms) != len(_QUANTILES):
            raise ValueError(f'`norms` must be {len(_QUANTILES)} quantiles, got {norms}')
        return cls(int(entries['rows']), norms, float(entries['captured']), tensors['mean'], tensors['directions'])


def _principal(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean (D,) and the leading principal directions (D, K) of rows (N, D)."""
    mean = rows.mean(dim=0)
    centred = rows - mean
    number = min(_DIRECTIONS, max(1, rows.shape[1] // 4))
    return mean, torch.linalg.eigh(centred.T @ centred).eigenvectors[:, -number:].flip(1)


def _captured(rows: Tensor, mean: Tensor, directions: Tensor) -> float:
    """Return the share of the squared deviations of rows (N, D) from a mean that lies along directions (D, K)."""
    centred = rows - mean
    return ((centred @ directions).square().sum() / centred.square().sum().clamp_min(1e-30)).item()


def _thinned(rows: Tensor) -> Tensor:
    """Return rows spread evenly over all, at most `_MOST_ROWS`."""
    return rows[:: -(-len(rows) // _MOST_ROWS)]
