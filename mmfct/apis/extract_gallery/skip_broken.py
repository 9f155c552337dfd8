"""Leave images that cannot be read out of a gallery, in one pass over the images.

How many rows a gallery has is only known when every image was read. So all rows are written into a gallery beside the
wanted one, with the error of each image, and those without an error are copied from there.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mmengine import dist
from mmengine.logging import print_log

from mmfct.datasets.image_pass import finish_together
from mmfct.retrieval import Gallery, GalleryWriter
from mmfct.retrieval.gallery.description import SKIPPED
from mmfct.retrieval.gallery.manifest import MANIFEST, read_manifest
from mmfct.retrieval.gallery.parts import SKIPPED_FILE
from mmfct.retrieval.gallery.selection import Selection, copy_rows
from mmfct.retrieval.gallery.texts import TEXT
from mmfct.utils.files import write_atomically
from mmfct.utils.fingerprint import canonical_json
from mmfct.utils.json import encode_json

ERROR = 'error'
_EXAMPLES = 5


def write_without_broken(
    out: str | Path,
    columns: Mapping[str, tuple[str, int | None]],
    *,
    num_rows: int,
    shard_rows: int,
    metadata: Mapping[str, Any],
    fill: Callable[[GalleryWriter], Any],
) -> None:
    """Write a gallery without the images that cannot be read; list these in ``skipped.json`` beside its shards.

    Every rank of a distributed job must call this. The same call continues an interrupted one.

    Args:
        out: Folder of the gallery.
        columns: Its columns: dtype and width by name.
        num_rows: Number of images.
        shard_rows: Rows per shard.
        metadata: Its metadata, to which the number of skipped images is added.
        fill: Writes this rank's shards of a gallery with a further column ``error``, empty for images that were read.

    Raises:
        ValueError: If ``out`` holds something else, or no image could be read.
    """
    out = Path(out)
    everything = out.with_name(f'{out.name}.with_broken')
    if _is_done(out, json.loads(canonical_json(metadata))):
        if dist.is_main_process():
            shutil.rmtree(everything, ignore_errors=True)  # of a process that was killed at the very end
        return
    writer = GalleryWriter(
        everything,
        columns={**columns, ERROR: (TEXT, None)},
        num_rows=num_rows,
        shard_rows=shard_rows,
        metadata=metadata,
    )
    fill(writer)
    finish_together(writer)
    whole = Gallery(everything, verify=False)
    errors = whole.column(ERROR)
    good = errors == ''
    if not good.any():
        raise ValueError(f'an image must be readable, got {num_rows} that are not, such as {errors[0]}')
    broken = np.flatnonzero(~good)
    writer = GalleryWriter(
        out,
        columns=columns,
        num_rows=int(good.sum()),
        shard_rows=shard_rows,
        metadata={**metadata, SKIPPED: len(broken)},
    )
    if dist.is_main_process() and len(broken):
        listed = [
            dict(id=str(name), error=errors[row]) for name, row in zip(whole.rows('id', broken), broken, strict=True)
        ]
        write_atomically(out / SKIPPED_FILE, encode_json(listed))
        lines = '\n'.join(f'  {entry["error"]}' for entry in listed[:_EXAMPLES])
        more = f'\n  and {len(listed) - _EXAMPLES} more' if len(listed) > _EXAMPLES else ''
        text = f'{len(listed)} of {num_rows} images are skipped, see {out / SKIPPED_FILE}:\n{lines}{more}'
        print_log(text, 'current', logging.WARNING)
    rank, world_size = dist.get_dist_info()
    copy_rows(writer, [Selection(whole, np.flatnonzero(good))], columns, rank=rank, world_size=world_size)
    finish_together(writer)
    if dist.is_main_process():
        shutil.rmtree(everything)
    dist.barrier()


def _is_done(out: Path, metadata: Mapping[str, Any]) -> bool:
    """Whether the gallery is complete; refuse a folder with something else, before hours are spent."""
    if not out.is_dir() or not any(out.iterdir()):
        return False
    if not (out / MANIFEST).is_file():
        raise ValueError(f'`out` must be a new folder, an empty one or a gallery, got {str(out)!r} with other files')
    manifest = read_manifest(out)
    noted = dict(manifest.get('metadata', {}))
    skipped = noted.pop(SKIPPED, None)
    differing = sorted(name for name in noted.keys() | metadata.keys() if noted.get(name) != metadata.get(name))
    if differing or skipped is None:
        raise ValueError(
            f'`out` must be a gallery that the same command has begun, got {str(out)!r} with another '
            f'{", ".join(f"metadata.{name}" for name in differing) or "option `skip_broken`"}; give another path'
        )
    return bool(manifest.get('complete'))
