"""Tell whole image files from truncated ones."""

from __future__ import annotations

from pathlib import Path


def check_whole_image(path: str | Path) -> None:
    """Refuse a truncated file, of which OpenCV, the hosts' decoder, makes a picture with a grey rest.

    A JPEG file is read to its end but decoded at an eighth of its size.

    Args:
        path: The file. One that is not here, or in a format that Pillow does not know, is left to its loader.

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
