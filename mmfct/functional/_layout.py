"""Layout of a retrieval problem for ranking, and the rule for tied distances.

Distances are float64 values of ``offset + weight * product``. Two that differ by no more than a
bound of their rounding errors are tied. So equal rows tie however BLAS rounds their products,
which depends on the position of a row in the matrix and on the size of the matrix.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from mmfct.functional.distance import ranking_terms
from mmfct.functional.retrieval_scores import UNKNOWN

_TINY = torch.finfo(torch.float64).tiny


class Layout(NamedTuple):
    """A retrieval problem with the rows sorted by label: the matches of a query are neighbours.

    Attributes:
        query: Embeddings of shape (Q, D).
        gallery: Embeddings of shape (G, D).
        start: First match of each query in the gallery, shape (Q,).
        stop: One past its last match, shape (Q,); a query of an unknown class has none.
        offset: Term of the distance, float64 of shape (G,).
        weight: Factor of the product in the distance, negative, float64 of shape (G,).
        reach: Bound of ``|weight * product|``, float64 of shape (Q,).
        tolerance: Bound of the difference between tied distances, float64 of shape (Q,); see :meth:`tolerance_at`.
        norm: Norms of the queries where the distance is that of l2, float64 of shape (Q,), else None.
        fits_float32: Whether float32 holds the rows exactly, and their products without overflow.
    """

    query: Tensor
    gallery: Tensor
    start: Tensor
    stop: Tensor
    offset: Tensor
    weight: Tensor
    reach: Tensor
    tolerance: Tensor
    norm: Tensor | None
    fits_float32: bool

    @classmethod
    def build(
        cls,
        query: Tensor,
        query_labels: Tensor,
        query_norms: Tensor,
        gallery: Tensor,
        gallery_labels: Tensor,
        gallery_norms: Tensor,
        distance: str,
    ) -> Layout:
        """Lay out rows that are sorted by label; the norms are float64."""
        offset, weight = ranking_terms(gallery_norms, distance)
        reach = query_norms * (weight.abs() * gallery_norms).max()
        error = rounding_error(torch.float64, query.shape[1], reach + offset.max())
        norms = torch.cat([query_norms, gallery_norms])
        in_range = (norms == 0) | (norms > 1e-12) & (norms < 1e12)
        start = torch.searchsorted(gallery_labels, query_labels)
        stop = torch.searchsorted(gallery_labels, query_labels, right=True)
        is_double = torch.float64 in (query.dtype, gallery.dtype)
        return cls(
            query=query,
            gallery=gallery,
            start=start,
            stop=torch.where(query_labels == UNKNOWN, start, stop),
            offset=offset,
            weight=weight,
            reach=reach,
            # Above zero where all rows are zero, so that equal distances are within it.
            tolerance=(2 * error).clamp(min=_TINY),
            norm=query_norms if distance == 'l2' else None,
            fits_float32=not is_double and bool(in_range.all()),
        )

    def tolerance_at(self, rows: slice, distances: Tensor) -> Tensor:
        """Largest difference of tied distances near ``distances`` (B, M), of the same shape.

        By l2, a row is at most as long as the query and its distance together: where a match is near, one very long
        row elsewhere in the gallery makes nothing a tie.
        """
        bound = self.tolerance[rows, None].expand_as(distances)
        if self.norm is None:
            return bound
        norm = self.norm[rows, None]
        length = norm + (distances + norm.square()).clamp(min=0).sqrt()  # the offset leaves out the square of the norm
        error = rounding_error(torch.float64, self.query.shape[1], length * (2 * norm + length))
        return torch.where(distances.isfinite(), bound.minimum(2 * error).clamp(min=_TINY), bound)

    def rows_in(self, size: int, bytes_per_pair: int) -> int:
        """Number of queries, at least 1, whose pairs and matches fit into ``size`` bytes."""
        matches = int((self.stop - self.start).max())
        # About ten arrays of the matches are in use at once.
        return max(size // (bytes_per_pair * len(self.gallery) + 80 * matches), 1)


class OwnRows:
    """The gallery rows to leave out: those with the code (of an id or a group) of the query.

    Args:
        query_codes: Integers of shape (Q,), in the order of the layout.
        gallery_codes: Integers of shape (G,), in the order of the layout.
    """

    def __init__(self, query_codes: Tensor, gallery_codes: Tensor) -> None:
        gallery_codes, self.order = gallery_codes.sort()
        self.start = torch.searchsorted(gallery_codes, query_codes)
        self.stop = torch.searchsorted(gallery_codes, query_codes, right=True)

    def rows_in(self, size: int) -> int:
        """Number of queries, at least 1, whose rows to leave out can be listed in ``size`` bytes."""
        return max(size // (40 * max(int((self.stop - self.start).max()), 1)), 1)

    def pairs(self, rows: slice) -> tuple[Tensor, Tensor]:
        """Row in the chunk and row in the gallery of each pair to leave out."""
        place, inside = padded_ranges(self.start[rows], self.stop[rows])
        return inside.nonzero(as_tuple=True)[0], self.order[place[inside]]


def rounding_error(dtype: torch.dtype, terms: int, size: Tensor) -> Tensor:
    """Bound the error of a sum of ``terms`` products, in any order.

    Higham, Accuracy and Stability of Numerical Algorithms (2002), section 3.1, with four more
    roundings for what is done to the sum, and 2 % for terms of second order (enough for 10^5
    products in float32).

    Args:
        dtype: Type of the arithmetic.
        terms: Number of products.
        size: Bound of the sum of their absolute values.
    """
    return 1.02 * torch.finfo(dtype).eps / 2 * (terms + 4) * size


def padded_ranges(start: Tensor, stop: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of start, start + 1, ... of one length (at least 1), and which are below ``stop``."""
    longest = max(int((stop - start).max()), 1)
    place = start[:, None] + torch.arange(longest, device=start.device)
    return place, place < stop[:, None]
