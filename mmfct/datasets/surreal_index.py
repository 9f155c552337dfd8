"""Index of SURREAL's clips: which ones are complete, and which frames show a person."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
import warnings
from pathlib import Path
from typing import Any

from mmfct.datasets.surreal_check import check_clip
from mmfct.datasets.surreal_files import SUFFIXES
from mmfct.utils.files import write_atomically
from mmfct.utils.progress import Progress

_VERSION = 2
_SAVE_EVERY = 300.0  # seconds


def load_index(root: Path, split: str, path: Path) -> dict[str, Any]:
    """Return the index of a split; if there is none for the files as they are, scan all clips with a progress bar.

    Several processes that start without an index each scan all clips: let one of them finish first.

    Args:
        root: Folder with ``cmu``.
        split: Name of the split.
        path: JSON file of the index, of this split alone. It is replaced when files have been added or removed; their
            contents are checked only once. Progress is saved, and an interrupted scan continues from there.

    Returns:
        ``clips``, a list of ``[name, gender, frames, count]``: the name relative to ``root`` without suffix, the
        frames that show a person, from 1, and the number of all frames; ``skipped``, a list of ``[name, reason]``.

    Raises:
        FileNotFoundError: If there is no clip.
        ValueError: If no clip is complete, or the index belongs to another split or cannot be written.
    """
    names = _list_files(root, split)
    digest = hashlib.sha256('\n'.join([str(_VERSION), *names]).encode()).hexdigest()
    index = _read(path) or {}
    if index.get('split', split) != split:
        raise ValueError(f'`index_file` must differ from split to split, got that of {index["split"]!r}: {path}')
    if index.get('files') != digest:
        if index.get('unfinished') != digest:
            index = dict(split=split, unfinished=digest, clips=[], skipped=[])
        _scan(root, names, path, index)
        index['files'] = index.pop('unfinished')
        _write(path, index)
    if index['skipped']:
        name, reason = index['skipped'][0]
        warnings.warn(
            f'{len(index["skipped"])} of {len(index["clips"]) + len(index["skipped"])} clips of the split {split!r} '
            f'are skipped, such as {name}: {reason}. All are listed in {path}; remove it to scan again',
            stacklevel=2,
        )
    if not index['clips']:
        raise ValueError(f'`data_root` must hold a whole clip of the split {split!r}, got none in {str(root)!r}')
    return index


def _list_files(root: Path, split: str) -> list[str]:
    """Return the names of the clips' files relative to ``root``, sorted; no file is opened."""
    folder = root / 'cmu' / split
    found = []
    for run in sorted(folder.glob('run*')):
        for sequence in sorted(os.scandir(run), key=lambda entry: entry.name):
            if sequence.is_dir():
                place = f'cmu/{split}/{run.name}/{sequence.name}'
                found += [f'{place}/{name}' for name in sorted(os.listdir(sequence.path)) if name.endswith(SUFFIXES)]
    if not found:
        raise FileNotFoundError(
            f'`data_root` must hold cmu/{split}/run*/<sequence>/<sequence>_c0001.mp4 with _depth.mat, _segm.mat and '
            f'_info.mat, as SURREAL has them, or as `python tools/render_surreal_clips.py {root}` writes them; there '
            f'is no clip of the split {split!r}, got {str(root)!r}'
        )
    return found


def _scan(root: Path, names: list[str], path: Path, index: dict[str, Any]) -> None:
    """Check every clip that is not in ``index`` yet, and add it."""
    pattern = '|'.join(re.escape(suffix) for suffix in SUFFIXES)
    stems = sorted({re.sub(f'({pattern})$', '', name) for name in names})
    clips, skipped = index['clips'], index['skipped']
    progress = Progress(len(stems), 'clips')
    progress.advance(len(clips) + len(skipped))
    _write(path, index)  # an index that cannot be written must fail now, not after hours
    saved = time.monotonic()
    try:
        for stem in stems[len(clips) + len(skipped) :]:
            try:
                clips.append([stem, *check_clip(str(root / stem))])
            except (ValueError, FileNotFoundError) as error:
                skipped.append([stem, str(error)])
            progress.advance(1)
            if time.monotonic() - saved > _SAVE_EVERY:
                _write(path, index)
                saved = time.monotonic()
    finally:
        _write(path, index)


def _write(path: Path, index: dict[str, Any]) -> None:
    """Write an index file atomically."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(index).encode())
    except OSError as error:
        raise ValueError(f'`index_file` must be a file that can be written, got {path} ({error})') from error


def _read(path: Path) -> dict[str, Any] | None:
    """Return the content of an index file; ``None`` if it is missing or not an index."""
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        warnings.warn(f'{path} is not an index and will be replaced', stacklevel=3)
        return None
    return found if isinstance(found, dict) else None
