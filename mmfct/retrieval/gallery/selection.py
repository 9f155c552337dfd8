"""Copy chosen rows of galleries into a new one, shard by shard and in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmfct.retrieval.gallery.description import Column
from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.gallery.texts import MAX_FIXED, TEXT
from mmfct.retrieval.gallery.writer import GalleryWriter


@dataclass(frozen=True)
class Selection:
    """Rows of a gallery.

    Args:
        source: The gallery.
        rows: Row numbers, int64 of shape (N,), ascending.
        fill: Values of columns that the gallery does not have, by name.
    """

    source: GallerySource
    rows: np.ndarray
    fill: Mapping[str, Any] = field(default_factory=dict)


def find_ids(wanted: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each id (N,) its place among the sorted ``wanted`` (M,), and whether it is one of them."""
    place = np.searchsorted(wanted, ids).clip(max=len(wanted) - 1)
    return place, wanted[place] == ids


def repeated_id(ids: np.ndarray) -> str | None:
    """Return the first of the sorted ids (N,) that occurs twice; ``None`` if none does."""
    repeated = ids[1:][ids[1:] == ids[:-1]]
    return str(repeated[0]) if len(repeated) else None


def copy_rows(
    writer: GalleryWriter,
    selections: Sequence[Selection],
    columns: Mapping[str, tuple[str, int | None]],
    *,
    rank: int = 0,
    world_size: int = 1,
    advance: Callable[[int], None] = lambda rows: None,
) -> None:
    """Write the missing shards of a gallery that holds the rows of all selections, one after the other.

    Every shard of a source is verified before its rows are used.

    Args:
        writer: Writer of the gallery, with as many rows.
        selections: The rows.
        columns: Its columns: dtype and width by name.
        rank: Which share of the shards to write.
        world_size: Number of shares.
        advance: Called shard by shard with the number of rows that are written.

    Raises:
        FileNotFoundError: If a file of a source is missing.
        ValueError: If a shard of a source is damaged.
    """
    bounds = np.cumsum([0, *(len(selection.rows) for selection in selections)])
    verified: set[tuple[int, int]] = set()
    for index, start, stop in writer.pending(rank=rank, world_size=world_size):
        parts: dict[str, list[np.ndarray]] = {name: [] for name in columns}
        for number, selection in enumerate(selections):
            first, last = (int(np.clip(bound - bounds[number], 0, len(selection.rows))) for bound in (start, stop))
            rows = selection.rows[first:last]
            if not len(rows):
                continue
            for shard in np.unique(rows // selection.source.shard_rows).tolist():
                if (number, shard) not in verified:
                    selection.source.verify_shard(shard)
                    verified.add((number, shard))
            for name, column in columns.items():
                parts[name].append(_take(selection, Column(name, *column), rows))
        writer.write_shard(index, {name: np.concatenate(values) for name, values in parts.items()})
        advance(stop - start)


def merge_columns(name: str, kinds: Sequence[tuple[str, int | None]]) -> tuple[str, int | None]:
    """Return dtype and width of a column that can hold the rows of several galleries.

    Args:
        name: The column.
        kinds: Its dtype and width in each.

    Raises:
        ValueError: If the rows do not fit into one column.
    """
    columns = [Column(name, *kind) for kind in kinds]
    widths = [column.width for column in columns]
    if len(set(widths)) > 1:
        raise ValueError(f'`{name}` must have one width in all galleries, got {", ".join(map(str, widths))}')
    texts = [column.is_text or column.numpy_dtype.kind == 'U' for column in columns]
    if all(texts):
        longest = max(MAX_FIXED + 1 if column.is_text else column.numpy_dtype.itemsize // 4 for column in columns)
        fixed = widths[0] is not None or not any(column.is_text for column in columns)
        return (f'<U{longest}' if fixed else TEXT), widths[0]
    floats = all(column.numpy_dtype.kind == 'f' for column in columns)
    if len({column.dtype for column in columns}) > 1 and not floats:
        types = ', '.join(column.dtype for column in columns)
        raise ValueError(f'`{name}` must have one type in all galleries, got {types}')
    return kinds[0]


def _take(selection: Selection, column: Column, rows: np.ndarray) -> np.ndarray:
    if column.name not in selection.source.columns:
        return np.full(column.shape(len(rows)), selection.fill[column.name], column.numpy_dtype)
    return selection.source.rows(column.name, rows)
