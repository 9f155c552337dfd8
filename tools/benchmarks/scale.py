"""What grows with the number of items beside the arithmetic: listing images, merging parts, the manifest.

Prints JSON:

- ``list_microseconds``, ``list_bytes``: CPU time and memory per image, of every job that extracts a part,
- ``merge_microseconds``: CPU time per row of `merge_gallery`, with an embedding and side-information of ``--width``,
- ``row_bytes``: bytes of such a row on disk,
- ``manifest_bytes``: bytes per file of a gallery in its manifest.

Example:
    python tools/benchmarks/scale.py --images 100000 --rows 262144
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmfct.apis.extract_gallery.images import GalleryImages
from mmfct.apis.merge_gallery import merge_gallery
from mmfct.hosts import import_quietly
from mmfct.retrieval import GalleryWriter
from mmfct.retrieval.gallery.parts import Part
from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance

_CONFIG = "folder_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]\n"
_PARTS = 2


def measure_listing(folder: Path, images: int) -> dict[str, float]:
    """List links to one image."""
    (folder / 'images').mkdir()
    cv2.imwrite(str(folder / 'one.png'), np.zeros((2, 2, 3), np.uint8))
    for number in range(images):
        os.symlink(folder / 'one.png', folder / f'images/{number:09d}.png')
    (folder / 'config.py').write_text(_CONFIG)
    config = Config.fromfile(folder / 'config.py')
    import_quietly('mmpretrain')
    init_default_scope('mmpretrain')
    GalleryImages(config, folder=str(folder / 'images'), files=[f'{0:09d}.png'])  # the first call imports the hosts
    memory, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    listed = GalleryImages(config, folder=str(folder / 'images'))
    seconds, grown = time.process_time() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    return dict(list_microseconds=1e6 * seconds / len(listed), list_bytes=1024 * grown / len(listed))


def measure_merge(folder: Path, rows: int, width: int, shard_rows: int) -> dict[str, float]:
    """Merge two parts of random rows."""
    rng = np.random.default_rng(0)
    metadata = Provenance(ModelIdentity('a', 'a' * 64), ModelIdentity('b', 'b' * 64)).to_metadata()
    columns: dict[str, tuple[str, int | None]] = dict(
        embedding=('float32', width), side_info=('float32', width), id=('<U24', None), label=('int64', None)
    )
    for number in range(1, _PARTS + 1):
        part = Part(number, _PARTS)
        shards = part.shards(rows, shard_rows)
        start, stop = shards.start * shard_rows, min(shards.stop * shard_rows, rows)
        entry = dict(part=dict(part._asdict(), rows=[start, stop], num_rows=rows))
        writer = GalleryWriter(
            part.folder(folder / 'gallery'),
            columns=columns,
            num_rows=stop - start,
            shard_rows=shard_rows,
            metadata=metadata | entry,
        )
        for index, first, last in writer.pending():
            vectors = rng.standard_normal((2, last - first, width), np.float32)
            ids = np.array([f'{start + row:020d}.png' for row in range(first, last)])
            labels = np.zeros(last - first, np.int64)
            writer.write_shard(index, dict(embedding=vectors[0], side_info=vectors[1], id=ids, label=labels))
        writer.finish()
    started = time.process_time()
    gallery = merge_gallery(folder / 'gallery')
    seconds = time.process_time() - started
    size = {file.name: file.stat().st_size for file in gallery.path.iterdir()}
    manifest = size.pop('manifest.json')
    return dict(
        merge_microseconds=1e6 * seconds / rows,
        row_bytes=sum(size.values()) / rows,
        manifest_bytes=manifest / len(size),
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=int, default=20000, help='images to list (default: 20000)')
    parser.add_argument('--rows', type=int, default=65536, help='rows to merge (default: 65536)')
    parser.add_argument('--width', type=int, default=128, help='width of the vectors (default: 128)')
    parser.add_argument('--shard-rows', type=int, default=16384, help='rows per shard (default: 16384)')
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measured = measure_merge(folder, args.rows, args.width, args.shard_rows) | measure_listing(folder, args.images)
    print(json.dumps(measured, indent=1))


if __name__ == '__main__':
    main()
