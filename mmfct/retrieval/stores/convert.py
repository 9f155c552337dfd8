"""Write vectors of another program as a gallery."""

from __future__ import annotations

from pathlib import Path

from mmfct.retrieval.gallery.reader import Gallery, GallerySource
from mmfct.retrieval.gallery.writer import GalleryWriter
from mmfct.retrieval.stores.inspect import count_zero_rows
from mmfct.retrieval.stores.say import say_once
from mmfct.utils.files import replaced_when_done


def write_gallery(source: GallerySource, out: str | Path) -> Gallery:
    """Write a gallery with all rows of a source; all-zero embeddings are counted and said.

    Args:
        source: The source.
        out: Folder of the gallery, which must not exist. It is complete or absent, whenever the job is killed.

    Returns:
        The gallery.

    Raises:
        FileExistsError: If ``out`` exists.
        FileNotFoundError: If the source is gone.
        ValueError: If a shard of the source is damaged.
    """
    out = Path(out)
    if out.exists():
        raise FileExistsError(f'`out` must not exist, got {str(out)!r}')
    out.parent.mkdir(parents=True, exist_ok=True)
    zero_rows = 0
    with replaced_when_done(out) as temporary:
        writer = GalleryWriter(
            temporary,
            columns=source.columns,
            num_rows=len(source),
            shard_rows=source.shard_rows,
            metadata=source.metadata,
        )
        for index, _, _ in source.shards:
            source.verify_shard(index)
            zero_rows += count_zero_rows(source.shard('embedding', index))
            writer.write_shard(index, {name: source.shard(name, index) for name in source.columns})
        writer.finish()
    if zero_rows:
        say_once(
            f'{out}: {zero_rows} of {len(source)} embeddings are all zero, which no model makes; remove them with '
            '`mmfct extend --remove`'
        )
    return Gallery(out, verify=False)
