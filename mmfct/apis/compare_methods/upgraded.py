"""What a method makes of a stored gallery."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

FLOAT32 = 4


@dataclass(frozen=True)
class Upgraded:
    """A gallery of G items in the space of the new model, and what it costs.

    Args:
        embeddings: Shape (G, D').
        parameters: Numbers that were learned or solved for.
        multiply_adds: Of the matrix products, per item.
        stored_dims: Numbers that the gallery stores per item: the old embedding and, if it is used, side-information.
        log_variance: How uncertain the method is of each item, of shape (G,), if it says so.
        queries: The same items by the new model as the method altered or mapped them, of shape (G, D'); ``None``
            where queries are the new model's embeddings as they are.
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
