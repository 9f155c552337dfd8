"""Pictures of suspicious labels, for every kind of label."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib import image
from matplotlib.figure import Figure
from mmengine.structures import BaseDataElement, LabelData, PixelData

from mmfct.apis.find_corrupt_labels.maps import ClassPainter, DepthPainter
from mmfct.apis.find_corrupt_labels.pose_painter import PosePainter
from mmfct.apis.find_corrupt_labels.ranking import Suspects
from mmfct.apis.find_corrupt_labels.sheet import draw_suspect_sheet
from mmfct.functional.wrong_labels import WrongLabels

METAINFO = dict(classes=('road', 'car', 'sky'), palette=[[255, 0, 0], [0, 255, 0], [0, 0, 255]])


def make_suspects(task: str, count: int, corrupted: np.ndarray | None = None, *, evidence: bool = True) -> Suspects:
    values = np.linspace(2, -1, count)
    files = [f'{"folder/" * 8}{i}.png' for i in range(count)]
    ranks = np.linspace(1, 0, count)
    wrong = WrongLabels(0.5, (0.4, 0.6), ranks, evidence)
    rows = np.arange(count)
    return Suspects(
        task, rows, files, ranks / 2, wrong, values, 'contrast', np.exp(-values), values, values, corrupted
    )


def make_views(count: int, height: int = 8, width: int = 16) -> list:
    generator = torch.Generator().manual_seed(0)
    views = []
    for _ in range(count):
        labels = torch.randint(0, 3, (2, 1, height, width), generator=generator)
        labels[0, 0, 0] = 255
        depth = torch.rand(2, 1, height, width, generator=generator)
        depth[0, 0, 0] = 0
        sample = BaseDataElement(
            gt_sem_seg=PixelData(data=labels[0]), pred_sem_seg=PixelData(data=labels[1]),
            gt_depth_map=PixelData(data=depth[0]), pred_depth_map=PixelData(data=depth[1]),
        )  # fmt: skip
        views.append((np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8), sample))
    return views


@pytest.fixture
def figures(monkeypatch) -> list[Figure]:
    """The figures that the test saves."""
    saved, original = [], Figure.savefig
    monkeypatch.setattr(
        Figure, 'savefig', lambda self, *args, **kwargs: (saved.append(self), original(self, *args, **kwargs))
    )
    return saved


@pytest.mark.parametrize('task', ['seg', 'depth'])
@pytest.mark.parametrize('count', [1, 2, 5])
def test_maps_beside_each_image(task, count, tmp_path, figures):
    kind = dict(seg='sem_seg', depth='depth_map')[task]
    path = draw_suspect_sheet(make_suspects(task, count), make_views(count), tmp_path / 'sheet.png', METAINFO, kind)
    assert np.ptp(image.imread(path)[..., :3]) > 0.5
    drawn = [axes for axes in figures[0].axes if axes.images]
    assert len(drawn) == 3 * count
    assert [axes.texts[0].get_text() for axes in drawn[:3] if axes.texts] == ['given', 'predicted']
    assert drawn[0].get_title(loc='left').startswith('1  ...lder/folder/')
    assert 'P(wrong) 1.00  weight 0.135  loss 2' in drawn[0].get_title(loc='left')


def test_captions_without_evidence_have_ranks(tmp_path, figures):
    suspects = make_suspects('seg', 2, evidence=False)
    draw_suspect_sheet(suspects, make_views(2), tmp_path / 'sheet.png', METAINFO, 'sem_seg')
    titles = [axes.get_title(loc='left') for axes in figures[0].axes if axes.get_title(loc='left')]
    assert 'rank 0.50  weight 0.135  loss 2' in titles[0]
    assert 'wrong labels: no evidence' in figures[0].get_suptitle()


def test_captions_tell_the_truth_in_words_and_colours(tmp_path, figures):
    suspects = make_suspects('seg', 2, np.array([True, False]))
    draw_suspect_sheet(suspects, make_views(2), tmp_path / 'sheet.png', METAINFO, 'sem_seg')
    titles = [axes.get_title(loc='left') for axes in figures[0].axes if axes.get_title(loc='left')]
    assert [title.rpartition('  ')[2] for title in titles] == ['wrong', 'right']
    colors = [axes._left_title.get_color() for axes in figures[0].axes if axes.get_title(loc='left')]
    assert len(set(colors)) == 2


def test_class_labels_are_written(tmp_path, figures):
    views = [
        (np.zeros((8, 8, 3), np.uint8), BaseDataElement(gt_label=torch.tensor([i % 3]), pred_label=torch.tensor([2])))
        for i in range(7)
    ]
    draw_suspect_sheet(make_suspects('label', 7), views, tmp_path / 'sheet.png', METAINFO, 'label')
    titles = [axes.get_title(loc='left') for axes in figures[0].axes]
    assert len([axes for axes in figures[0].axes if axes.images]) == 7
    assert titles[1].endswith('given car\npredicted sky')


def test_long_captions_stay_above_their_image(tmp_path, figures):
    suspects = make_suspects('label', 5, np.ones(5, bool))
    files = [f'a folder/with $_{{ signs$/{"name" * 9}{i}.png' for i in range(5)]
    suspects = replace(suspects, files=files, weight=np.full(5, 1.2345e-5), final_loss=np.full(5, 123456.789))
    label = BaseDataElement(gt_label=torch.tensor([0]), pred_label=torch.tensor([1]))
    metainfo = dict(classes=('a class with a name that is longer than an image is wide', '_b_'))
    draw_suspect_sheet(suspects, [(np.zeros((8, 8, 3), np.uint8), label)] * 5, tmp_path / 's.png', metainfo, 'label')
    figures[0].draw_without_rendering()
    titles = [axes._left_title for axes in figures[0].axes]
    boxes = [title.get_window_extent() for title in titles]
    assert all(left.x1 < right.x0 for left, right in zip(boxes, boxes[1:], strict=False))
    lines = titles[0].get_text().splitlines()
    assert lines[1:] == [
        'P(wrong) 1.00  weight 1.23e-05',
        'loss 1.23e+05  wrong',
        'given a class with a name...',
        'predicted _b_',
    ]
    assert lines[0].startswith('1  ...') and lines[0].endswith('namename0.png')


def test_labels_of_no_known_kind_leave_the_images(tmp_path, figures):
    views = [(np.zeros((8, 8, 3), np.uint8), BaseDataElement(boxes=LabelData()))]
    draw_suspect_sheet(make_suspects('boxes', 1), views, tmp_path / 'sheet.png', {}, None)
    assert len([axes for axes in figures[0].axes if axes.images]) == 1


def test_large_images_are_reduced(tmp_path, figures):
    draw_suspect_sheet(make_suspects('seg', 1), make_views(1, 600, 1200), tmp_path / 'sheet.png', METAINFO, 'sem_seg')
    assert {axes.images[0].get_size() for axes in figures[0].axes if axes.images} == {(200, 400)}


def test_class_maps_have_the_colours_of_the_data_set():
    axes, values = Figure().subplots(), np.array([[0, 2], [255, 7]])
    ClassPainter(METAINFO, [values], [values]).paint(axes, values, given=True)
    grey = [0.85] * 3
    np.testing.assert_allclose(axes.images[0].get_array(), [[[1, 0, 0], [0, 0, 1]], [grey, grey]])


@pytest.mark.parametrize('palette', [[[255, 0, 0]], np.array([[255, 0, 0]]), None])
def test_colours_that_a_data_set_lacks_are_filled_up(palette, tmp_path):
    figure, values = Figure(), np.array([[0, 2, 255]])
    painter = ClassPainter(dict(classes=('$a_{$', '_b', 'c'), palette=palette), [values], [values])
    painter.paint(axes := figure.subplots(), values, given=True)
    painter.explain(figure)
    first, last, none = axes.images[0].get_array()[0]
    assert (first.tolist() == [1, 0, 0]) == (palette is not None)
    assert len({tuple(color) for color in (first, last, none)}) == 3
    figure.savefig(tmp_path / 'a.png')


def test_class_maps_without_names_and_colours():
    figure = Figure()
    painter = ClassPainter({}, [np.array([[0, 3]])], [np.array([[255, 1]])])
    painter.explain(figure)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ['0', '1', '3', 'no label']


@pytest.mark.parametrize(('classes', 'columns'), [(5, 6), (7, 4), (14, 5)])
def test_the_rows_of_a_long_legend_are_equally_long(classes, columns):
    figure = Figure()
    ClassPainter({}, [np.arange(classes)[None]], [np.zeros((1, 1))]).explain(figure)
    assert figure.legends[0]._ncols == columns


def test_depth_range_is_that_of_the_given_maps():
    axes, given = Figure().subplots(), np.array([[0.0, 1.0, 2.0, np.nan]])
    painter = DepthPainter({}, [given], [np.array([[50.0]])])
    painter.paint(axes, given, given=True)
    assert axes.images[0].get_clim() == pytest.approx((1.01, 1.99))
    assert np.isnan(np.ma.filled(axes.images[0].get_array(), np.nan)).tolist() == [[True, False, False, True]]


def test_a_prediction_has_no_holes():
    axes, predicted = Figure().subplots(), np.array([[-1.0, 0.0, 1.0]])
    DepthPainter({}, [np.ones((1, 3))], [predicted]).paint(axes, predicted, given=False)
    np.testing.assert_array_equal(axes.images[0].get_array(), predicted)


def test_depth_maps_without_a_valid_pixel():
    axes = Figure().subplots()
    DepthPainter({}, [np.zeros((2, 2))], []).paint(axes, np.ones((2, 2)), given=False)
    assert axes.images[0].get_clim() == (0, 1)


def test_depth_relative_to_a_point_has_valid_values_below_0():
    given = np.array([[-0.5, 0.0], [np.nan, 0.5]])
    painter = DepthPainter({}, [given], [])
    axes = Figure().subplots()
    painter.paint(axes, given, given=True)
    assert axes.images[0].get_array().mask.tolist() == [[False, False], [True, False]]
    plain = DepthPainter({}, [np.abs(given)], [])
    plain.paint(axes, np.abs(given), given=True)
    assert axes.images[1].get_array().mask.tolist() == [[False, True], [True, False]]


def test_poses_are_drawn_as_skeletons(tmp_path, figures):
    views = make_views(3)
    for _, sample in views:
        for name in ('gt_pose', 'pred_pose'):
            sample.set_data({name: BaseDataElement(joints=torch.randn(24, 3))})
    draw_suspect_sheet(make_suspects('pose', 3), views, tmp_path / 'sheet.png', METAINFO, 'pose')
    panels = [axes for axes in figures[0].axes if axes.lines]
    assert len(panels) == 6 and all(len(axes.lines) == 23 for axes in panels)
    joints = views[0][1].gt_pose.joints
    # The left hip, from the pelvis: to the right is -z, down is y.
    expected = [-joints[[0, 1], 2], joints[[0, 1], 1]]
    np.testing.assert_allclose(panels[0].lines[0].get_data(), np.stack(expected))
    left, right, middle = (panels[0].lines[joint - 1].get_color() for joint in (1, 2, 3))
    assert len({left, right, middle}) == 3
    (legend,) = figures[0].legends
    assert [text.get_text() for text in legend.get_texts()] == ['left', 'right', 'middle']


def test_a_sample_without_a_pose_stays_empty():
    axes = Figure().subplots()
    PosePainter({}, [], []).paint(axes, np.zeros((1, 1)), given=True)
    assert not axes.lines
