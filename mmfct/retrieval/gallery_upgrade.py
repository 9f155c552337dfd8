"""Upgrade the embeddings of a gallery by transforms, from file to file, a shard at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .atomic_files import file_sha256
from .gallery import Gallery
from .gallery_manifest import MANIFEST
from .provenance import Provenance

if TYPE_CHECKING:
    from .transform import Transform

_SHARD_BYTES = 2**25


class GalleryUpgrade:
    """What an upgrade reads and writes, checked before the first vector is computed.

    ``embedding`` moves to the space of the last transform's new model; if that transform has one, ``log_variance``
    holds how unsure it is of each row; all other columns are carried along.

    Args:
        gallery: A gallery with the column ``embedding``, and ``side_info`` where a transform needs it. Open it
            without ``verify``: each shard is verified when its turn comes.
        transforms: Applied one after the other, all with the same compute dtype.
        shard_rows: Rows per shard of the result; ``None`` for those of the gallery, or fewer where these are large.

    Raises:
        ValueError: If a transform is not for the models of the gallery or of the transform before it, its widths are
            others, or a column is missing.
    """

    def __init__(self, gallery: Gallery, transforms: Sequence[Transform], *, shard_rows: int | None = None) -> None:
        if not transforms:
            raise ValueError(f'`transforms` must name at least one transform, got {transforms!r}')
        self.gallery = gallery
        self.transforms = list(transforms)
        before = Provenance.from_metadata(gallery.metadata)
        after = before
        for position, transform in enumerate(self.transforms):
            self._check(position, after)
            entry = dict(transform.description.to_json(), compute_dtype=str(transform.dtype).removeprefix('torch.'))
            after = replace(after, embedding=transform.description.new, upgrades=(*after.upgrades, entry))
        last = self.transforms[-1].description
        dtype, _ = gallery.columns['embedding']
        self.columns = {name: column for name, column in gallery.columns.items() if name != 'log_variance'}
        self.columns['embedding'] = (dtype, last.widths['new'])
        if last.with_uncertainty:
            self.columns['log_variance'] = ('float32', None)
        # Another gallery of the same models must not be mixed into an unfinished result.
        source = file_sha256(gallery.path / MANIFEST)
        self.metadata: dict[str, Any] = {**gallery.metadata, **after.to_metadata(), 'upgraded_from': source}
        largest = max(1, _SHARD_BYTES // bytes_per_row(self.columns))
        self.shard_rows = shard_rows or min(gallery.shards[0].stop, largest)

    def __len__(self) -> int:
        return len(self.gallery)

    def check_output(self, out: str | Path) -> None:
        """Refuse to write into the gallery itself.

        Raises:
            ValueError: If ``out`` is its folder, or inside it.
        """
        here = self.gallery.path.resolve()
        if here in (Path(out).resolve(), *Path(out).resolve().parents):
            raise ValueError(f'`out` must be another folder than that of the gallery, got {str(out)!r}')

    def rows(
        self, start: int, stop: int, *, batch_size: int, advance: Callable[[int], None] = lambda rows: None
    ) -> dict[str, np.ndarray]:
        """Compute all columns of some rows of the result.

        Args:
            start: First row.
            stop: Row after the last one.
            batch_size: Rows per matrix product.
            advance: Called with the number of rows after each batch.

        Raises:
            ValueError: If the gallery is damaged there.
        """
        import torch

        self.gallery.verify(start, stop)
        last = self.transforms[-1]
        width = last.description.widths['new']
        columns: dict[str, np.ndarray] = dict(embedding=np.empty((stop - start, width), np.float32))
        if last.description.with_uncertainty:
            columns['log_variance'] = np.empty(stop - start, np.float32)
        with_side = any(transform.description.side for transform in self.transforms)
        for first in range(start, stop, batch_size):
            batch = np.arange(first, min(first + batch_size, stop))
            rows = torch.from_numpy(self.gallery.rows('embedding', batch))
            side = torch.from_numpy(self.gallery.rows('side_info', batch)) if with_side else None
            for transform in self.transforms:
                rows = transform(rows, side)
            columns['embedding'][batch - start] = rows.cpu().numpy()
            if 'log_variance' in columns:
                columns['log_variance'][batch - start] = last.log_variance(rows).cpu().numpy()
            advance(len(batch))
        carried = self.columns.keys() - columns.keys()
        return columns | {name: self.gallery.rows(name, np.arange(start, stop)) for name in carried}

    def _check(self, position: int, provenance: Provenance) -> None:
        description = self.transforms[position].description
        what = f'transform {position + 1} ({description.name!r})'
        if description.old.fingerprint != provenance.embedding.fingerprint:
            raise ValueError(
                f'{what} must be for the embeddings it is given, which are of {provenance.embedding}, got one that '
                f'upgrades {description.old} to {description.new}'
            )
        needed = {'embedding': description.widths['old']}
        if description.side is not None:
            have = provenance.side_info
            if have is None or have.fingerprint != description.side.fingerprint:
                raise ValueError(
                    f'{what} must be for the side-information of the gallery, which is of {have}, got one that needs '
                    f'{description.side}'
                )
            needed['side_info'] = description.widths['side']
        for name, width in needed.items():
            if name not in self.gallery.columns:
                raise ValueError(f'the gallery must have the column {name!r}, got {sorted(self.gallery.columns)}')
            given = self.gallery.width(name)
            if name == 'embedding' and position:
                given = self.transforms[position - 1].description.widths['new']
            if given != width:
                raise ValueError(f'{what} must take {name} of width {given}, got {width}')


def bytes_per_row(columns: dict[str, tuple[str, int | None]]) -> int:
    """Bytes that one row takes in the files of a gallery with these columns."""
    return sum(np.dtype(dtype).itemsize * (width or 1) for dtype, width in columns.values())
