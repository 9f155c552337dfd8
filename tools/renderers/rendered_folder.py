"""Folders of rendered data: complete with these parameters, started, or something else."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path

from mmfct.utils.files import is_temporary


def write_files(files: dict[str, Path], contents: dict[str, bytes]) -> None:
    """Write files, each under another name first, so that it is whole or absent when the process is killed.

    Args:
        files: Paths by kind; their folders are made.
        contents: What they hold.
    """
    for kind, path in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f'{path.name}.{uuid.uuid4().hex}.tmp')
        try:
            temporary.write_bytes(contents[kind])
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def is_complete(root: Path, parameters: dict, *, marker: str, started: str, what: str) -> bool:
    """Whether the folder holds all that was to be rendered.

    Args:
        root: The folder.
        parameters: What was asked for.
        marker: Name of the JSON file with the parameters that is written last.
        started: Name of the one that is there from the first file on.
        what: What is rendered, for messages.

    Raises:
        ValueError: If it holds data with other parameters, or something else.
    """
    if not root.exists():
        return False
    if not root.is_dir():
        raise ValueError(f'`out` must be a folder, got {str(root)!r}, which is a file')
    names = {path.name for path in root.iterdir() if not is_temporary(path)}
    present = [name for name in (marker, started) if name in names]
    if names and not present:
        raise ValueError(
            f'`out` must be a new or empty folder, or one with {marker} that this function wrote, got {str(root)!r}, '
            f'which holds {sorted(names)[0]!r}'
        )
    for name in present:
        try:
            found = json.loads((root / name).read_bytes())
        except FileNotFoundError:  # another process has finished in the meantime
            continue
        if found != parameters:
            other, wanted = (
                ', '.join(f'{key}={values.get(key)!r}' for key in parameters if found.get(key) != parameters[key])
                for values in (found, parameters)
            )
            raise ValueError(
                f'`out` holds {what} with {other}, got {wanted}; write to another folder, or remove this one: '
                f'rm -r {root}'
            )
    return marker in present
