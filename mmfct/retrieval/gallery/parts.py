"""Galleries of a part of the items, made by independent jobs, and the whole that they are merged into.

A part is a gallery of its own, in a folder beside the whole, ``gallery.03-of-64``. It holds whole shards, and its
metadata is that of the whole with an entry about the part.
"""

from __future__ import annotations

import json
import re
import reprlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmfct.retrieval.gallery.description import PART, SKIPPED, GalleryDescription
from mmfct.retrieval.gallery.manifest import check_outside
from mmfct.retrieval.gallery.reader import Gallery
from mmfct.retrieval.gallery.selection import Selection, copy_rows
from mmfct.retrieval.gallery.writer import GalleryWriter
from mmfct.utils.files import write_atomically
from mmfct.utils.json import encode_json

SKIPPED_FILE = 'skipped.json'  # lists the images that could not be read, if there are any


class Part(NamedTuple):
    """Part ``number`` of ``of``, from 1."""

    number: int
    of: int

    def __str__(self) -> str:
        return f'{self.number}/{self.of}'

    @classmethod
    def parse(cls, text: str) -> Part:
        """Read a part such as ``3/64``.

        Raises:
            ValueError: If it is none.
        """
        match = re.fullmatch(r'(\d{1,6})/(\d{1,6})', text)
        part = cls(*map(int, match.groups())) if match else cls(0, 0)
        if not 1 <= part.number <= part.of:
            raise ValueError(f'a part must be K/N with K from 1 to N, such as 3/64, got {text!r}')
        return part

    def folder(self, out: str | Path) -> Path:
        """Return the folder of this part of the gallery ``out``."""
        out = Path(out)
        return out.with_name(f'{out.name}.{self.number:0{len(str(self.of))}d}-of-{self.of}')

    def shards(self, num_rows: int, shard_rows: int) -> range:
        """Return the shards of the whole gallery that this part holds.

        Raises:
            ValueError: If there are fewer shards than parts.
        """
        number = -(-num_rows // shard_rows)
        if number < self.of:
            raise ValueError(
                f'{num_rows} items must fill a shard of {shard_rows} rows for each of {self.of} parts, got {number} '
                'shards; make fewer parts, or smaller shards with `--shard-rows`'
            )
        return range((self.number - 1) * number // self.of, self.number * number // self.of)


def merge_parts(out: str | Path, folders: Sequence[str | Path]) -> Gallery:
    """Merge all parts of a gallery into the bytes that one job would have written.

    Every shard of a part is verified before it is copied. The same call continues an interrupted one.

    Args:
        out: Folder of the whole gallery.
        folders: Folders of the parts, in any order.

    Raises:
        FileNotFoundError: If a folder or a file of a gallery is missing.
        ValueError: If a folder is no part, or not complete; if parts are of different models, images or settings, or
            one is missing or there twice; if a file is damaged, or ``out`` is something else.
    """
    for folder in folders:
        check_outside(out, Path(folder), 'a part')
    parts = [Gallery(folder, verify=False) for folder in folders]
    parts = _in_order(parts, out)
    metadata = {name: value for name, value in parts[0].metadata.items() if name != PART}
    if SKIPPED in metadata:
        metadata[SKIPPED] = sum(part.metadata[SKIPPED] for part in parts)
    writer = GalleryWriter(
        out,
        columns=parts[0].columns,
        num_rows=sum(map(len, parts)),
        shard_rows=parts[0].shard_rows,
        metadata=metadata,
    )
    listed = [entry for part in parts for entry in _skipped(part)]
    if listed:
        write_atomically(Path(out) / SKIPPED_FILE, encode_json(listed))
    copy_rows(writer, [Selection(part, np.arange(len(part))) for part in parts], parts[0].columns)
    writer.finish()
    return Gallery(out, verify=False)


def _in_order(parts: Sequence[Gallery], out: str | Path) -> list[Gallery]:
    """Sort parts by their number; refuse them if they are not exactly those of one gallery."""
    by_number: dict[int, Gallery] = {}
    of = _entry(parts[0])['of']
    for part in parts:
        entry = _entry(part)
        differing = _whole(parts[0]).differences(_whole(part))
        if differing:
            names = ', '.join(name.removeprefix('metadata.') for name in differing)
            raise ValueError(
                f'all parts must be of one gallery, got {str(part.path)!r} with another {names} than '
                f'{str(parts[0].path)!r}: make it anew, with the model, images and options of the others'
            )
        if entry['number'] in by_number:
            raise ValueError(
                f'every part must be there once, got {entry["number"]}/{of} in {str(part.path)!r} and in '
                f'{str(by_number[entry["number"]].path)!r}'
            )
        by_number[entry['number']] = part
    missing = [number for number in range(1, of + 1) if number not in by_number]
    if missing:
        first = Part(missing[0], of)
        raise ValueError(
            f'all {of} parts must be there, got none of {reprlib.repr(missing)}; make {str(first.folder(out))!r} with '
            f'`--shard {first}`, and so on'
        )
    ordered = [by_number[number] for number in range(1, of + 1)]
    _check_rows(ordered)
    return ordered


def _check_rows(parts: Sequence[Gallery]) -> None:
    """Refuse parts with other rows than theirs: together they hold every item once, but for images left out."""
    start = 0
    for part in parts:
        first, stop = _entry(part)['rows']
        if first != start or len(part) + part.metadata.get(SKIPPED, 0) != stop - first:
            raise ValueError(
                f'{str(part.path)!r} must hold the items from {start} on, got {len(part)} of the items '
                f'{first} to {stop}; make it anew'
            )
        start = stop
    if start != _entry(parts[0])['num_rows']:
        raise ValueError(f'the parts must hold all {_entry(parts[0])["num_rows"]} items, got {start}')


def _entry(part: Gallery) -> dict[str, Any]:
    entry = part.metadata.get(PART)
    if entry is None:
        raise ValueError(f'{str(part.path)!r} must be a part made with `--shard`, got a whole gallery')
    return entry


def _whole(part: Gallery) -> GalleryDescription:
    """Describe what must be the same in all parts."""
    entry = _entry(part)
    metadata = {name: value for name, value in part.metadata.items() if name not in (PART, SKIPPED)}
    metadata |= {
        'number of parts': entry['of'],
        'number of items': entry['num_rows'],
        'skip_broken': SKIPPED in part.metadata,
    }
    return GalleryDescription(part.columns, 1, part.shard_rows, metadata)


def _skipped(part: Gallery) -> list[dict[str, str]]:
    file = part.path / SKIPPED_FILE
    return json.loads(file.read_text()) if part.metadata.get(SKIPPED) else []
