"""Learned weights of losses: the objective in a log-variance, and its gradient."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class WeightForm(NamedTuple):
    """A loss ``l`` under log-variance ``s`` becomes ``factor * exp(-exponent * s) * l + s / 2``."""

    factor: float
    exponent: float


# The first and third are those of uncertainty weighting (Kendall et al., arXiv 1705.07115, equations 7 and 10): the
# negative log-likelihood of a normal distribution, and an approximation of that of a scaled softmax. Absolute errors
# belong to a Laplace distribution, whose scale is taken as exp(s / 2).
WEIGHT_FORMS = {
    'gaussian': WeightForm(0.5, 1.0),
    'laplace': WeightForm(1.0, 0.5),
    'classification': WeightForm(1.0, 1.0),
}


def weight_form(name: str) -> WeightForm:
    """Return a form by its name.

    Raises:
        ValueError: If there is none of this name.
    """
    if name not in WEIGHT_FORMS:
        raise ValueError(f'`form` must be one of {sorted(WEIGHT_FORMS)}, got {name!r}')
    return WEIGHT_FORMS[name]


def task_weights(log_variance: Tensor, factor: Tensor | float, exponent: Tensor | float) -> Tensor:
    """Return the weights ``k exp(-a s)`` of log-variances s, of any shape."""
    return factor * torch.exp(-exponent * log_variance)


def weighted_losses(losses: Tensor, log_variance: Tensor, factor: Tensor | float, exponent: Tensor | float) -> Tensor:
    """Return ``k exp(-a s) l + s / 2``, element by element.

    Args:
        losses: Losses l of shape (B, T).
        log_variance: Log-variances s, broadcastable to (B, T).
        factor: k, per task.
        exponent: a, per task.
    """
    return task_weights(log_variance, factor, exponent) * losses + 0.5 * log_variance


def log_variance_gradient(
    losses: Tensor, log_variance: Tensor, factor: Tensor | float, exponent: Tensor | float
) -> Tensor:
    """Return the derivative of :func:`weighted_losses` in s, ``1/2 - a k exp(-a s) l``, of shape (B, T).

    It is that of each instance's own objective, not of their mean: an instance occurs once per epoch, and its step
    must not depend on the batch size.
    """
    return 0.5 - exponent * task_weights(log_variance, factor, exponent) * losses


def starting_log_variance(losses: Tensor, factor: Tensor | float, exponent: Tensor | float) -> Tensor:
    """Return the log-variances that make :func:`weighted_losses` of losses l > 0 least: ``log(2 a k l) / a``."""
    return (2 * exponent * factor * losses).log() / exponent


def mean_over_valid(values: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Average the valid elements of each instance.

    Args:
        values: Losses of shape (B, ...), finite (a NaN may get into the gradient even where it is invalid).
        valid: Booleans of the same shape.

    Returns:
        Means (B,), float32 or better, 0 where an instance has no valid element, and booleans (B,): whether it has
        one.
    """
    values, valid = values[..., None].flatten(1), valid[..., None].flatten(1)
    counts = valid.sum(dim=1)
    # The sum over the pixels of an image overflows half precision.
    sums = torch.where(valid, values, 0.0).sum(dim=1, dtype=torch.promote_types(values.dtype, torch.float32))
    return sums / counts.clamp(min=1), counts > 0
