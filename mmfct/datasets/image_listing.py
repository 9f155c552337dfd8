"""List the image files of a folder, and say which files and folders are passed over."""

from __future__ import annotations

import os
import re
from collections import Counter
from functools import cache
from pathlib import Path

# Formats that every OpenCV reads, the decoder of the hosts.
_ALWAYS = '.bmp .dib .jfif .jpe .jpeg .jpg .pbm .pgm .png .pnm .ppm .tif .tiff .webp'
# Formats that some builds of it read, by the name that they have among its properties.
_SOMETIMES = {'AVIF': '.avif', 'GIF': '.gif', 'JPEG 2000': '.j2k .jp2'}
# Folders in which systems and programs keep thumbnails, deleted files and copies; so do all that begin with a dot.
_BINS = frozenset(
    ['@eadir', '#recycle', '#snapshot', '$recycle.bin', '__macosx', 'lost+found', 'system volume information']
)
_EXAMPLES = 3


@cache
def image_extensions() -> frozenset[str]:
    """Return the extensions, in lower case, of the formats that can be read here."""
    import cv2

    properties = cv2.getBuildInformation()
    built = [key for key in _SOMETIMES if re.search(rf'^ *{key}: +(?!NO\b)\w', properties, re.MULTILINE)]
    return frozenset(' '.join([_ALWAYS, *(_SOMETIMES[key] for key in built)]).split())


class ImageListing:
    """The images of a folder and its subfolders.

    Linked folders are entered, each folder once. Hidden files and folders and those of bins are passed over, and files
    without the extension of an image.

    Args:
        root: The folder.

    Attributes:
        paths: Image files in the order of their paths.
    """

    def __init__(self, root: Path) -> None:
        self.paths: list[Path] = []
        self._entered: set[tuple[int, int]] = set()
        self._extensions: Counter[str] = Counter()
        self._hidden: list[str] = []
        self._repeated: list[str] = []
        self._unreadable: list[str] = []
        self._links: list[Path] = []
        self._root = root
        self._enter(root)
        while self._links:  # after the folders that lie here, under whose names their images are known
            links, self._links = sorted(self._links), []
            for link in links:
                self._enter(link)
        self.paths.sort()

    def passed_over(self) -> str:
        """Say what was passed over and why; empty if nothing was."""
        reasons = []
        if self._extensions:
            counts = ', '.join(
                f'{number} {name or "without extension"}'
                for name, number in sorted(self._extensions.items(), key=_by_number)
            )
            reasons.append(f'files of formats that are not read here ({counts})')
        for items, why in (
            (self._hidden, 'hidden files and folders and bins'),
            (self._repeated, 'links to folders that are read already'),
            (self._unreadable, 'files and folders that cannot be opened'),
        ):
            if items:
                more = ', ...' if len(items) > _EXAMPLES else ''
                reasons.append(f'{len(items)} {why} ({", ".join(map(repr, items[:_EXAMPLES]))}{more})')
        return '; '.join(reasons)

    def _enter(self, folder: Path) -> None:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in self._entered:
            self._repeated.append(self._name(folder))
            return
        self._entered.add((status.st_dev, status.st_ino))
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            self._unreadable.append(self._name(folder))
            return
        for entry in entries:
            path = folder / entry.name
            if entry.name.startswith('.') or entry.name.lower() in _BINS:
                self._hidden.append(self._name(path))
            elif entry.is_dir(follow_symlinks=False):
                self._enter(path)
            elif entry.is_dir():
                self._links.append(path)
            elif not entry.is_file():
                self._unreadable.append(self._name(path))  # a broken link, a pipe
            elif path.suffix.lower() in image_extensions():
                self.paths.append(path)
            else:
                self._extensions[path.suffix.lower()] += 1

    def _name(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()


def _by_number(entry: tuple[str, int]) -> tuple[int, str]:
    return -entry[1], entry[0]
