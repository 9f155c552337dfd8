"""Append items to a gallery, replace them or remove them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmengine.logging import print_log

from mmfct.retrieval import Gallery
from mmfct.retrieval.gallery.description import label_names
from mmfct.retrieval.gallery.extended import write_extended_gallery
from mmfct.retrieval.gallery.manifest import check_outside
from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.source import open_source
from mmfct.retrieval.stores.address import belongs_to, is_store
from mmfct.retrieval.stores.foreign import READ_FROM
from mmfct.retrieval.stores.options import SourceOptions
from mmfct.utils.id_list import read_id_list
from mmfct.utils.progress import Progress


def extend_gallery(
    gallery: str | Path,
    out: str | Path,
    *,
    add: Sequence[str | Path] = (),
    remove: str | Path | None = None,
    replace_items: bool = False,
    common_columns: bool = False,
    options: SourceOptions | None = None,
) -> Gallery:
    """Write a gallery without some items and with those of other galleries at its end.

    The same call continues an interrupted one.

    Args:
        gallery: Folder of the gallery, or anything else that `open_source` opens.
        out: Folder of the new gallery.
        add: Galleries of the items to append, see `write_extended_gallery`.
        remove: Text file with the ids of the items to remove, one a line.
        replace_items: Whether an added item takes the place of one that has its id.
        common_columns: Whether to leave out columns that not all galleries have.
        options: How to read vectors of another program, of all of them.

    Returns:
        The new gallery.

    Raises:
        FileNotFoundError: If a gallery or file is missing.
        ImportError: If a gallery is Parquet and pyarrow is not installed.
        ValueError: As from `write_extended_gallery`; also if there is nothing to do, or ``out`` is one of the others.
    """
    if not add and remove is None:
        raise ValueError('`add` or `remove` must be given, got neither: there is nothing to do')
    for name, folder in (('`gallery`', gallery), *(('`add`', other) for other in add)):
        if is_store(folder) and (is_store(str(out)) or belongs_to(out, folder)):
            raise ValueError(f'`out` must be a folder outside of {folder}, got {str(out)!r}')
        check_outside(out, Path(folder), name)
    source, *added = (open_source(path, options=options) for path in (gallery, *add))
    if not common_columns or all('label' in one.columns for one in (source, *added)):
        _check_labels([source, *added])
    removed = [] if remove is None else read_id_list(Path(remove), 'remove')
    if remove is not None and not removed and not add:
        raise ValueError(f'`remove` must name an id in a line, got the empty file {str(remove)!r}')
    result = write_extended_gallery(
        source,
        out,
        added=added,
        removed=removed,
        replace_items=replace_items,
        common_columns=common_columns,
        progress=lambda total: Progress(total).advance,
    )
    left_out = sorted({name for one in (source, *added) for name in one.columns} - set(result.columns))
    dropped = f', without {", ".join(left_out)}' if left_out else ''
    appended = sum(map(len, added))
    print_log(
        f'{out}: {len(result)} rows: {len(result) - appended} of the {len(source)} of {gallery}, and {appended} '
        f'new{dropped}; an index of the gallery must be built again with `mmfct index`',
        'current',
    )
    return result


def _check_labels(sources: Sequence[GallerySource]) -> None:
    """Refuse labels that are texts in a store, which numbers them, beside numbers without names."""
    labelled = [source for source in sources if 'label' in source.columns]
    texts = [one for one in labelled if READ_FROM in one.metadata and label_names(one.metadata)]
    nameless = [one for one in labelled if not label_names(one.metadata)]
    if texts and nameless:
        raise ValueError(
            f'labels of all galleries must be texts or all integers, got texts in {str(texts[0].path)!r} and integers '
            f'without names in {str(nameless[0].path)!r}; read other labels with `--label-column`'
        )
