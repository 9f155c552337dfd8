"""Search by queries of a newer model than the gallery's, through an adapter, until all of the gallery is upgraded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from mmfct.apis.search_gallery.labels import labels_as_in
from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance, check_same_preprocessing
from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.index.adapted import AdaptedSearch, MergedNeighbours
from mmfct.retrieval.index.file import read_index
from mmfct.retrieval.stores.loaded import open_checked
from mmfct.retrieval.stores.options import SourceOptions
from mmfct.retrieval.transform.apply import Transform
from mmfct.utils.progress import Progress


@dataclass(frozen=True)
class AdapterFiles:
    """How queries of a newer model search a gallery.

    Args:
        adapter: Transform file from ``mmfct learn --direction query``.
        upgraded: Those items that are upgraded already: a gallery, or anything else that `open_source` opens, such as
            what an upgrade has written so far into a vector database; ``None`` if none is.
        upgraded_index: File of a FAISS index of these; ``None`` for an exact search.
        gallery_model: Name of the model of the old gallery, if another program made it; what `SourceOptions` name is
            the model of queries and upgraded items.

    Raises:
        ValueError: If there is an index of nothing.
    """

    adapter: str | Path
    upgraded: str | Path | None = None
    upgraded_index: str | Path | None = None
    gallery_model: str | None = None

    def __post_init__(self) -> None:
        if self.upgraded_index is not None and self.upgraded is None:
            raise ValueError(
                f'`upgraded_index` needs the upgraded items, `upgraded`, got {self.upgraded_index!r} alone'
            )


@dataclass(frozen=True)
class Adapted:
    """An opened search through an adapter.

    Args:
        gallery: The old gallery.
        upgraded: Its upgraded items, if there are any.
        search: The search.
    """

    gallery: GallerySource
    upgraded: GallerySource | None
    search: AdaptedSearch

    @classmethod
    def open(
        cls,
        files: AdapterFiles,
        gallery: GallerySource,
        *,
        index: str | Path | None = None,
        options: SourceOptions | None = None,
    ) -> Adapted:
        """Open what a search needs beside its old gallery.

        Args:
            files: What to open.
            gallery: The old gallery.
            index: File of its FAISS index.
            options: How to read upgraded items of another program.

        Raises:
            FileNotFoundError: If something is missing.
            ImportError: If an index is given and FAISS is not installed.
            ValueError: If something is damaged or does not fit, see `AdaptedSearch`.
        """
        upgraded = None
        if files.upgraded is not None:
            partly = replace(options or SourceOptions(), skip_missing=True, unfinished=True)
            upgraded = open_checked(files.upgraded, partly)
        upgraded_index = None
        if upgraded is not None and files.upgraded_index is not None:
            upgraded_index = read_index(files.upgraded_index, upgraded)
        search = AdaptedSearch(
            gallery,
            Transform(files.adapter),
            upgraded,
            index=None if index is None else read_index(index, gallery),
            upgraded_index=upgraded_index,
        )
        said = (
            f'{len(gallery)} items are searched by queries that {files.adapter} maps into the space of {gallery.path}'
        )
        if upgraded is not None:
            said = (
                f'{search.num_hidden} of {len(gallery)} items are upgraded and searched directly in {upgraded.path}, '
                f'the others by queries that {files.adapter} maps'
            )
            if more := len(upgraded) - search.num_hidden:
                said += f'; {more} items of {upgraded.path} are not in {gallery.path}'
        print_log(said, 'current')
        return cls(gallery, upgraded, search)

    def check_model(self, model: ModelIdentity) -> None:
        """Refuse queries of another model than that of the queries that the adapter maps.

        Raises:
            ValueError: If they are; the message names both.
        """
        wanted = self.search.model
        if model.fingerprint != wanted.fingerprint:
            own = model.fingerprint == Provenance.from_metadata(self.gallery.metadata).embedding.fingerprint
            hint = '; queries of the own model of the gallery need no adapter' if own else ''
            raise ValueError(f'queries must be those that the adapter maps, of {wanted}, got queries of {model}{hint}')
        check_same_preprocessing('queries', model, wanted, 'adapter')

    def find(self, queries: np.ndarray, k: int) -> MergedNeighbours:
        """Search, and show the progress; see `AdaptedSearch.search`."""
        rows = len(self.gallery) + (0 if self.upgraded is None else len(self.upgraded))
        return self.search.search(queries, k, advance=Progress(len(queries) * rows, 'pairs').advance)

    def ids(self, rows: np.ndarray, upgraded: np.ndarray) -> list[str]:
        """Return the ids of items that were found, rows (K,) of the upgraded ones or of the old gallery."""
        return self._column('id', rows, upgraded)

    def labels(self, rows: np.ndarray, upgraded: np.ndarray) -> list[int] | None:
        """Return their labels as the old gallery numbers them; ``None`` if one of the two has none."""
        sources = [self.gallery] if self.upgraded is None else [self.gallery, self.upgraded]
        if any('label' not in source.columns or labels_as_in(self.gallery, [], source) is None for source in sources):
            return None
        return self._column('label', rows, upgraded)

    def _column(self, name: str, rows: np.ndarray, upgraded: np.ndarray) -> list:
        values: list = self.gallery.rows(name, np.where(upgraded, 0, rows)).tolist()
        if self.upgraded is not None and upgraded.any():
            direct = self.upgraded.rows(name, rows[upgraded]).tolist()
            if name == 'label':
                direct = labels_as_in(self.gallery, direct, self.upgraded)
            for place, value in zip(np.flatnonzero(upgraded), direct, strict=True):
                values[place] = value
        return values
