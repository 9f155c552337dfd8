"""Read arrays from files, with errors that name the file."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

_PNG_START = b'\x89PNG\r\n\x1a\n'
_GREY, _PALETTE = 0, 3  # colour types
# The last chunk of every PNG file: its length, name and checksum. Some decoders fill up a truncated file.
_PNG_END = b'\0\0\0\0IEND\xaeB`\x82'


def read_png(path: str) -> np.ndarray:
    """Decode a PNG file without conversion: 8 or 16 bits, of shape (H, W) or (H, W, channels).

    Of an image with a palette, the numbers of its colours are returned, and fewer than 8 bits are not spread over 8.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not a complete PNG image.
    """
    import cv2
    from PIL import Image

    data = Path(path).read_bytes()
    if data[:1] and not data.startswith(_PNG_START[: len(data)]):
        raise ValueError(f'{path} must be a PNG image, whose pixels are exact, got another format; convert it')
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if _PNG_END in data else None
    if image is None:
        raise ValueError(f'{path} is not a readable PNG image, or ends early; get the file again')
    bits, colour_type = data[24], data[25]
    if colour_type == _PALETTE:
        return np.array(Image.open(io.BytesIO(data)))
    return image // (255 // (2**bits - 1)) if colour_type == _GREY and bits < 8 else image


def read_npy(path: str) -> np.ndarray:
    """Read an array of numbers from a NumPy file; nothing is unpickled.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not a complete array of numbers, or has NaN or infinite values.
    """
    try:
        array = np.load(path, allow_pickle=False)
    except (EOFError, ValueError) as error:
        raise ValueError(f'{path} is not a readable .npy file ({error}); get the file again') from error
    if array.dtype.kind not in 'iuf' or not np.isfinite(array).all():
        raise ValueError(
            f'{path} must hold finite numbers, got NaN, infinity or the type {array.dtype}; unknown pixels are 0 in '
            'depth maps, and -1 in label maps'
        )
    return array


def is_bare(results: dict, key: str) -> bool:
    """Return whether there is no label to load: in mmseg's inferencers an image does not come from a data set.

    Args:
        results: What the transforms pass on.
        key: Entry in which a data set names the file of the label.
    """
    return key not in results and 'sample_idx' not in results


def image_size(results: dict) -> tuple[int, int]:
    """Return height and width of the loaded image, before any host's Resize.

    Args:
        results: What the transforms pass on.

    Raises:
        ValueError: If the pipeline has not loaded an image.
    """
    if 'ori_shape' not in results:
        raise ValueError('`pipeline` must load the image before its maps, got a map to load and no `ori_shape`')
    height, width = results['ori_shape'][:2]
    return height, width


def check_size(array: np.ndarray, results: dict, path: str) -> None:
    """Check that a map has one value per pixel of the image.

    Args:
        array: The map.
        results: What the transforms pass on, with the image.
        path: The file of the map.

    Raises:
        ValueError: If the shape is not (H, W) of the image, or there is no image.
    """
    size = image_size(results)
    if array.shape != size:
        raise ValueError(
            f'{path} must have the size {size} of its image {results.get("img_path")}, got the shape {array.shape}'
        )
