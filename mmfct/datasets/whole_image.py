"""Detect truncated image files."""

from __future__ import annotations

from pathlib import Path


def check_whole_image(path: str | Path) -> None:
    """Raise an error for a truncated file, which OpenCV, the hosts' decoder, would silently fill up with grey.

    A JPEG file is read to its end but decoded at an eighth of its size.

    Args:
        path: The file. A missing one, or one in a format that Pillow does not know, is left to its loader.

    Raises:
        OSError: If the file is truncated.
        SyntaxError: If a PNG file is broken.
    """
    from PIL import Image, UnidentifiedImageError

    if not Path(path).is_file():
        return
    try:
        with Image.open(path) as image:
            image.draft(image.mode, (1, 1))
            image.load()
    except (UnidentifiedImageError, Image.DecompressionBombError):
        return
