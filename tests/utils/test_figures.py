"""Tests of the look that all figures share."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from matplotlib import image
from matplotlib.figure import Figure

import mmfct
from mmfct.utils.figures import COLORS, clean_axes, legend_below, save_png

PACKAGE = Path(mmfct.__file__).parent


@pytest.mark.parametrize(('grid', 'lines'), [('both', (True, True)), ('x', (True, False)), ('y', (False, True))])
def test_clean_axes_have_two_spines_and_a_grid_behind_the_data(grid, lines):
    axes = Figure().add_subplot()
    clean_axes(axes, grid=grid)
    assert [name for name, spine in axes.spines.items() if spine.get_visible()] == ['left', 'bottom']
    assert axes.get_axisbelow() is True
    shown = tuple(axis.get_gridlines()[0].get_visible() for axis in (axes.xaxis, axes.yaxis))
    assert shown == lines


def test_the_legend_is_outside_the_panels_and_names_everything_once(tmp_path):
    figure = Figure(figsize=(6, 3), layout='constrained')
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], label='both')
    right.plot([0, 1], [0, 1], label='both')
    right.plot([0, 1], [1, 0], label='right')
    legend_below(figure)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ['both', 'right']
    save_png(figure, tmp_path / 'figure.png')
    top = legend.get_window_extent().y1
    assert all(axes.get_tightbbox().y0 >= top for axes in (left, right))


def test_without_anything_to_name_there_is_no_legend():
    figure = Figure(layout='constrained')
    figure.add_subplot()
    legend_below(figure)
    assert not figure.legends


def test_nothing_outside_the_figure_is_cut_off(tmp_path):
    figure = Figure(figsize=(1, 1))
    figure.suptitle('words that are much longer than the figure is wide')
    height, width, _ = image.imread(save_png(figure, tmp_path / 'new' / 'figure.png')).shape
    assert width > 2 * 150


def test_another_format_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must end with .png, got '.*figure.svg'"):
        save_png(Figure(), tmp_path / 'figure.svg')
    assert not list(tmp_path.iterdir())


def test_all_figures_take_their_look_from_one_place():
    users = [path for path in PACKAGE.rglob('*.py') if 'matplotlib' in path.read_text() and path.name != 'figures.py']
    assert len(users) > 8
    for path in users:
        text = path.read_text()
        own = re.findall(r"\.grid\(|spines\[\['top'|\bcolor='(?!black|gray)[a-z#]|plt\.|pyplot", text)
        assert not own, f'{path}: use mmfct.utils.figures for {own}'


def test_colours_differ_in_lightness_where_two_are_compared():
    """Blue and vermillion, which mean right and wrong, are told apart in grey too."""

    def lightness(color: str) -> float:
        red, green, blue = (int(color[place : place + 2], 16) / 255 for place in (1, 3, 5))
        return 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2

    assert len(set(COLORS)) == 10
    assert abs(lightness(COLORS[0]) - lightness(COLORS[3])) > 0.05
