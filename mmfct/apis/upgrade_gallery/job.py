"""One upgrade of a gallery, opened by every process that takes part in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mmfct.apis.upgrade_gallery.chain import TransformChain
from mmfct.apis.upgrade_gallery.rows import bytes_per_row, compute_columns, open_upgrade, upgraded_columns, verify_rows
from mmfct.retrieval import GalleryWriter
from mmfct.retrieval.gallery.description import Shard
from mmfct.retrieval.gallery.manifest import check_outside
from mmfct.retrieval.gallery.mixed import MIXED
from mmfct.retrieval.gallery.provenance import Provenance
from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.stores.foreign import NORMALISED_BY_STORE
from mmfct.retrieval.stores.inspect import count_zero_rows
from mmfct.retrieval.stores.joined import unjoined
from mmfct.retrieval.stores.options import SourceOptions

# Entry of the metadata with the fingerprint of the gallery that was upgraded.
UPGRADED_FROM = 'upgraded_from'
# Of one shard of the result, so that a gallery in few large files is upgraded in bounded memory by several processes.
_SHARD_BYTES = 2**25


class UpgradeJob:
    """Compute the shards of the upgraded gallery; arguments and errors as in `upgrade_gallery`.

    The bytes of a shard depend on the arguments alone, not on the process that computes it.

    Attributes:
        source: The gallery that is upgraded.
        chain: The transforms.
        writer: Writer of the upgraded gallery.
        zero_rows: Embeddings so far that are all zero, of which the transforms make something that looks plausible.
    """

    def __init__(
        self,
        gallery: str,
        transforms: Sequence[str],
        out: str,
        *,
        dtype: str,
        batch_size: int,
        device: str | None,
        distance: str | None,
        options: SourceOptions | None = None,
    ) -> None:
        self.source, self.chain = open_upgrade(gallery, transforms, dtype, device, batch_size, options)
        check_outside(out, self.source.path, 'the gallery')
        self._batch_size = batch_size
        self._columns = upgraded_columns(self.source, compute_columns(self.chain, self.source, 0, 1))
        self.writer = GalleryWriter(
            out,
            columns=self._columns,
            num_rows=len(self.source),
            shard_rows=min(self.source.shard_rows, max(1, _SHARD_BYTES // bytes_per_row(self._columns))),
            metadata=upgraded_metadata(self.source, self.chain, dtype, distance),
        )
        self._verified: set[int] = set()
        self.zero_rows = 0

    @property
    def uses_gpu(self) -> bool:
        """Whether h runs on a GPU."""
        return self.chain.transforms[0].device.type == 'cuda'

    def compute(self, shard: Shard, advance: Callable[[int], None] = lambda rows: None) -> dict[str, np.ndarray]:
        """Compute the columns of a shard of the result.

        Args:
            shard: One of ``writer.shards``.
            advance: Called batch by batch with the number of rows that are done.

        Returns:
            By column, rows of shape (stop - start, width) or (stop - start,).
        """
        _, start, stop = shard
        verify_rows(self.source, start, stop, self._verified)
        parts: list[dict[str, np.ndarray]] = []
        for first in range(start, stop, self._batch_size):
            rows = np.arange(first, min(first + self._batch_size, stop))
            self.zero_rows += count_zero_rows(self.source.rows('embedding', rows))
            parts.append(compute_columns(self.chain, self.source, first, min(first + self._batch_size, stop)))
            advance(len(parts[-1]['embedding']))
        computed = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        carried = self._columns.keys() - computed.keys()
        stored = unjoined(self.source)
        return computed | {name: stored.rows(name, np.arange(start, stop)) for name in carried}


def upgraded_metadata(
    source: GallerySource, chain: TransformChain, dtype: str, distance: str | None
) -> dict[str, Any]:
    """Return the metadata of an upgraded gallery; arguments as in `upgrade_gallery`.

    Raises:
        ValueError: If the last transform was learned for another distance.
    """
    stored = Provenance.from_metadata(unjoined(source).metadata)
    provenance = replace(chain.provenance, side_info=stored.side_info)
    if distance is not None:
        learned_for = chain.transforms[-1].description.distance
        if learned_for not in (None, distance):
            raise ValueError(
                f'`distance` must be {learned_for!r}, which {chain.transforms[-1].path} was learned for, got '
                f'{distance!r}; leave `--distance` out, or learn the transform with `--distance {distance}`'
            )
        provenance = replace(provenance, distance=distance)
    # The other entries, such as the fingerprint of the images, remain true.
    kept = {name: entry for name, entry in source.metadata.items() if name not in (MIXED, NORMALISED_BY_STORE)}
    return kept | provenance.to_metadata() | {UPGRADED_FROM: source.fingerprint, 'computed_in': dtype}
