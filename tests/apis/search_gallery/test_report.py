"""Tests of what a search prints and says, and of the options of its sheet."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from mmfct.apis.search_gallery import Found, search_gallery
from mmfct.apis.search_gallery.report import check_sheet, report_neighbours


def found(queries: int) -> Found:
    return Found([f'q{i}.png' for i in range(queries)], [['a.png', 'b.png']] * queries, None, [[0.0, 0.5]] * queries)


@pytest.mark.parametrize(('queries', 'printed'), [(10, 10), (11, 10), (6400, 10)])
def test_a_terminal_shows_the_first_queries(queries, printed, tmp_path, capsys):
    report_neighbours(found(queries), [None] * queries, None, tmp_path)
    output = capsys.readouterr().out
    assert sum(line.startswith('| q') for line in output.splitlines()) == printed + 1  # and the header
    assert len(json.loads((tmp_path / 'neighbours.json').read_text())) == queries
    assert (f'of the first 10 of {queries} queries; all are in {tmp_path}/neighbours.json' in output) == (queries > 10)
    report_neighbours(found(queries), [None] * queries, None, None)
    assert ('all are written with `out` (`--out DIR`)' in capsys.readouterr().out) == (queries > 10)


def test_pictures_of_queries_in_another_folder(switch, tmp_path, capsys):
    for folder, name in (('items', '000.png'), ('queries', '001.png')):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / name), np.zeros((8, 8, 3), np.uint8))
    roots = dict(image_root=tmp_path / 'items', out=tmp_path / 'out')
    search_gallery(switch.upgraded, switch.new, **roots, query_root=tmp_path / 'queries')
    assert 'no image of' not in capsys.readouterr().out
    (tmp_path / 'queries/001.png').rename(tmp_path / 'queries/other.png')
    search_gallery(switch.upgraded, switch.new, **roots, query_root=tmp_path / 'queries')
    output = capsys.readouterr().out
    assert (
        'no image of the queries was found, such as' in output
        and '`query_root` (`--query-root DIR`) must be' in output
    )
    assert 'no image of the neighbours' not in output


def test_options_of_a_sheet(tmp_path):
    with pytest.raises(FileNotFoundError, match="`image_root` must be a folder of images, got '.*missing'"):
        check_sheet(tmp_path / 'missing', None, tmp_path)
    with pytest.raises(FileNotFoundError, match='`query_root` must be a folder of images, got'):
        check_sheet(tmp_path, tmp_path / 'missing', tmp_path)
    with pytest.raises(ValueError, match='`image_root` is for a sheet of pictures, which needs `out`'):
        check_sheet(tmp_path, None, None)
    with pytest.raises(ValueError, match='`query_root` needs `image_root`'):
        check_sheet(None, tmp_path, tmp_path)
