"""Linear upgrades with a closed-form solution."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mmfct.apis.compare_methods.table import Table, method_inputs
from mmfct.apis.compare_methods.upgraded import Upgraded

# Relative to the variance of a standardised input; the leave-one-out error on the training rows selects one.
_PENALTIES = np.logspace(-4, 2, 13)


def keep(test: Table) -> Upgraded:
    """Leave the stored embeddings as they are."""
    old = test['old'].embeddings
    return Upgraded(old, 0, 0, old.shape[1])


def rotate(train: Table, test: Table) -> Upgraded:
    """Rotate old embeddings onto new ones: orthogonal Procrustes between centred embeddings.

    Schönemann, A generalized solution of the orthogonal Procrustes problem, 1966. The narrower side is padded with
    zeros, so that models may differ in width.
    """
    from scipy.linalg import orthogonal_procrustes

    old, new = (train[role].embeddings.double().numpy() for role in ('old', 'new'))
    width = max(old.shape[1], new.shape[1])
    rotation, _ = orthogonal_procrustes(_pad(old - old.mean(0), width), _pad(new - new.mean(0), width))
    rotation = rotation[: old.shape[1], : new.shape[1]]
    return _linear(test['old'].embeddings, rotation, new.mean(0) - old.mean(0) @ rotation)


def regress(train: Table, test: Table, *, use_side: bool) -> Upgraded:
    """Ridge regression of new embeddings; its penalty has the smallest leave-one-out error on the training rows."""
    from sklearn.linear_model import RidgeCV

    inputs = method_inputs(train, use_side=use_side).double().numpy()
    new = train['new'].embeddings.double().numpy()
    # Standardised, or the penalty would depend on the scale of a dimension.
    mean, scale = inputs.mean(0), np.maximum(inputs.std(0), 1e-12)
    model = RidgeCV(_PENALTIES * len(inputs)).fit((inputs - mean) / scale, new)
    weight = model.coef_.T / scale[:, None]
    return _linear(method_inputs(test, use_side=use_side), weight, model.intercept_ - mean @ weight)


def _linear(inputs: Tensor, weight: np.ndarray, bias: np.ndarray) -> Upgraded:
    """Apply a linear map: inputs (G, D) by weight (D, D') and bias (D',)."""
    upgraded = inputs.double() @ torch.from_numpy(weight) + torch.from_numpy(bias)
    return Upgraded(upgraded.float(), weight.size + bias.size, weight.size, len(weight))


def _pad(rows: np.ndarray, width: int) -> np.ndarray:
    return np.pad(rows, ((0, 0), (0, width - rows.shape[1])))
