"""Losses weighted by a predicted variance."""

from __future__ import annotations

import torch
from torch import Tensor


def heteroscedastic_loss(losses: Tensor, log_variance: Tensor) -> Tensor:
    """Weight each loss by its predicted log-variance: ``exp(-s) l / 2 + s / 2``.

    FastFill (arXiv 2303.04766) uses it to predict which items of a gallery are transformed badly.

    Args:
        losses: Losses l of shape (B,).
        log_variance: Log-variances s of shape (B,).

    Returns:
        Weighted losses of shape (B,).
    """
    return 0.5 * (torch.exp(-log_variance) * losses + log_variance)
