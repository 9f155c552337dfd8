"""A stored gallery after a method has upgraded it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

FLOAT32 = 4


@dataclass(frozen=True)
class Upgraded:
    """A gallery of G items in the space of the new model, and the cost of getting there.

    Args:
        embeddings: Shape (G, D').
        parameters: Number of parameters that were learned or solved for.
        multiply_adds: Multiply-adds of the matrix products, per item.
        stored_dims: Width of what the gallery stores per item: the old embedding and, if used, the side-information.
        log_variance: Predicted uncertainty of each item, of shape (G,); ``None`` if the method predicts none.
        queries: Embeddings of the same items by the new model, altered or mapped by the method, of shape (G, D');
            ``None`` if queries are the new model's embeddings as they are.
    """

    embeddings: Tensor
    parameters: int
    multiply_adds: int
    stored_dims: int
    log_variance: Tensor | None = None
    queries: Tensor | None = None

    @property
    def bytes_per_item(self) -> int:
        """Bytes that the gallery stores per item in float32."""
        return FLOAT32 * self.stored_dims
