"""A gallery, or an embedding set of queries, in memory, together with the model that made it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor

from mmfct.evaluation.embedding_set import EmbeddingSet
from mmfct.retrieval.gallery.description import label_names
from mmfct.retrieval.gallery.provenance import Provenance
from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.stores.foreign import READ_FROM
from mmfct.retrieval.stores.loaded import open_checked
from mmfct.retrieval.stores.options import SourceOptions


@dataclass(frozen=True)
class StoredSet:
    """Embeddings that were read from disk.

    Args:
        name: What the user calls the set.
        provenance: The model of the embeddings, and the distance that compares them.
        items: The embeddings.
        label_names: Names of labels that are stored with them.
        labels_are_texts: Whether the labels are texts in the store, which were numbered when they were read.
        kind: What it is beside its name, ``queries`` or ``gallery``, since one of each may have the same.
    """

    name: str
    provenance: Provenance
    items: EmbeddingSet
    label_names: Mapping[int, str]
    labels_are_texts: bool = False
    kind: str = ''

    @property
    def title(self) -> str:
        """Kind and name, for messages."""
        return f'{self.kind} {self.name!r}'.lstrip()

    @classmethod
    def read(
        cls,
        name: str,
        path: str | Path,
        groups: str | None = None,
        *,
        need_labels: bool = True,
        options: SourceOptions | None = None,
        kind: str = '',
    ) -> StoredSet:
        r"""Read a gallery; embedding sets are stored as galleries.

        Args:
            name: What the user calls the set.
            path: Folder of the gallery, or anything else that `open_source` opens.
            groups: Column of the groups of the items, such as cameras, or a regular expression whose parenthesis finds
                the group in an id, such as ``_c(\d+)``; ``None`` for none.
            need_labels: Whether there must be a column ``label``; else all classes are unknown without it.
            options: How to read vectors of another program.
            kind: See `StoredSet`.

        Raises:
            FileNotFoundError: If the folder is no gallery.
            ValueError: If the gallery is damaged, does not say which model made it, lacks a column, or an item has no
                group.
        """
        gallery = open_checked(path, options)
        items = EmbeddingSet.read(gallery, need_labels=need_labels)
        if groups is not None:
            items = replace(items, groups=_groups(gallery, items.ids, groups))
        names = label_names(gallery.metadata)
        texts = bool(names) and READ_FROM in gallery.metadata
        return cls(name, Provenance.from_metadata(gallery.metadata), items, names, texts, kind)

    def order_of(self, other: StoredSet, *, same_labels: bool = True) -> np.ndarray:
        """Find the rows of another set with the same items in this one.

        Args:
            other: The other set.
            same_labels: Whether an item must have the same label in both.

        Returns:
            int64 of shape (N,): row ``order[i]`` here has the id of row ``i`` there.

        Raises:
            ValueError: If an id occurs twice, or the sets differ in items or labels.
        """
        here, there = np.asarray(self.items.ids), np.asarray(other.items.ids)
        for title, ids in ((self.title, here), (other.title, there)):
            if len(np.unique(ids)) < len(ids):
                raise ValueError(f'ids must be unique to tell items of two sets apart, got repeated ones in {title}')
        if not np.array_equal(np.sort(here), np.sort(there)):
            shared = len(np.intersect1d(here, there))
            raise ValueError(
                f'{self.title} and {other.title} must hold the same items, got {len(here)} and {len(there)} with '
                f'{shared} in common'
            )
        order = np.empty(len(here), np.int64)
        order[np.argsort(there)] = np.argsort(here)
        if not same_labels:
            return order
        different = int((self.items.labels[order] != other.items.labels).sum())
        if different:
            raise ValueError(
                f'{self.title} and {other.title} must give an item the same label, got {different} others'
            )
        return order


def _groups(gallery: GallerySource, ids: np.ndarray | Tensor, groups: str) -> np.ndarray:
    """Read the group of each item from a column, or find it in its id."""
    if '(' not in groups:
        if groups not in gallery.columns:
            raise ValueError(
                '`groups` must be a column of every set, or a regular expression with a parenthesis that finds the '
                f'group in an id, got {groups!r} for {str(gallery.path)!r}, which has the columns '
                f'{", ".join(gallery.columns)}'
            )
        return np.asarray(gallery.column(groups))
    try:
        pattern = re.compile(groups)
    except re.error as error:
        raise ValueError(f'`groups` must be a regular expression, got {groups!r} ({error})') from error
    if pattern.groups != 1:
        raise ValueError(f'`groups` must have one parenthesis, for the group, got {groups!r}')
    found = [pattern.search(str(name)) for name in ids.tolist()]
    without = [name for name, match in zip(ids.tolist(), found, strict=True) if match is None or match[1] is None]
    if without:
        raise ValueError(
            f'`groups` must find a group in every id, got {groups!r} and {without[0]!r} of {str(gallery.path)!r}, and '
            f'{len(without) - 1} others'
        )
    return np.array([match[1] for match in found if match is not None])
