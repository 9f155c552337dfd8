"""Tests of the picture sheet of neighbours."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

from mmfct.apis.search_gallery import Found, sheet
from mmfct.apis.search_gallery.sheet import draw_neighbour_sheet


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
    monkeypatch.setattr(sheet, '_MAX_QUERIES', 2)
    draw_neighbour_sheet(found(5), [None] * 5, root, tmp_path / 'five.png')
    draw_neighbour_sheet(found(2), [None] * 2, root, tmp_path / 'two.png')
    assert colors(tmp_path / 'five.png') == colors(tmp_path / 'two.png')


def test_many_neighbours_are_cut(root, tmp_path, monkeypatch):
    monkeypatch.setattr(sheet, '_MAX_NEIGHBOURS', 2)
    draw_neighbour_sheet(found(), [None], root, tmp_path / 'five.png')
    two = Found(['query0.png'], [found().ids[0][:2]], [[1, 2]], [[0.0, 0.5]])
    draw_neighbour_sheet(two, [None], root, tmp_path / 'two.png')
    assert colors(tmp_path / 'five.png') == colors(tmp_path / 'two.png')


@pytest.fixture
def figures(monkeypatch) -> list[Figure]:
    """The figures that the test saves."""
    saved = []
    original = Figure.savefig
    monkeypatch.setattr(
        Figure, 'savefig', lambda figure, *args, **kw: (saved.append(figure), original(figure, *args, **kw))
    )
    return saved


def test_frames_say_whether_a_neighbour_is_right(root, tmp_path, figures):
    names = {1: 'apple', 2: 'pear'}
    labelled = replace(found(2), query_labels=[1, -1], class_names=names)
    draw_neighbour_sheet(labelled, [None] * 2, root, tmp_path / 'sheet.png')
    (figure,) = figures
    frames = [(axes.spines['left'].get_visible(), axes.spines['left'].get_linestyle()) for axes in figure.axes]
    assert [visible for visible, _ in frames] == [False, *[True] * 5, *[False] * 6]
    assert [style for visible, style in frames if visible] == ['-', '--', '--', '--', '--']
    captions = [axes.texts[-1].get_text() for axes in figure.axes]
    assert captions[0] == 'query\nquery0.png\napple' and captions[6] == 'query\nquery1.png\nunknown'
    assert captions[1] == 'a/red.png\napple\n0' and captions[3] == 'broken.png\n3\n1.25'
    assert 'blue frame: the class of the query' in figure._suptitle.get_text()


def test_long_names_are_whole(root, tmp_path, figures):
    long = 'train/Vegetables/Tomato/Vine-Tomato/Vine-Tomato_001_from_the_second_camera.jpg'
    longest = 'x' * 100
    draw_neighbour_sheet(Found([long], [[longest]], None, [[0.5]]), [None], root, tmp_path / 'sheet.png')
    texts = [axes.texts[-1].get_text() for axes in figures[0].axes]
    assert texts[0].replace('\n', '') == f'query{long}' and texts[1].replace('\n', '') == f'{longest}0.5'
    assert texts[0].split('\n')[1] == 'train/Vegetables/Tomato/'
    assert max(len(line) for text in texts for line in text.split('\n')) <= 34


def test_a_sheet_fits_on_a_screen(root, tmp_path):
    draw_neighbour_sheet(found(6400), [None] * 6400, root, tmp_path / 'sheet.png')
    height, width = cv2.imread(str(tmp_path / 'sheet.png')).shape[:2]
    assert height < 2500 and width < 3000
