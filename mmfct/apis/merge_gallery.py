"""Merge the parts of a gallery that independent jobs have extracted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from mmengine.logging import print_log

from mmfct.retrieval import Gallery
from mmfct.retrieval.gallery.parts import merge_parts


def merge_gallery(out: str | Path, parts: Sequence[str | Path] = ()) -> Gallery:
    """Merge parts, made with the option ``shard`` of `extract_gallery`, into the gallery that one job would have made.

    Args:
        out: Folder of the gallery.
        parts: Folders of the parts, in any order; without any, those beside ``out`` that bear its name.

    Returns:
        The gallery.

    Raises:
        FileNotFoundError: If there is no part, or a file of one is missing.
        ValueError: As from `merge_parts`.
    """
    out = Path(out)
    folders = list(parts) or _beside(out)
    if not folders:
        raise FileNotFoundError(
            f'the parts of {str(out)!r} must lie beside it, such as {out.name + ".1-of-8"!r}, got none; name them, or '
            'make them with `mmfct extract --shard`'
        )
    gallery = merge_parts(out, folders)
    print_log(f'Gallery {out}: {len(gallery)} embeddings of {len(folders)} parts', 'current')
    return gallery


def _beside(out: Path) -> list[Path]:
    name = re.compile(re.escape(out.name) + r'\.\d+-of-\d+')
    if not out.absolute().parent.is_dir():
        return []
    return sorted(path for path in out.absolute().parent.iterdir() if name.fullmatch(path.name))
