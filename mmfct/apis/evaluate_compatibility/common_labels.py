"""One numbering of labels for sets that number the same texts in different ways."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import TypeVar

import torch

from mmfct.apis.evaluate_compatibility.stored_set import StoredSet
from mmfct.functional.retrieval_scores import UNKNOWN

Key = TypeVar('Key', bound=Hashable)


def with_common_labels(sets: Mapping[Key, StoredSet]) -> dict[Key, StoredSet]:
    """Number the labels of all sets in one way, by their names.

    Stores whose labels are texts number those that they have. Queries of two classes and a gallery of ten would
    therefore give one number to different classes.

    Args:
        sets: Sets by name.

    Returns:
        The sets, unchanged where no labels are texts in a store, or all numbers agree.

    Raises:
        ValueError: If the labels of some sets are texts and those of others numbers without names.
    """
    labelled = {name: stored for name, stored in sets.items() if stored.items.is_labelled}
    nameless = [stored.title for stored in labelled.values() if not stored.label_names]
    texts = [stored.title for stored in labelled.values() if stored.labels_are_texts]
    if not texts:
        return dict(sets)  # labels are numbered by a data set
    if nameless:
        raise ValueError(
            f'labels of all sets must be texts or all integers, got texts in {texts[0]} and integers without names '
            f'in {nameless[0]}; read other labels of one of them with `--label-column`'
        )
    named = [stored.label_names for stored in labelled.values() if stored.label_names]
    pairs = {(number, name) for names in named for number, name in names.items()}
    numbers, words = {number for number, _ in pairs}, {name for _, name in pairs}
    repeated = any(len(set(names.values())) < len(names) for names in named)  # ImageNet has two classes "crane"
    if len(pairs) == len(numbers) == len(words) or repeated:
        return dict(sets)
    common = {name: number for number, name in enumerate(sorted(words))}
    return {name: _renumbered(stored, common) if name in labelled else stored for name, stored in sets.items()}


def _renumbered(stored: StoredSet, common: Mapping[str, int]) -> StoredSet:
    labels = torch.full_like(stored.items.labels, UNKNOWN)
    known = stored.items.labels == UNKNOWN
    for number, name in stored.label_names.items():
        rows = stored.items.labels == number
        labels[rows] = common[name]
        known |= rows
    if not known.all():
        missing = int(stored.items.labels[~known][0])
        raise ValueError(f'every label of {stored.title} must have a name, got none for {missing}')
    names = {number: name for name, number in common.items()}
    return replace(stored, items=replace(stored.items, labels=labels), label_names=names)
