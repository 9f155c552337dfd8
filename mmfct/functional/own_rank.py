"""Whether two sets of vectors are of the same items in one space: an item must be near to itself."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

# In two spaces, or with ids mixed up, it is a half; in one, also where little was learned, a few percent.
MOST_OWN_RANK = 0.25
# Of fewer items, half may be near to themselves by chance, or not.
LEAST_PAIRS = 50


@torch.no_grad()
def median_own_rank(first: Tensor, second: Tensor) -> float:
    """Return how far down the list of its neighbours an item finds itself, as the median over items.

    Neighbours are those at the smallest angle around the means: how items are told apart depends neither on lengths,
    which an upgrade makes smaller, nor on the distance that a gallery is searched by.

    Args:
        first: Vectors of N items, of shape (N, D).
        second: Other vectors of the same items, likewise.

    Returns:
        Share of the ``second`` vectors that are nearer to a ``first`` one than that of its own item: 0 if all find
        themselves first, 0.5 by chance.
    """
    left, right = (normalize(rows.double() - rows.double().mean(dim=0), dim=1) for rows in (first, second))
    cosines = left @ right.T
    return (cosines > cosines.diagonal()[:, None]).double().mean(dim=1).median().item()
