"""A fingerprint that changes with the images of a data set."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mmfct.instances.keys import add_numbers


def fingerprint_images(annotations: Iterable[Mapping[str, Any]], names: Sequence[str] | None = None) -> str:
    """Hash names, labels, sizes of files and images held in memory; no file is read.

    A file that was replaced by one of the same size is not noticed.

    Args:
        annotations: Annotations of the images.
        names: Names of the images, if they must not depend on the folder; ``None`` for ``img_path``.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for index, annotation in enumerate(annotations):
        path = annotation.get('img_path')
        size = os.path.getsize(path) if path is not None and os.path.isfile(path) else None
        name = path if names is None else names[index]
        digest.update(f'{name!r} {size} {annotation.get("gt_label")!r}\n'.encode())
        add_numbers(digest, annotation)
    return digest.hexdigest()
