"""Indexes on disk, each with notes beside it that say which gallery and model it belongs to."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from mmfct.retrieval.gallery.provenance import Provenance
from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.index.faiss_index import check_parameters, faiss_module, is_quantised, set_parameters
from mmfct.retrieval.stores.foreign import READ_FROM
from mmfct.utils.files import file_sha256, replaced_when_done
from mmfct.utils.json import encode_json

FORMAT_VERSION = 2  # 1: inner products for cosine, no parameters


def write_index(index: Any, path: str | Path, gallery: GallerySource, factory: str, parameters: str = '') -> Path:
    """Write an index, and ``<path>.json`` beside it.

    Args:
        index: A ``faiss.Index`` of the gallery.
        path: The file; one that exists is replaced.
        gallery: The gallery, whose fingerprint and models are noted.
        factory: Factory string that the index was built from.
        parameters: Search parameters, which FAISS does not write completely.

    Returns:
        The file of the notes.

    Raises:
        IsADirectoryError: If there is a folder of that name.
        OSError: If it cannot be written, as on a full disk.
    """
    path = Path(path)
    check_index_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced_when_done(path) as temporary:
        try:
            faiss_module().write_index(index, str(temporary))
        except RuntimeError as error:  # what FAISS makes of a full disk
            raise OSError(f'index {str(path)!r} cannot be written: {" ".join(str(error).split())}') from error
        checksum = file_sha256(temporary)  # here, because another process may replace the file afterwards
    notes = dict(
        format_version=FORMAT_VERSION,
        sha256=checksum,
        factory=factory,
        parameters=parameters,
        quantised=is_quantised(index),
        num_rows=len(gallery),
        gallery={**gallery.metadata, 'name': gallery.path.resolve().name, 'fingerprint': gallery.fingerprint},
    )
    # Written last: without these notes, or with those of an earlier index, the index is refused.
    with replaced_when_done(notes_file(path)) as temporary:
        temporary.write_bytes(encode_json(notes, sort_keys=True))
    return notes_file(path)


def read_index(path: str | Path, gallery: GallerySource) -> Any:
    """Read an index of a gallery.

    Args:
        path: File of the index.
        gallery: The gallery.

    Returns:
        A ``faiss.Index``.

    Raises:
        FileNotFoundError: If the index or its notes are missing.
        ImportError: If FAISS is not installed.
        ValueError: If it is damaged, or belongs to another gallery or model; the message names both.
    """
    path = Path(path)
    command = f'mmfct index {_words(gallery.argument, path)}{_model_options(gallery)}'
    repair = f'build it with `{command}`'
    for file in (path, notes_file(path)):
        if not file.is_file():
            raise FileNotFoundError(f'an index needs its file and the notes beside it, got no {file}; {repair}')
    try:
        notes = json.loads(notes_file(path).read_bytes())
        version, checksum, origin = notes['format_version'], notes['sha256'], notes['gallery']
        name, fingerprint, model = origin['name'], origin['fingerprint'], Provenance.from_metadata(origin).embedding
        repair = f'build it with `{command}{_options(notes)}`'
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f'{notes_file(path)} must be the notes of an index, got {error!r}; {repair}') from error
    if version != FORMAT_VERSION:
        raise ValueError(f'{notes_file(path)} must have `format_version` {FORMAT_VERSION}, got {version!r}; {repair}')
    wanted = Provenance.from_metadata(gallery.metadata).embedding
    if model.fingerprint != wanted.fingerprint:
        raise ValueError(
            f'index and gallery must come from one model, got an index of {model} and a gallery of {wanted}; {repair}'
        )
    if fingerprint != gallery.fingerprint:
        raise ValueError(
            f'{path} must be the index of {gallery.argument} ({gallery.fingerprint[:12]}), '
            f'got that of {name!r} ({str(fingerprint)[:12]}); {repair}'
        )
    if file_sha256(path) != checksum:
        raise ValueError(f'{path} must match its checksum, got other content; {repair}')
    index = faiss_module().read_index(str(path))
    try:
        check_parameters(notes['parameters'])
        set_parameters(index, notes['parameters'])
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f'{notes_file(path)} must have `parameters` of the index, got {notes["parameters"]!r}: {error}; build it '
            f'again with `{command}`'
        ) from error
    return index


def notes_file(path: Path) -> Path:
    """Return the path of the notes beside an index."""
    return path.with_name(f'{path.name}.json')


def check_index_path(path: str | Path) -> None:
    """Raise an ``IsADirectoryError`` if ``path`` is a folder; to be called before hours are spent on an index."""
    if Path(path).is_dir():
        raise IsADirectoryError(
            f'an index is a file, got the folder {str(path)!r}; name a file, such as {path}/g.faiss'
        )


def _options(notes: dict[str, Any]) -> str:
    """Return the options of `mmfct index` that an index was built with."""
    given = {name: notes.get(name) for name in ('factory', 'parameters')}
    return ''.join(f' --{name} {_words(value)}' for name, value in given.items() if value)


def _model_options(gallery: GallerySource) -> str:
    """Return the options of `mmfct index` that say which model made the vectors of another program."""
    if READ_FROM not in gallery.metadata:
        return ''
    provenance = Provenance.from_metadata(gallery.metadata)
    model = provenance.embedding
    given = {'model': model.name, 'distance': provenance.distance}
    if not model.is_named_only:
        given['fingerprint'] = model.fingerprint
    return ''.join(f' --{name} {_words(value)}' for name, value in given.items())


def _words(*values: object) -> str:
    return shlex.join(map(str, values))
