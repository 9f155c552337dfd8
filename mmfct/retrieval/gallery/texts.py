"""Columns of texts: of one width, as numpy stores them, or one after the other where a few are much longer.

numpy gives every text the room of the longest one, four bytes a character, so a single id of 20,000 characters would
turn a gallery of a megabyte into one of gigabytes. A column with a longer text than ``MAX_FIXED`` therefore has the
dtype ``'text'``: a ``.npy`` file of bytes with the offsets of all rows and of the end, as little-endian int64, and
then the texts in UTF-8::

    content = np.load('id-00000.npy')
    offsets = content[: 8 * (rows + 1)].view('<i8')
    text = content[8 * (rows + 1) :][offsets[row] : offsets[row + 1]].tobytes().decode()
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

TEXT = 'text'
# Characters; shorter texts stay readable by earlier versions, and every row costs at most a kilobyte.
MAX_FIXED = 256
_OFFSET = np.dtype('<i8')
# A name of a file may hold bytes that are no text, which Python keeps as lone surrogates.
_ERRORS = 'surrogatepass'


def text_array(texts: Sequence[str]) -> np.ndarray:
    """Return texts as an array of shape (N,): of one width, or of Python's strings if one is long."""
    return np.array(texts, dtype=None if _longest(texts) <= MAX_FIXED else object)


def text_dtype(texts: Iterable[str] | np.ndarray) -> str:
    """Return the dtype of a column for these texts, of which there may be an iterator."""
    if isinstance(texts, np.ndarray) and texts.dtype.kind == 'U':
        return texts.dtype.str.replace('>', '<')
    longest = _longest(texts)
    return f'<U{max(longest, 1)}' if longest <= MAX_FIXED else TEXT


def encode_texts(texts: np.ndarray) -> np.ndarray:
    """Return the content of the file of texts (N,), uint8 of shape (bytes,)."""
    encoded = [text.encode(errors=_ERRORS) for text in texts.tolist()]
    offsets = np.zeros(len(encoded) + 1, _OFFSET)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    return np.concatenate([offsets.view(np.uint8), np.frombuffer(b''.join(encoded), np.uint8)])


def check_texts(content: np.ndarray, rows: int) -> None:
    """Check that a file holds the offsets of so many texts.

    Args:
        content: Content of the file.
        rows: Number of texts.

    Raises:
        ValueError: If it does not.
    """
    _offsets(content, rows)


def decode_texts(content: np.ndarray, rows: int) -> np.ndarray:
    """Return the texts of a file, strings in an array of objects of shape (rows,); arguments as of `check_texts`.

    Raises:
        ValueError: If they are damaged.
    """
    offsets = _offsets(content, rows)
    data = content[_OFFSET.itemsize * (rows + 1) :].tobytes()
    bounds = offsets.tolist()
    texts = np.empty(rows, object)
    texts[:] = [data[start:stop].decode(errors=_ERRORS) for start, stop in zip(bounds[:-1], bounds[1:], strict=True)]
    return texts


def _offsets(content: np.ndarray, rows: int) -> np.ndarray:
    size = _OFFSET.itemsize * (rows + 1)
    if content.dtype == np.uint8 and content.ndim == 1 and len(content) >= size:
        offsets = np.array(content[:size]).view(_OFFSET)
        if offsets[0] == 0 and offsets[-1] == len(content) - size and (offsets[1:] >= offsets[:-1]).all():
            return offsets
    raise ValueError(f'texts must be bytes with the offsets of {rows} rows, got {content.dtype} of {content.shape}')


def _longest(texts: Iterable[str]) -> int:
    return max(map(len, texts), default=0)
