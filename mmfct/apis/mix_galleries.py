"""Replace embeddings of an upgraded gallery by recomputed ones."""

from __future__ import annotations

from pathlib import Path

from mmengine.logging import print_log

from mmfct.retrieval import Gallery
from mmfct.retrieval.gallery.manifest import check_outside
from mmfct.retrieval.gallery.mixed import ORIGIN, RECOMPUTED, write_mixed_gallery
from mmfct.retrieval.stores.address import is_store
from mmfct.retrieval.stores.loaded import open_checked
from mmfct.retrieval.stores.options import SourceOptions


def mix_galleries(
    upgraded: str | Path, recomputed: str | Path, out: str | Path, *, options: SourceOptions | None = None
) -> Gallery:
    """Write the upgraded gallery with the embeddings of ``recomputed`` in place of the upgraded ones.

    Args:
        upgraded: Folder of the gallery, mixed before or not.
        recomputed: Some of its items embedded by the new model: a gallery, or anything else that `open_source` opens,
            which is read into memory.
        out: Folder of the mixed gallery, whose column ``origin`` is 0 for upgraded and 1 for recomputed rows.
        options: How to read vectors of another program, of ``recomputed``.

    Returns:
        The mixed gallery.

    Raises:
        FileNotFoundError: If ``upgraded`` is no gallery, or ``recomputed`` missing.
        ValueError: As from `write_mixed_gallery`; also if ``out`` is one of the two.
    """
    for name, folder in (('upgraded', upgraded), ('recomputed', recomputed)):
        if not is_store(folder):
            check_outside(out, Path(folder), f'`{name}`')
    mixed = write_mixed_gallery(Gallery(upgraded), open_checked(recomputed, options), out)
    number = sum(int((mixed.shard(ORIGIN, index) == RECOMPUTED).sum()) for index, _, _ in mixed.shards)
    print_log(f'{out}: {number} of {len(mixed)} embeddings are recomputed, the others upgraded', 'current')
    return mixed
