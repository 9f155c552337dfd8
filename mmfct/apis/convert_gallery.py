"""Convert galleries to Parquet, and vectors of any store to galleries."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from mmfct.retrieval import Gallery
from mmfct.retrieval.gallery.manifest import MANIFEST, check_folder_name
from mmfct.retrieval.gallery.provenance import Provenance
from mmfct.retrieval.parquet.columns import arrow_module
from mmfct.retrieval.parquet.convert import read_parquet, write_parquet
from mmfct.retrieval.parquet.gallery import find_parquet, list_parquet, noted_metadata, read_notes
from mmfct.retrieval.source import open_source
from mmfct.retrieval.stores.address import is_store
from mmfct.retrieval.stores.convert import write_gallery
from mmfct.retrieval.stores.options import SourceOptions


def convert_gallery(
    source: str | Path,
    out: str | Path,
    *,
    options: SourceOptions | None = None,
    accept_changes: bool = False,
) -> Path:
    """Write a gallery as Parquet, or Parquet or vectors of another program as a gallery.

    Args:
        source: Folder of a gallery; or anything else that `open_source` opens.
        out: Where to write; Parquet becomes one file if the name ends with ``.parquet``, else a folder.
        options: How to read vectors of another program.
        accept_changes: For Parquet that was written from a gallery: whether another program may have changed its rows.

    Returns:
        ``out``.

    Raises:
        ConnectionError: If a server does not answer.
        FileExistsError: If ``out`` exists.
        FileNotFoundError: If there is no such source.
        ImportError: If what reads the source is not installed.
        ValueError: If ``source`` is damaged, a gallery cannot be made of it, it notes another model or distance than
            ``options``, or ``out`` has the name of a file of another kind.
    """
    out, options = Path(out), options or SourceOptions()
    if (Path(source) / MANIFEST).is_file():
        gallery = Gallery(source)
        _check_noted(gallery.metadata, source, options)
        if out.suffix == '.npy':
            raise ValueError(f'`out` must be NAME.parquet or a folder of Parquet, got {str(out)!r}')
        write_parquet(gallery, out)
        print_log(f'{out}: {len(gallery)} rows of {", ".join(gallery.columns)}', 'current')
        return out
    check_folder_name(out)
    if not is_store(source):
        files, passed_over = find_parquet(Path(source))
        if passed_over:
            text = (
                f'{source}: {len(files)} Parquet files are read, {len(passed_over)} other files are passed over, such '
            )
            print_log(f'{text}as {passed_over[0]}', 'current', logging.WARNING)
    if _is_ours(source):
        _check_noted(noted_metadata(list_parquet(Path(source))[0]), source, options)
        gallery = read_parquet(source, out, accept_changes=accept_changes)
    else:
        if accept_changes:
            raise ValueError(
                f'`accept_changes` is for Parquet that was written from a gallery, got {str(source)!r}; leave '
                '`--accept-changes` out'
            )
        gallery = write_gallery(open_source(source, options=options), out)
    if 'side_info' in gallery.columns and Provenance.from_metadata(gallery.metadata).side_info is None:
        text = f'{out} has side-information of an unknown model: no transform will use it; give `side_model`'
        print_log(text, 'current', logging.WARNING)
    print_log(f'{out}: {len(gallery)} rows of {", ".join(gallery.columns)}', 'current')
    return out


def _check_noted(metadata: Mapping[str, Any], source: str | Path, options: SourceOptions) -> None:
    """Refuse another model or distance than a gallery notes: a conversion changes neither."""
    noted = Provenance.from_metadata(metadata)
    for name, got, known in (
        ('model', options.model, noted.embedding.name),
        ('distance', options.distance, noted.distance),
    ):
        if got not in (None, known):
            raise ValueError(
                f'{str(source)!r} notes the {name} {known!r}, which a conversion does not change, got {got!r}; leave '
                f'`--{name}` out'
            )


def _is_ours(source: str | Path) -> bool:
    """Whether a source is Parquet that `write_parquet` wrote."""
    if is_store(source) or Path(source).suffix == '.npy':
        return False
    arrow_module()
    return read_notes(list_parquet(Path(source))[0])[0] is not None
