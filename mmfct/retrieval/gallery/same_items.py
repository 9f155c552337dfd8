"""Whether recomputed embeddings are those of the same items, in the space of the upgraded ones."""

from __future__ import annotations

from torch import Tensor

from mmfct.functional.own_rank import LEAST_PAIRS, MOST_OWN_RANK, median_own_rank

MOST_COMPARED = 500


def check_same_items(upgraded: Tensor, recomputed: Tensor, where: str) -> None:
    """Refuse embeddings of another model, which a gallery would mix with those of its own, or of other items.

    Args:
        upgraded: Embeddings of some items, of shape (N, D); with fewer than fifty that are not zero nothing is said.
        recomputed: Embeddings of the same items by the new model, likewise.
        where: Where these come from.

    Raises:
        ValueError: If half of the items are not near to themselves.
    """
    kept = upgraded.any(dim=1) & recomputed.any(dim=1)
    if int(kept.sum()) < LEAST_PAIRS:
        return
    rank = median_own_rank(upgraded[kept], recomputed[kept])
    if rank > MOST_OWN_RANK:
        raise ValueError(
            f'{where} must hold the items of the upgraded gallery in its space, but for half of them, {rank:.0%} of '
            'other items or more are nearer to the upgraded embedding than their own: do the ids name the same items, '
            'and are the embeddings of the model that they are said to be of?'
        )
