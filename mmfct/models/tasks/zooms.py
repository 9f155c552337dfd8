"""Notice images that are zoomed in training while the values of their depth maps stay."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from mmengine.logging import print_log

_SAME = 0.02  # hosts round sizes
_REPAIR = (
    "put dict(type='mmfct.ZoomDepth') right after the resize and 'zoom' and 'depth_target' into `meta_keys` of the "
    "packing; if values shall stay, with depth_target='relative_depth'"
)


class ZoomCheck:
    """Look at what a host's resize has noted about the images of a training.

    An image that is enlarged looks as if taken from nearer, and its depth must follow: `mmfct.ZoomDepth` sees to it,
    and notes ``zoom``. Without, the network learns one depth for several looks.
    """

    def __init__(self) -> None:
        self._scales: dict[tuple[int, ...], tuple[float, float]] = {}  # by the size of the file
        self._warned = False

    def look(self, meta: Mapping[str, Any]) -> None:
        """Look at the meta information of an image; where it says nothing about a resize, nothing is noticed.

        Images of several sizes that are resized to one, by different factors, are only warned of: cameras of one field
        of view may have taken them, and then values stay.

        Raises:
            ValueError: If images of one size were resized by different factors, without ``zoom``.
        """
        scale, size = meta.get('scale_factor'), meta.get('ori_shape')
        if scale is None or size is None or 'zoom' in meta:
            return
        scale, name = tuple(scale), meta.get('img_path', 'an image')
        known = self._scales.setdefault(tuple(size[:2]), scale)
        if not _alike(scale, known):
            raise ValueError(
                f'images with depth maps must not be resized by different factors while depth stays as it is, got '
                f'{_text(scale)} for {name} and {_text(known)} for another image of its size; {_REPAIR}'
            )
        other = next(iter(self._scales.values()))
        if not self._warned and not _alike(scale, other):
            self._warned = True
            text = (
                f'images of several sizes are resized by different factors, {_text(scale)} for {name} and '
                f'{_text(other)} for another one, and the values of their depth maps stay: right only if all sizes '
                f'show the same field of view; otherwise {_REPAIR}'
            )
            print_log(text, 'current', logging.WARNING)


def _alike(scale: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(abs(a - b) <= _SAME * max(a, b) for a, b in zip(scale, other, strict=True))


def _text(scale: tuple[float, ...]) -> str:
    return ' x '.join(f'{factor:.3g}' for factor in scale)
