"""Folders of rendered data: they are complete with given parameters, started, or hold something else."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mmfct.utils.files import is_temporary, write_atomically
from mmfct.utils.progress import Progress


@contextlib.contextmanager
def completed_folder(out: str | Path, parameters: dict, *, name: str, what: str) -> Iterator[Path | None]:
    """Give the folder to fill, or None if it is complete; when the block ends without an error, it is.

    ``<name>.started.json`` exists from the first file on and tells an incomplete folder from one with other contents;
    ``<name>.json`` is written last. Both hold the parameters. Several processes may fill a folder at the same time.

    Args:
        out: The folder, which is created if necessary.
        parameters: What is to be rendered.
        name: Name of the data set.
        what: What is rendered, for messages.

    Raises:
        ValueError: If the folder holds data with other parameters, or something else.
    """
    root, marker, started = Path(out).expanduser(), f'{name}.json', f'{name}.started.json'
    if _is_complete(root, parameters, marker=marker, started=started, what=what):
        yield None
        return
    content = json.dumps(parameters, indent=4).encode()
    root.mkdir(parents=True, exist_ok=True)
    write_atomically(root / started, content)
    yield root
    # The marker must not survive a crash of the machine that the data do not.
    os.sync()
    write_atomically(root / marker, content)
    (root / started).unlink(missing_ok=True)


def render_missing(
    items: Sequence[Any],
    files: Callable[[Any], dict[str, Path]],
    contents: Callable[[Any], dict[str, bytes]],
    *,
    unit: str,
) -> int:
    """Write the files of every item that lacks one, and show the progress.

    Args:
        items: Scenes or clips.
        files: Returns the paths of an item's files by kind.
        contents: Renders an item: the content of its files by kind.
        unit: What the items are, in the plural.

    Returns:
        How many items were rendered.
    """
    missing = [item for item in items if not all(path.is_file() for path in files(item).values())]
    progress = Progress(len(missing), unit)
    for item in missing:
        write_files(files(item), contents(item))
        progress.advance(1)
    return len(missing)


def write_files(files: dict[str, Path], contents: dict[str, bytes]) -> None:
    """Write files; a killed process leaves each of them whole or absent.

    Args:
        files: Paths by kind; their folders are made.
        contents: What they hold.
    """
    for kind, path in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, contents[kind], durable=False)  # `completed_folder` syncs all of them at once


def _is_complete(root: Path, parameters: dict, *, marker: str, started: str, what: str) -> bool:
    """Whether the folder holds all that is to be rendered; see `completed_folder`."""
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
