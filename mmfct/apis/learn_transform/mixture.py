"""A weighted sum of candidates, with weights from held-out pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mmfct.retrieval.transform.layers import Layer
from mmfct.retrieval.transform.network import Stack, Term, TransformNetwork

_LEAST = 0.02  # a smaller weight is not worth another network


def mixture_weights(predictions: Mapping[str, Tensor], targets: Tensor) -> dict[str, float]:
    """Return the non-negative weights whose sum of predictions has the least squared error (stacking).

    Breiman, "Stacked regressions", Machine Learning 1996. Candidates with hardly any weight are left out.

    Args:
        predictions: Of held-out pairs by candidate, each of shape (N, D').
        targets: New embeddings of shape (N, D').
    """
    from scipy.optimize import nnls

    names = list(predictions)
    centred = [predictions[name].double() - predictions[name].double().mean(0) for name in names]
    wanted = targets.double() - targets.double().mean(0)
    products = torch.tensor([[(one * other).sum() for other in centred] for one in centred], dtype=torch.float64)
    right = torch.tensor([(one * wanted).sum() for one in centred], dtype=torch.float64)
    products += 1e-7 * products.diagonal().mean() * torch.eye(len(names), dtype=torch.float64)  # some are nearly equal
    lower = torch.linalg.cholesky(products)
    solved = torch.linalg.solve_triangular(lower, right[:, None], upper=False)[:, 0]
    weights, _ = nnls(lower.T.numpy(), solved.numpy())
    return {name: float(weight) for name, weight in zip(names, weights, strict=True) if weight > _LEAST}


def mix(networks: Sequence[tuple[float, TransformNetwork]], shift: Tensor) -> TransformNetwork:
    """Return the weighted sum of networks of one kind of input as one network.

    Args:
        networks: Weights and networks.
        shift: What is added to the sum, of shape (D',).
    """
    terms: list[Term] = []
    for weight, network in networks:
        for term in network.summands:
            *layers, last = term.mixer.layers
            added = last.bias * weight + (shift if not terms else 0)
            mixer = Stack([*layers, Layer(last.weight * weight, added, last.relu)])
            terms.append(Term(term.old, term.side, mixer))
    return TransformNetwork(terms, unit_inputs=networks[0][1].unit_inputs)
