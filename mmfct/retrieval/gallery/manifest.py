"""The manifest of a gallery: its description, and the name, size and checksum of every file.

A gallery is a folder that numpy and a JSON reader can open without this project::

    manifest.json        description, and the files of every shard with their checksums
    <column>-00000.npy   the rows of one column in one shard (long texts: see `texts`)
    shard-00000.json     only while the gallery is being written: this shard is safely on disk
"""

from __future__ import annotations

import contextlib
import json
import reprlib
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmfct.retrieval.gallery.description import GalleryDescription
from mmfct.retrieval.gallery.shard import ShardFile
from mmfct.utils.files import is_temporary, is_written, write_atomically
from mmfct.utils.json import encode_json

FORMAT_VERSION = 1
MANIFEST = 'manifest.json'


def read_manifest(path: Path) -> dict[str, Any]:
    """Read the manifest of a gallery, complete or not.

    Args:
        path: Folder of the gallery.

    Raises:
        FileNotFoundError: If there is no manifest.
        ValueError: If it is not JSON or has another format version.
    """
    file = path / MANIFEST
    if not file.is_file():
        raise FileNotFoundError(f'`path` must be a folder with a {MANIFEST}, got {str(path)!r}')
    try:
        entries = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{file} must be JSON: {error}') from error
    version = entries.get('format_version') if isinstance(entries, dict) else None
    if version != FORMAT_VERSION:
        raise ValueError(f'{file} must have `format_version` {FORMAT_VERSION}, got {version!r}')
    return entries


def list_files(manifest: Mapping[str, Any], description: GalleryDescription) -> list[ShardFile]:
    """List the files of a complete gallery.

    Args:
        manifest: Entries of the manifest.
        description: The description among these entries.

    Raises:
        ValueError: If the shards have other rows than described, or a file is missing or has another name than
            its column and shard demand; so no name can lead out of the folder.
    """
    files = []
    try:
        ranges = [(record['start'], record['stop']) for record in manifest['shards']]
        if ranges != [(start, stop) for _, start, stop in description.shards]:
            raise ValueError(
                f'the shards of the manifest must hold {description.num_rows} rows, '
                f'{description.shard_rows} each, got the ranges {reprlib.repr(ranges)}'
            )
        for shard, record in zip(description.shards, manifest['shards'], strict=True):
            for column in description.columns.values():
                entry = record['files'][column.name]
                if entry['name'] != column.file_name(shard.index):
                    raise ValueError(
                        f'a file of the manifest must be called {column.file_name(shard.index)}, got {entry["name"]!r}'
                    )
                files.append(ShardFile(column, shard, entry['bytes'], entry['sha256']))
    except (KeyError, TypeError) as error:
        raise ValueError(f'the manifest must list every file, got {error!r}') from error
    return files


def is_complete(path: str | Path) -> bool:
    """Whether a folder is a finished gallery according to its manifest.

    A folder without a manifest that can be read is not.
    """
    try:
        return read_manifest(Path(path)).get('complete') is True
    except (FileNotFoundError, ValueError):
        return False


def check_outside(out: str | Path, folder: Path, name: str) -> None:
    """Refuse to write a gallery into the folder of another one that it is made from.

    Args:
        out: Folder to be written.
        folder: Folder that is read.
        name: What messages call the folder that is read.

    Raises:
        ValueError: If ``out`` is ``folder`` or lies in it.
    """
    if folder.resolve() in (Path(out).resolve(), *Path(out).resolve().parents):
        raise ValueError(f'`out` must be another folder than that of {name}, got {str(out)!r}')


def check_folder_name(path: Path) -> None:
    """Refuse the name of a file for a new folder, which its reader, such as pandas, would then not understand.

    Raises:
        ValueError: If a gallery is to be made that is called like Parquet or a `.npy` file.
    """
    if path.suffix in ('.parquet', '.npy') and not path.exists():
        raise ValueError(
            f'a gallery is a folder, got the name of a file, {str(path)!r}; leave {path.suffix} out, and write '
            'Parquet with `mmfct convert GALLERY NAME.parquet`'
        )


def create_or_continue(path: Path, description: GalleryDescription) -> None:
    """Start a gallery, or check that the one in the folder has the same description.

    Several processes may call this at the same time.

    Raises:
        OSError: If the folder cannot be made.
        ValueError: If the folder holds a gallery with another description, or other files, or is called like a file.
    """
    check_folder_name(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise type(error)(f'{str(path)!r} must be a folder, or can be made one, got {error}; name another') from error
    # List first, then look for the manifest: it is the first file of a gallery, so whoever sees a file of a faster
    # process sees its manifest too.
    files = sorted(file.name for file in path.iterdir() if not is_temporary(file))
    if not is_written(path / MANIFEST):
        if set(files) - {MANIFEST}:
            raise ValueError(
                f'`path` must be a new folder, an empty one or a gallery, got {str(path)!r} with {reprlib.repr(files)}'
            )
        # Never overwrite: a faster process may even have finished the gallery by now.
        with contextlib.suppress(FileExistsError):
            start = encode_manifest(description, [], complete=False)
            write_atomically(path / MANIFEST, start, overwrite=False)
    manifest = read_manifest(path)
    differences = description.differences(GalleryDescription.from_json(manifest))
    if differences:
        unfinished = '' if manifest.get('complete') else f' or `rm -r {shlex.quote(str(path))}`, which is not finished'
        raise ValueError(
            f'`path` must be a gallery with the same description, got {str(path)!r} with another '
            f'{", ".join(differences)}; give another path{unfinished}'
        )


def encode_manifest(description: GalleryDescription, shards: list[dict[str, Any]], *, complete: bool) -> bytes:
    """Encode a manifest, given the description and the records of the shards."""
    state = {'format_version': FORMAT_VERSION, 'complete': complete, 'shards': shards}
    return encode_json({**state, **description.to_json()}, sort_keys=True)
