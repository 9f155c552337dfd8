"""Labels of sets that have none, from another set with the same items."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch
from mmengine.logging import print_log

from mmfct.apis.evaluate_compatibility.stored_set import StoredSet
from mmfct.evaluation.embedding_set import rows_of
from mmfct.functional.retrieval_scores import UNKNOWN

Key = TypeVar('Key')


def with_joined_labels(sets: Mapping[Key, StoredSet], keep: Collection[Key] = ()) -> dict[Key, StoredSet]:
    """Give sets without labels those of the same ids in the set that labels most of them, which is said.

    Args:
        sets: Sets by name.
        keep: Names of sets that are to have no labels.
    """
    labelled = [stored for stored in sets.values() if stored.items.is_labelled and _has_unique_ids(stored)]
    return {
        name: stored if stored.items.is_labelled or name in keep else _labelled(stored, labelled)
        for name, stored in sets.items()
    }


def _labelled(stored: StoredSet, others: list[StoredSet]) -> StoredSet:
    best, most = stored, 0
    for other in others:
        rows = rows_of(other.items.ids, stored.items.ids)
        labels = torch.where(rows >= 0, other.items.labels[rows], UNKNOWN)
        known = int((labels != UNKNOWN).sum())
        if known > most:
            items = replace(stored.items, labels=labels)
            names, texts = other.label_names, other.labels_are_texts
            best, most = replace(stored, items=items, label_names=names, labels_are_texts=texts), known
            said = f'labels of {stored.title} are those of {other.title}, by id: {known} of {len(labels)}'
    if most:
        print_log(said, 'current')
    return best


def _has_unique_ids(stored: StoredSet) -> bool:
    return len(np.unique(stored.items.ids)) == len(stored.items)
