"""The distances by which embeddings are compared, by name; free of torch, because galleries are read without it."""

from __future__ import annotations

DISTANCES = ('l2', 'cosine', 'inner')


def check_distance(distance: str) -> None:
    """Raise a ``ValueError`` unless ``distance`` is one of ``DISTANCES``."""
    if distance not in DISTANCES:
        raise ValueError(f'`distance` must be one of {", ".join(DISTANCES)}, got {distance!r}')
