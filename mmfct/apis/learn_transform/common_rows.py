"""Rows of the items that several sources have."""

from __future__ import annotations

import numpy as np

from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.stores.matching import find_rows, source_ids, unique_id_hashes


def common_rows(sources: dict[str, GallerySource]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Find the rows of the items that all sources have, by 64-bit hashes of their ids.

    Args:
        sources: Sources, ``old`` and ``new`` among them.

    Returns:
        Rows by source, in the order of ``new``; and what a user should know, in sentences.

    Raises:
        ValueError: If an id occurs twice in a source.
    """
    hashes = {role: unique_id_hashes(source) for role, source in sources.items()}
    common = hashes['new']
    for other in hashes.values():
        common = common[np.isin(common, other)]
    rows = {role: find_rows(common, values) for role, values in hashes.items()}
    notes = []
    for role, source in sources.items():
        missing = len(source) - len(common)
        if missing and role != 'old':
            notes.append(f'{missing:,} of {len(source):,} rows of {source.path} have no partner and are left out')
    notes.insert(0, f'{len(common):,} of {len(sources["old"]):,} old embeddings have a new one')
    if len(sources['old']) < len(sources['new']):
        notes.insert(0, 'OLD has fewer rows than NEW: make sure that they are not swapped')
    return rows, notes


def source_names(sources: dict[str, GallerySource]) -> str:
    """Return where sources are, for messages."""
    return ' and '.join(str(source.path) for source in sources.values())


def example_ids(sources: dict[str, GallerySource]) -> str:
    """Return an id of each source, for messages."""
    examples = [f'{next(source_ids(source))[0]!r} in {source.path}' for source in sources.values()]
    return f'ids are such as {", ".join(examples)}; '
