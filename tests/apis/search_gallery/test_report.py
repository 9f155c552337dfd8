"""Tests of the picture sheet of neighbours."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mmfct.apis.search_gallery import Found, report
from mmfct.apis.search_gallery.report import draw_neighbour_sheet


@pytest.fixture
def root(tmp_path):
    """A folder with two images, and one that is none."""
    folder = tmp_path / 'images'
    (folder / 'a').mkdir(parents=True)
    cv2.imwrite(str(folder / 'a/red.png'), np.full((30, 40, 3), (0, 0, 255), np.uint8))
    cv2.imwrite(str(folder / 'a/blue.png'), np.full((1000, 500, 3), (255, 0, 0), np.uint8))
    (folder / 'broken.png').write_text('no image')
    (folder / 'empty.png').touch()
    return folder


def found(queries=1, labels=True):
    ids = ['a/red.png', 'a/blue.png', 'broken.png', 'empty.png', 'missing/with a very long name of a file.png']
    return Found(
        [f'query{i}.png' for i in range(queries)],
        [ids] * queries,
        [[1, 2, 3, 4, 5]] * queries if labels else None,
        [[0.0, 0.5, 1.25, 2, 3]] * queries,
    )


def colors(path):
    image = cv2.imread(str(path)).reshape(-1, 3)
    return {
        name: int((image == color).all(1).sum()) for name, color in dict(red=(0, 0, 255), blue=(255, 0, 0)).items()
    }


@pytest.mark.parametrize('labels', [True, False])
def test_images_of_query_and_neighbours(root, tmp_path, labels):
    draw_neighbour_sheet(found(labels=labels), [root / 'a/red.png'], root, tmp_path / 'sheet.png')
    counts = colors(tmp_path / 'sheet.png')
    draw_neighbour_sheet(found(labels=labels), [None], root, tmp_path / 'without.png')
    without = colors(tmp_path / 'without.png')
    assert without['red'] * 2 == pytest.approx(counts['red'], rel=0.1)
    assert without['blue'] == pytest.approx(counts['blue'], rel=0.1)
    assert min(counts.values()) > 1000


def test_many_queries_are_cut(root, tmp_path, monkeypatch):
    monkeypatch.setattr(report, '_MAX_QUERIES', 2)
    draw_neighbour_sheet(found(5), [None] * 5, root, tmp_path / 'five.png')
    draw_neighbour_sheet(found(2), [None] * 2, root, tmp_path / 'two.png')
    assert colors(tmp_path / 'five.png') == colors(tmp_path / 'two.png')


def test_many_neighbours_are_cut(root, tmp_path, monkeypatch):
    monkeypatch.setattr(report, '_MAX_NEIGHBOURS', 2)
    draw_neighbour_sheet(found(), [None], root, tmp_path / 'five.png')
    two = Found(['query0.png'], [found().ids[0][:2]], [[1, 2]], [[0.0, 0.5]])
    draw_neighbour_sheet(two, [None], root, tmp_path / 'two.png')
    assert colors(tmp_path / 'five.png') == colors(tmp_path / 'two.png')
