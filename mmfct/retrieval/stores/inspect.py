"""Look at all rows of a source: what nobody may take for vectors, or for ids, unnoticed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.stores.foreign import ForeignSource
from mmfct.retrieval.stores.keys import NO_LABEL, Keys, survey_keys

# Lengths that count as 1: float16 rounds by 5e-4.
_UNIT = 2e-3
# The products of others are too small or too large for float32.
_LENGTHS = (1e-12, 1e15)


@dataclass(frozen=True)
class RowReport:
    """What the rows of a source are like.

    Args:
        rows: Number of rows.
        zero_rows: Rows whose embedding is all zero: no model makes these, but programs fill gaps with them.
        zero_side_rows: Likewise of the side-information.
        unlabelled: Rows without a label; all of them if there is no column of labels.
        mean_length: Mean length of the embeddings that are not all zero; NaN if there are none.
        unit: Whether all of these have length 1, as where a store or program has normalised them.
    """

    rows: int
    zero_rows: int
    zero_side_rows: int
    unlabelled: int
    mean_length: float
    unit: bool

    def __str__(self) -> str:
        parts = [f'{self.rows} rows']
        if self.zero_rows:
            parts.append(
                f'{self.zero_rows} of them all zero, which no model makes: leave them out or embed them again'
            )
        if self.zero_side_rows:
            parts.append(f'the side-information of {self.zero_side_rows} all zero')
        if self.unlabelled:
            parts.append(f'{self.unlabelled} without a label')
        parts.append('vectors of length 1' if self.unit else f'mean length {self.mean_length:.4g}')
        return ', '.join(parts)


def inspect_rows(source: GallerySource, advance: Callable[[int], None] = lambda rows: None) -> RowReport:
    """Read and check every row once, in bounded memory.

    Args:
        source: The source.
        advance: Called shard by shard with the number of rows that are read.

    Returns:
        What the rows are like; the caller says what matters.

    Raises:
        FileNotFoundError: If the source is gone.
        ValueError: If a shard is damaged, see `GallerySource.verify_shard`.
    """
    zero, zero_side, unlabelled, total, unit = 0, 0, 0, 0.0, True
    for index, start, stop in source.shards:
        source.verify_shard(index)
        lengths = np.linalg.norm(np.asarray(source.shard('embedding', index), np.float64), axis=1)
        zero += int((lengths == 0).sum())
        total += float(lengths.sum())
        unit = unit and bool((np.abs(lengths[lengths > 0] - 1) < _UNIT).all())
        if 'side_info' in source.columns:
            zero_side += count_zero_rows(source.shard('side_info', index))
        if 'label' in source.columns:
            unlabelled += int((np.asarray(source.shard('label', index)) == NO_LABEL).sum())
        else:
            unlabelled += stop - start
        advance(stop - start)
    rows = len(source)
    mean = total / (rows - zero) if rows > zero else float('nan')
    return RowReport(rows, zero, zero_side, unlabelled, mean, unit and rows > zero)


def count_zero_rows(rows: np.ndarray) -> int:
    """Count the rows of shape (N, D) that are all zero."""
    return int((~np.asarray(rows).any(axis=1)).sum())


def check_lengths(rows: np.ndarray, what: str) -> None:
    """Refuse vectors of shape (N, D) that float32 cannot compare; those that are all zero are left to the caller.

    Raises:
        ValueError: If the length of one is below 1e-12 or above 1e15.
    """
    lengths = np.linalg.norm(np.asarray(rows, np.float64), axis=1)
    bad = lengths[(lengths > 0) & ((lengths < _LENGTHS[0]) | (lengths > _LENGTHS[1]))]
    if len(bad):
        raise ValueError(
            f'{what} must have lengths between {_LENGTHS[0]:g} and {_LENGTHS[1]:g}, got {len(bad)} others, such as '
            f'{bad[0]:.3g}; multiply all vectors of the model by one number'
        )


def check_unique_ids(source: GallerySource) -> None:
    """Refuse a source with an id that occurs twice; memory holds eight bytes an id.

    Raises:
        ValueError: If one does; the message names it.
    """
    if isinstance(source, ForeignSource):
        return  # it was refused when it was opened

    def batches() -> Iterator[Keys]:
        for index, _, _ in source.shards:
            yield Keys(np.asarray(source.shard('id', index)).tolist(), None)

    survey_keys(batches, f'{str(source.path)!r}')
