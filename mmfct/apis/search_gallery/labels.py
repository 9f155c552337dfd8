"""Labels of one source in the numbering of another."""

from __future__ import annotations

from mmfct.retrieval.gallery.description import label_names
from mmfct.retrieval.gallery.reader import GallerySource


def labels_as_in(gallery: GallerySource, labels: list[int], source: GallerySource) -> list[int] | None:
    """Return labels of ``source`` as ``gallery`` numbers them; ``None`` if it lacks the name of a class."""
    given, wanted = label_names(source.metadata), label_names(gallery.metadata)
    if not given or not wanted or given == wanted:
        return labels
    numbers = {name: number for number, name in wanted.items()}
    if any(name not in numbers for name in given.values()):
        return None
    return [numbers[given[label]] if label in given else label for label in labels]
