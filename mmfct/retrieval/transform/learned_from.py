"""Which items a transform was learned from: few enough hashes of their ids to be noted in every gallery."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

_KEPT = 1024


@dataclass(frozen=True)
class LearnedFrom:
    """The items that a transform was learned from, as the smallest hashes of their ids.

    Since hashes are spread evenly, these few tell what share of other items was learned from: a bottom-k sketch (Cohen
    and Kaplan, 2007). Up to 1,024 items are all known.

    Args:
        items: Number of items.
        hashes: The smallest hashes, ascending, uint64 of shape (min(items, 1024),).
    """

    items: int
    hashes: np.ndarray

    @classmethod
    def of(cls, ids: Iterable[Any]) -> LearnedFrom:
        """Take note of ids, each of which occurs once."""
        hashes = _hashes(ids)
        return cls(len(hashes), np.sort(hashes)[:_KEPT])

    def count(self, ids: Iterable[Any]) -> tuple[int, int]:
        """Count those of other items that were learned from, among those that would be known if they were.

        Returns:
            How many were, and of how many that can be told: of all, for a transform of up to 1,024 items.
        """
        hashes = _hashes(ids)
        if self.items > len(self.hashes):
            hashes = hashes[hashes <= self.hashes[-1]]
        return int(np.isin(hashes, self.hashes).sum()), len(hashes)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return dict(items=self.items, smallest=base64.b64encode(self.hashes.astype('<u8').tobytes()).decode())

    @classmethod
    def from_json(cls, entries: Mapping[str, Any]) -> LearnedFrom:
        """Read what :meth:`to_json` returned."""
        hashes = np.frombuffer(base64.b64decode(entries['smallest']), '<u8')
        return cls(int(entries['items']), hashes.astype(np.uint64))


def _hashes(ids: Iterable[Any]) -> np.ndarray:
    digests = (hashlib.blake2b(str(name).encode(errors='surrogatepass'), digest_size=8).digest() for name in ids)
    return np.frombuffer(b''.join(digests), '<u8').astype(np.uint64)
