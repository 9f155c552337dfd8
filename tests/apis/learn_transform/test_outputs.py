"""Where a transform file and its report may go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mmfct.apis.learn_transform import learn_transform
from mmfct.apis.learn_transform.outputs import check_outputs, report_folder

from .conftest import QUICK


@pytest.fixture
def refuses(tmp_path):
    """Function that checks that outputs are refused, and that nothing was written."""

    def refuses(kind, message, out='h.safetensors', report=None, source=None):
        before = sorted(tmp_path.rglob('*'))
        sources = [] if source is None else [str(source)]
        with pytest.raises(kind, match=message):
            check_outputs(tmp_path / out, None if report is None else tmp_path / report, sources)
        assert sorted(tmp_path.rglob('*')) == before

    return refuses


def test_a_transform_and_its_report_are_replaced(make_pairs, tmp_path):
    out = tmp_path / 'new/h.safetensors'
    check_outputs(out, None, [tmp_path / 'old.npy', 'qdrant:http://localhost:6333/items'])
    assert not out.parent.exists()
    learn_transform(make_pairs(120), out, method='ridge', settings=QUICK)
    assert report_folder(out, None) == tmp_path / 'new/h_report' and report_folder(out, None).is_dir()
    check_outputs(out, None, [])
    check_outputs(out, tmp_path / 'new/h_report', [])


def test_out_is_what_is_read(refuses, tmp_path):
    outside = 'must lie outside of what is read'
    refuses(ValueError, f'`out` {outside}, .*old.parquet', out='old.parquet', source=tmp_path / 'old.parquet')
    refuses(ValueError, f'`out` {outside}', out='x/../old.parquet', source=tmp_path / 'old.parquet')
    refuses(ValueError, f'`out` {outside}', out='old.ids.txt', source=tmp_path / 'old.npy')
    refuses(ValueError, f'`out` {outside}', out='gallery/h', source=tmp_path / 'gallery')
    refuses(ValueError, f'`out` {outside}, lancedb:', out='db/items.lance/h', source=f'lancedb:{tmp_path}/db/items#v2')
    refuses(ValueError, f'the report {outside}', report='gallery/report', source=tmp_path / 'gallery')
    refuses(
        ValueError, f'the report {outside}, qdrant:', report='db/collection/r', source=f'qdrant:{tmp_path}/db/items'
    )


def test_out_is_something_else(refuses, tmp_path):
    (tmp_path / 'photo.png').write_bytes(b'no transform')
    refuses(FileExistsError, '`out` must be new, or a transform file to replace, got .*photo.png', out='photo.png')
    (tmp_path / 'folder').mkdir()
    refuses(IsADirectoryError, '`out` must be a file, got the folder .*folder.; name a file', out='folder')
    refuses(NotADirectoryError, "the report needs a folder, got the file .*photo.png'; name one", report='photo.png')
    for words in (dict(out='photo.png/sub/h'), dict(report='photo.png/sub')):
        refuses(NotADirectoryError, "photo.png' must be a folder to be written to, got a file; name another", **words)


def test_folders_that_cannot_be_written(refuses, tmp_path, monkeypatch):
    (tmp_path / 'locked').mkdir()
    # Nothing stops root, so permissions are pretended.
    monkeypatch.setattr(os, 'access', lambda path, mode: Path(path) != tmp_path / 'locked')
    for words in (dict(out='locked/h'), dict(report='locked/sub')):
        refuses(PermissionError, "locked' must be writable; name another folder", **words)
