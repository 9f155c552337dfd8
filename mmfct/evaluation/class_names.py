"""Names of classes, for tables and pictures."""

from __future__ import annotations

from collections.abc import Sequence

from mmfct.functional.retrieval_scores import UNKNOWN


def class_folders(ids: Sequence[str], labels: Sequence[int]) -> dict[int, str]:
    """Find the names of classes in ids that are paths: a folder for each class, as in ImageNet.

    Args:
        ids: Ids of items.
        labels: Their labels.

    Returns:
        Label -> name of the innermost folders that go with the labels one to one; empty if there are none, or a single
        class, whose folder may be anything.
    """
    pairs = [(name.split('/')[:-1], label) for name, label in zip(ids, labels, strict=True) if label != UNKNOWN]
    for depth in range(1, 1 + min((len(folders) for folders, _ in pairs), default=0)):
        names = {(folders[-depth], label) for folders, label in pairs}
        classes = {label: name for name, label in names}
        if 1 < len(names) == len(classes) == len(set(classes.values())):
            return dict(sorted(classes.items()))
    return {}
