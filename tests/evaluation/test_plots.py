"""Pictures are written, whole, for ordinary and extreme data."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from matplotlib import image
from matplotlib.figure import Figure

from mmfct.evaluation.gap import Gap
from mmfct.evaluation.pair import NEW_NEW, NEW_UPGRADED, OLD_OLD, Pair
from mmfct.evaluation.plots import plot_compatibility_bars, plot_embedding_projection
from mmfct.evaluation.scores import Scores
from mmfct.functional import MeanScores

SCORES = Scores(
    {
        pair: MeanScores({name: 0.1 * i + 0.05 * j for j, name in enumerate(('cmc1', 'cmc5', 'map'))}, 9)
        for i, pair in enumerate((OLD_OLD, Pair('new', 'old'), NEW_UPGRADED, NEW_NEW), 1)
    },
    {NEW_UPGRADED: dict(map=0.667)},
)


def make_embeddings(num: int, num_classes: int, width: int = 6) -> tuple[dict, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(num) % num_classes
    new = labels[:, None] + torch.randn(num, width, generator=generator)
    noise = torch.randn(num, width, generator=generator)
    return {
        'old': torch.relu(new[:, : width // 2 + 1]),
        'upgraded': new + noise,
        'new': new,
    }, labels


@pytest.fixture
def figures(monkeypatch) -> list[Figure]:
    """The figures that the test saves."""
    saved = []

    def save(figure, path, **options):
        saved.append(figure)
        original(figure, path, **options)

    original = Figure.savefig
    monkeypatch.setattr(Figure, 'savefig', save)
    return saved


def assert_is_picture(path) -> None:
    pixels = image.imread(path)
    assert min(pixels.shape[:2]) > 300
    assert np.ptp(pixels[..., :3]) > 0.5  # not blank
    assert [file.name for file in path.parent.iterdir()] == [path.name]  # nothing half-written


def test_bars_are_written_with_values_and_gain(tmp_path, figures):
    path = plot_compatibility_bars(SCORES, tmp_path / 'new_folder' / 'bars.png')
    assert_is_picture(path)
    (axes,) = figures[0].axes
    assert axes.get_title() == 'Update gain: mAP 66.7 %'
    groups = [label.get_text() for label in axes.get_xticklabels()]
    assert groups == ['old/old', 'new/old', 'new/h(old)', 'new/new']
    values = sorted(text.get_text() for text in axes.texts)
    assert values == sorted(f'{100 * mean:.1f}' for entry in SCORES.pairs.values() for mean in entry.means.values())


def test_bars_of_one_pair_with_unmeasured_scores(tmp_path, figures):
    pairs = {Pair('new', 'old'): MeanScores(dict(cmc1=math.nan, map=math.nan), 0)}
    scores = Scores(pairs, {NEW_UPGRADED: dict(map=math.nan)})
    assert_is_picture(plot_compatibility_bars(scores, tmp_path / 'bars.png'))
    (axes,) = figures[0].axes
    assert [text.get_text() for text in axes.texts] == ['n/a', 'n/a']
    assert axes.get_title() == 'Update gain: not measured'


def test_the_title_says_where_there_is_no_gap(tmp_path, figures):
    gaps = dict(cmc1=Gap(0.5, 0.4), cmc5=Gap(0.45, 0.46, (0.001, 0.02)), map=Gap(0.3, 0.6))
    for gains, title in (
        (dict(cmc1=math.nan, map=0.5), 'Update gain: mAP 50.0 %\nno gap to recover in CMC-1'),
        (dict(cmc1=math.nan), 'No clear gap to recover: the new model is not clearly better than the old one'),
        (dict(map=0.5, cmc5=math.nan), 'Update gain: mAP 50.0 %\ntoo small a gap in CMC-5'),
        (dict(cmc5=math.nan), 'Update gain: too small a gap'),
    ):
        found = {name: gaps[name] for name in gains}
        plot_compatibility_bars(Scores(SCORES.pairs, {NEW_UPGRADED: gains}, found), tmp_path / 'bars.png')
        assert figures[-1].axes[0].get_title() == title


@pytest.mark.parametrize('num_classes', [1, 10, 40])
def test_projection_is_written(tmp_path, figures, num_classes):
    embeddings, labels = make_embeddings(80, num_classes)
    assert_is_picture(plot_embedding_projection(embeddings, labels, tmp_path / 'projection.png'))
    _, upgraded, new = figures[0].axes[:3]
    assert upgraded.get_xlim() == new.get_xlim()
    assert upgraded.get_ylim() == new.get_ylim()
    (legend,) = figures[0].legends
    assert len(legend.get_texts()) == num_classes and len(figures[0].axes) == 3


@pytest.mark.parametrize('num_classes', [10, 41, 60])
def test_classes_differ_in_colour_or_marker(tmp_path, figures, num_classes):
    embeddings, labels = make_embeddings(300, num_classes)
    plot_embedding_projection(embeddings, labels, tmp_path / 'projection.png', class_names={3: 'carrot', 4: 'carrot'})
    handles = figures[0].legends[0].legend_handles
    assert len({(handle.get_color(), handle.get_marker()) for handle in handles}) == num_classes
    assert [handle.get_label() for handle in handles[2:6]] == ['class 2', 'carrot', 'carrot (4)', 'class 5']
    # Neighbouring classes have other colours, and every point is drawn.
    colors = [handle.get_color() for handle in handles]
    assert all(first != second for first, second in zip(colors, colors[1:], strict=False))
    assert sum(len(collection.get_offsets()) for collection in figures[0].axes[0].collections) == 300


def test_of_very_many_classes_the_largest_have_colours(tmp_path, figures):
    embeddings, labels = make_embeddings(500, 200)
    labels[:40] = 7
    labels[40:60] = -1
    plot_embedding_projection(embeddings, labels, tmp_path / 'projection.png')
    texts = [text.get_text() for text in figures[0].legends[0].get_texts()]
    assert len(texts) == 22 and texts[:2] == ['unknown class', 'other classes'] and 'class 7' in texts
    assert sum(len(collection.get_offsets()) for collection in figures[0].axes[1].collections) == 500


def test_upgraded_is_drawn_in_the_axes_of_new(tmp_path, figures):
    embeddings, labels = make_embeddings(50, 3)
    embeddings['upgraded'] = embeddings['new'].clone()
    plot_embedding_projection(embeddings, labels, tmp_path / 'projection.png')
    old, upgraded, new = (axes.collections[0].get_offsets() for axes in figures[0].axes)
    np.testing.assert_allclose(upgraded, new)
    assert not np.allclose(old, new)


def test_points_are_the_principal_components(tmp_path, figures):
    embeddings, labels = make_embeddings(50, 3)
    plot_embedding_projection(embeddings, labels, tmp_path / 'projection.png')
    points = figures[0].axes[2].collections[0].get_offsets()
    covariance = np.cov(embeddings['new'].double().numpy().T)
    np.testing.assert_allclose(np.cov(points.T), np.diag(np.linalg.eigvalsh(covariance)[::-1][:2]), atol=1e-9)


def test_sampling_follows_max_points_and_seed(tmp_path, figures):
    embeddings, labels = make_embeddings(60, 3)
    for seed in (1, 1, 2):
        path = tmp_path / 'projection.png'
        plot_embedding_projection(embeddings, labels, path, max_points=20, seed=seed)
    first, again, other = (f.axes[0].collections[0].get_offsets() for f in figures)
    assert len(first) == 20
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
    assert '20 of 60 images' in figures[0].get_suptitle()


def test_sampling_leaves_the_global_generator_alone(tmp_path):
    embeddings, labels = make_embeddings(60, 3)
    before = torch.get_rng_state()
    plot_embedding_projection(embeddings, labels, tmp_path / 'projection.png', max_points=20)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(('num', 'width'), [(1, 4), (30, 1), (1, 1)])
def test_projection_of_a_single_image_or_width(tmp_path, num, width):
    embeddings, labels = make_embeddings(num, 2, width)
    assert_is_picture(plot_embedding_projection(embeddings, labels, tmp_path / 'projection.png'))


def test_failure_leaves_the_file_that_was_there(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError('disk full')

    path = tmp_path / 'bars.png'
    path.write_bytes(b'good')
    monkeypatch.setattr('os.replace', fail)
    with pytest.raises(OSError, match='disk full'):
        plot_compatibility_bars(SCORES, path)
    assert path.read_bytes() == b'good'
    assert [file.name for file in tmp_path.iterdir()] == ['bars.png']


def test_bars_of_no_pair_are_refused(tmp_path):
    with pytest.raises(ValueError, match='at least one pair'):
        plot_compatibility_bars(Scores(), tmp_path / 'bars.png')


def test_other_formats_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"`path` must end with .png, got '.*bars.pdf'"):
        plot_compatibility_bars(SCORES, tmp_path / 'bars.pdf')


def test_missing_role_is_refused(tmp_path):
    embeddings, labels = make_embeddings(10, 2)
    del embeddings['upgraded']
    with pytest.raises(KeyError, match=r"must have the role 'upgraded', got \['new', 'old'\]"):
        plot_embedding_projection(embeddings, labels, tmp_path / 'projection.png')


def test_rows_and_labels_must_agree(tmp_path):
    embeddings, labels = make_embeddings(10, 2)
    with pytest.raises(ValueError, match='a row for each of the 9 labels'):
        plot_embedding_projection(embeddings, labels[:9], tmp_path / 'projection.png')


def test_no_images_are_refused(tmp_path):
    embeddings, labels = make_embeddings(0, 2)
    with pytest.raises(ValueError, match='`labels` must have at least one row, got 0'):
        plot_embedding_projection(embeddings, labels, tmp_path / 'projection.png')


def test_upgraded_must_be_as_wide_as_new(tmp_path):
    embeddings, labels = make_embeddings(10, 2)
    embeddings['upgraded'] = embeddings['upgraded'][:, :2]
    with pytest.raises(ValueError, match="'upgraded' must be as wide as 'new'"):
        plot_embedding_projection(embeddings, labels, tmp_path / 'projection.png')


def test_embeddings_must_be_finite(tmp_path):
    embeddings, labels = make_embeddings(10, 2)
    embeddings['old'][3, 0] = math.nan
    with pytest.raises(ValueError, match="got NaN or infinity for role 'old'"):
        plot_embedding_projection(embeddings, labels, tmp_path / 'projection.png')


def test_max_points_must_be_positive(tmp_path):
    embeddings, labels = make_embeddings(10, 2)
    with pytest.raises(ValueError, match='`max_points` must be at least 1, got 0'):
        plot_embedding_projection(embeddings, labels, tmp_path / 'projection.png', max_points=0)
