"""Check where a transform file and its report go before anything is learned."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from mmfct.retrieval.stores.address import belongs_to
from mmfct.retrieval.transform.file import read_transform


def report_folder(out: str | Path, report: str | Path | None) -> Path:
    """Return the folder of the report: by default ``<out without suffix>_report``."""
    if report is not None:
        return Path(report)
    folder = Path(out).with_suffix('')
    return folder.with_name(f'{folder.name}_report')


def check_outputs(out: str | Path, report: str | Path | None, sources: Iterable[str | Path]) -> None:
    """Refuse to replace anything but an earlier transform file and its report.

    Args:
        out: The transform file.
        report: Folder of the report; ``None`` for that of `report_folder`.
        sources: What is read: galleries, files, or addresses of databases.

    Raises:
        FileExistsError: If ``out`` is another kind of file.
        IsADirectoryError: If ``out`` is a folder.
        NotADirectoryError: If the report, or a folder above one of both, is a file.
        PermissionError: If a folder cannot be written.
        ValueError: If ``out`` or the report belongs to one of the sources.
    """
    out, folder = Path(out), report_folder(out, report)
    if out.is_dir():
        raise IsADirectoryError(
            f'`out` must be a file, got the folder {str(out)!r}; name a file, such as {out}/h.safetensors'
        )
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f'the report needs a folder, got the file {str(folder)!r}; name one with `--report`')
    for source in sources:
        for what, path in (('`out`', out), ('the report', folder)):
            if belongs_to(path, source):
                raise ValueError(f'{what} must lie outside of what is read, {source}, got {str(path)!r}; name another')
    if out.exists():
        try:
            read_transform(out)
        except ValueError as error:
            raise FileExistsError(
                f'`out` must be new, or a transform file to replace, got {str(out)!r}, which is something else; name '
                'another file, or remove this one'
            ) from error
    for path in (out.parent, folder):
        _check_writable(path)


def _check_writable(folder: Path) -> None:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(f'{str(folder)!r} must be a folder to be written to, got a file; name another one')
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f'{str(folder)!r} must be writable; name another folder, or let yourself write there')
