"""Images that several instances share, and what tells these apart."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

_NUMBER = 'sample_idx'  # differs in one data set, but each of several counts its own


@dataclass(frozen=True)
class SharedImages:
    """Paths of images with several annotations, and the fields by which these differ.

    Args:
        paths: ``img_path`` of each.
        fields: Names of the fields: ``sample_idx``, and paths of labels.
        folder: What the paths of labels have in common.
    """

    paths: frozenset[str]
    fields: tuple[str, ...]
    folder: str

    @classmethod
    def of(cls, annotations: Sequence[Mapping[str, Any]]) -> SharedImages | None:
        """Find what tells the annotations of an image apart; ``None`` if they are all alike.

        Args:
            annotations: All annotations of the images that come more than once.

        Raises:
            ValueError: If nothing does.
        """
        groups: dict[str, list[Mapping[str, Any]]] = {}
        for info in annotations:
            known = groups.setdefault(info['img_path'], [])
            if not any(_alike(info, other) for other in known):
                known.append(info)
        several = {path: known for path, known in groups.items() if len(known) > 1}
        if not several:
            return None
        fields = _separating_fields(list(several.values()))
        values = [str(info[field]) for known in several.values() for info in known for field in fields]
        return cls(
            frozenset(several), fields, os.path.commonprefix([v for v in values if '/' in v]).rpartition('/')[0]
        )

    def name(self, info: Mapping[str, Any]) -> str:
        """Return the path of an image with what tells this annotation from its others.

        Args:
            info: The fields of an annotation, or of a data sample.
        """
        parts = [str(info[field]).removeprefix(self.folder).strip('/').replace('/', ':') for field in self.fields]
        return '#'.join([info['img_path'], *parts])


def _separating_fields(groups: Sequence[Sequence[Mapping[str, Any]]]) -> tuple[str, ...]:
    """Return the fewest fields by which the annotations of every group differ."""
    infos = [info for known in groups for info in known]
    common = set(infos[0]).intersection(*infos)
    paths = sorted(
        field
        for field in common
        if field.endswith('_path') and field != 'img_path' and all(isinstance(info[field], str) for info in infos)
    )
    candidates = [_NUMBER, *paths] if _NUMBER in common else paths
    for number in range(1, len(candidates) + 1):
        for fields in combinations(candidates, number):
            if all(len({tuple(info[field] for field in fields) for info in known}) == len(known) for known in groups):
                return fields
    raise ValueError(
        'the annotations of one image must differ in `sample_idx` or in the path of a label, to be instances of their '
        f'own, got {infos[0]["img_path"]!r} with several in {candidates}; give it another `img_path`, such as a link, '
        'or put all images into one data set'
    )


def _alike(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Return whether two annotations are the same but for their numbers."""
    keys = (first.keys() | second.keys()) - {_NUMBER}
    return all(key in first and key in second and _equal(first[key], second[key]) for key in keys)


def _equal(first: Any, second: Any) -> bool:
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return np.array_equal(first, second)
    return bool(first == second)
