"""Linear maps between embeddings with closed-form solutions: Procrustes, ridge regression, reduced rank."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

# Relative to the mean variance of an input dimension.
PENALTIES = tuple(10.0 ** (exponent / 2) for exponent in range(-6, 7))
_MOST_ROWS = 2048  # whose leave-one-out errors choose the penalty
_ROWS_PER_CHUNK = 4096
_MOST_INFLATION = 10.0


class AffineMap(NamedTuple):
    """``rows @ weight + bias``.

    Attributes:
        weight: float64 of shape (D, D').
        bias: float64 of shape (D',).
    """

    weight: Tensor
    bias: Tensor

    def __call__(self, rows: Tensor) -> Tensor:
        """Map rows (N, D) to (N, D'), in their own precision."""
        return rows @ self.weight.to(rows.dtype) + self.bias.to(rows.dtype)


class RidgeFit(NamedTuple):
    """A ridge regression.

    Attributes:
        map: The map.
        penalty: The penalty, relative to the mean variance of an input dimension.
        error: Mean squared leave-one-out error, summed over the D' dimensions.
        mean_inputs: Mean input, of shape (D,).
        directions: Principal directions of the targets, of shape (D', R).
        shrinkage: Along each of them, standard deviation of the targets in proportion to that of leave-one-out
            predictions, of shape (R,).
        whitener: Matrix (D, K); a centred input times it has the input's leverage as its squared length.
    """

    map: AffineMap
    penalty: float
    error: float
    mean_inputs: Tensor
    directions: Tensor
    shrinkage: Tensor
    whitener: Tensor

    def left_out_errors(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Return the leave-one-out errors (N, D') of the rows that it was fitted on: target minus prediction."""
        whitened = (inputs - self.mean_inputs.to(inputs.dtype)) @ self.whitener.to(inputs.dtype)
        leverage = whitened.double().square().sum(dim=1, keepdim=True) + 1 / len(inputs)
        return (targets - self.map(inputs)) / (1 - leverage).clamp_min(1e-6).to(targets.dtype)

    def inflated(self, share: float) -> AffineMap:
        """Give back a part of the spread that regression takes.

        A regression shrinks most where it knows least, so that predictions differ less in some directions than
        targets do, and the other directions decide who is near. Here predictions are multiplied, along each principal
        direction of the targets, by the shrinkage to a power.

        Args:
            share: The power, between 0, which changes nothing, and 1, which gives back all of it.

        Raises:
            ValueError: If ``share`` is out of range.
        """
        if not 0 <= share <= 1:
            raise ValueError(f'`share` must lie between 0 and 1, got {share!r}')
        weight, bias = self.map
        added = weight @ self.directions * (self.shrinkage.clamp(1, _MOST_INFLATION) ** share - 1) @ self.directions.T
        return AffineMap(weight + added, bias - self.mean_inputs @ added)


class Moments(NamedTuple):
    """Means, and sums of products of centred rows, float64: all that linear fits need of many rows.

    Attributes:
        rows: Number N of rows.
        mean_inputs: Of shape (D,).
        mean_targets: Of shape (D',).
        inputs: Inputs times inputs, of shape (D, D).
        cross: Inputs times targets, of shape (D, D').
    """

    rows: int
    mean_inputs: Tensor
    mean_targets: Tensor
    inputs: Tensor
    cross: Tensor

    @classmethod
    def of(cls, inputs: Tensor, targets: Tensor) -> Moments:
        """Sum up inputs (N, D) and targets (N, D'), of floating types.

        Raises:
            ValueError: If the rows are not as many, or not at least two.
        """
        if inputs.dim() != 2 or targets.dim() != 2 or not len(inputs) == len(targets) >= 2:
            raise ValueError(
                '`inputs` and `targets` must be as many rows, at least two, got shapes '
                f'{tuple(inputs.shape)} and {tuple(targets.shape)}'
            )
        width = inputs.shape[1]
        means = inputs.mean(dim=0, dtype=torch.float64), targets.mean(dim=0, dtype=torch.float64)
        sums = [torch.zeros(*shape, dtype=torch.float64) for shape in ((width, width), (width, targets.shape[1]))]
        # Products in the precision of the rows, sums in float64: as exact as the rows, and twice as fast.
        for first in range(0, len(inputs), _ROWS_PER_CHUNK):
            part = slice(first, first + _ROWS_PER_CHUNK)
            left = inputs[part] - means[0].to(inputs.dtype)
            right = targets[part] - means[1].to(targets.dtype)
            for total, product in zip(sums, (left.T @ left, left.T @ right), strict=True):
                total += product
        return cls(len(inputs), *means, *sums)

    def first(self, width: int) -> Moments:
        """Return the moments of the first dimensions of the inputs alone."""
        return self._replace(
            mean_inputs=self.mean_inputs[:width], inputs=self.inputs[:width, :width], cross=self.cross[:width]
        )

    def with_mean(self, weight: Tensor) -> AffineMap:
        """Return the map with a weight (D, D') that takes the mean input to the mean target."""
        return AffineMap(weight, self.mean_targets - self.mean_inputs @ weight)


def fit_procrustes(moments: Moments) -> AffineMap:
    """Rotate, scale and shift inputs onto targets: orthogonal Procrustes with scale and mean.

    The narrower side counts as padded with zeros, so that widths may differ. Schönemann, "A generalized solution of
    the orthogonal Procrustes problem", Psychometrika 1966; with scale, Schönemann and Carroll, Psychometrika 1970.
    """
    left, values, right = torch.linalg.svd(moments.cross, full_matrices=False)
    rotation = left @ right
    scale = values.sum() / moments.inputs.diagonal().sum().clamp_min(1e-30)
    return moments.with_mean(scale * rotation)


def fit_ridge(
    moments: Moments, inputs: Tensor, targets: Tensor, *, penalties: Sequence[float] = PENALTIES
) -> RidgeFit:
    """Regress targets on inputs, with the penalty that has the smallest leave-one-out error.

    Leave-one-out errors are exact (Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, section
    7.10), those of up to 2,048 rows spread over all of them.

    Args:
        moments: Of inputs and targets.
        inputs: Rows (N, D), of a floating type.
        targets: Rows (N, D').
        penalties: Penalties to choose from, relative to the mean variance of an input dimension.

    Raises:
        ValueError: If a penalty is not positive.
    """
    if not penalties or min(penalties) <= 0:
        raise ValueError(f'`penalties` must be positive, got {tuple(penalties)}')
    values, vectors = _principal(inputs.double() - moments.mean_inputs, moments.inputs)
    unit = values.sum() / inputs.shape[1]  # N times the mean variance
    places = torch.arange(0, moments.rows, -(-moments.rows // _MOST_ROWS))
    wanted = targets[places].double() - moments.mean_targets
    directions = _principal(wanted, wanted.T @ wanted)[1]
    if len(places) < moments.rows and directions.shape[1] < targets.shape[1]:  # some rows do not span what all do
        directions = torch.eye(targets.shape[1], dtype=torch.float64)
    solution = vectors.T @ moments.cross @ directions

    rows = ((inputs[places].double() - moments.mean_inputs) @ vectors).to(inputs.dtype)
    wanted = (wanted @ directions).to(inputs.dtype)

    def predicted(penalty: float) -> Tensor:
        """Return leave-one-out predictions along the directions."""
        shrunk = 1 / (values + penalty * unit).clamp_min(1e-30)
        leverage = (rows.double().square() @ shrunk + 1 / moments.rows)[:, None].clamp_max(1 - 1e-6)
        residual = wanted - rows @ (solution * shrunk[:, None]).to(rows.dtype)
        return wanted - residual / (1 - leverage)

    errors = [(predicted(penalty) - wanted).square().mean(dim=0).sum().item() for penalty in penalties]
    best = penalties[errors.index(min(errors))]
    weight = vectors @ (solution / (values[:, None] + best * unit).clamp_min(1e-30)) @ directions.T
    spreads = [rows.double().square().mean(dim=0).sqrt() for rows in (wanted, predicted(best))]
    shrinkage = spreads[0] / spreads[1].clamp_min(1e-15)
    whitener = vectors / (values + best * unit).clamp_min(1e-30).sqrt()
    return RidgeFit(moments.with_mean(weight), best, min(errors), moments.mean_inputs, directions, shrinkage, whitener)


def _principal(centred: Tensor, products: Tensor) -> tuple[Tensor, Tensor]:
    """Return the variances, times N, along principal directions (D, R) of centred rows (N, D), and these.

    Of few rows by their products with one another, otherwise by those of the dimensions, (D, D).
    """
    if len(centred) >= centred.shape[1]:
        values, vectors = torch.linalg.eigh(products)
        return values.clamp_min(0), vectors
    values, left = torch.linalg.eigh(centred @ centred.T)
    kept = values > 1e-12 * values[-1]
    values = values[kept]
    return values, centred.T @ left[:, kept] / values.sqrt()


def reduce_rank(fit: AffineMap, moments: Moments, rank: int) -> tuple[Tensor, AffineMap]:
    """Return the best map of a rank to what a map predicts: reduced-rank regression.

    Izenman, "Reduced-rank regression for the multivariate linear model", Journal of Multivariate Analysis 1975.

    Args:
        fit: A map of D to D' dimensions.
        moments: Of the rows that it was fitted on.
        rank: Rank R, at most D'.

    Returns:
        A matrix of shape (D, R), and the map of its R results to D' dimensions.

    Raises:
        ValueError: If the rank is out of range.
    """
    most = min(fit.weight.shape)
    if not 1 <= rank <= most:
        raise ValueError(f'`rank` must lie in [1, {most}], got {rank}')
    directions = _leading(fit.weight, moments.inputs, rank)
    first = fit.weight @ directions
    mean = moments.mean_inputs @ fit.weight + fit.bias
    return first, AffineMap(directions.T.contiguous(), mean - moments.mean_inputs @ first @ directions.T)


def _leading(weight: Tensor, inputs: Tensor, rank: int) -> Tensor:
    """Return the leading principal directions (D', R) of what a weight (D, D') predicts for inputs of products (D, D).

    By the smaller of two problems: of D' dimensions, or of the D that all predictions lie in.
    """
    if weight.shape[0] >= weight.shape[1]:
        return torch.linalg.eigh(weight.T @ inputs @ weight).eigenvectors[:, -rank:]
    values, vectors = torch.linalg.eigh(inputs)
    root = values.clamp_min(0).sqrt()[:, None] * vectors.T  # root.T @ root are the products
    return torch.linalg.svd(root @ weight, full_matrices=False).Vh[:rank].T
