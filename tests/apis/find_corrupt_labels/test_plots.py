"""Pictures of how labels rank, and of reliability."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import image
from matplotlib.figure import Figure

from mmfct.apis.find_corrupt_labels.plots import draw_detection
from mmfct.apis.find_corrupt_labels.ranking import Suspects
from mmfct.functional.wrong_labels import estimate_wrong_labels


def make_suspects(*, truth: bool = True, ranks: np.ndarray | None = None, compared: bool = True) -> Suspects:
    if ranks is None:
        ranks = np.concatenate([np.linspace(1, 0.05, 40), np.full(160, 0.01)])
    number = len(ranks)
    score = np.linspace(0.5, -0.8, number) if compared else np.full(number, np.nan)
    score[-1] = np.nan
    return Suspects(
        task='depth',
        rows=np.arange(number),
        files=[f'{i}.png' for i in range(number)],
        rank=ranks,
        wrong=estimate_wrong_labels(ranks),
        score=score,
        score_name='contrast in training',
        weight=np.ones(number),
        final_loss=np.ones(number),
        mean_loss=np.ones(number),
        corrupted=np.arange(number) < 40 if truth else None,
    )


@pytest.fixture
def figures(monkeypatch) -> list[Figure]:
    """The figures that the test saves."""
    saved, original = [], Figure.savefig
    monkeypatch.setattr(
        Figure, 'savefig', lambda self, *args, **kwargs: (saved.append(self), original(self, *args, **kwargs))
    )
    return saved


@pytest.mark.parametrize(('truth', 'panels'), [(True, 3), (False, 2)])
def test_ranks_scores_and_reliability_where_the_truth_is_known(tmp_path, figures, truth, panels):
    path = draw_detection(make_suspects(truth=truth), tmp_path / 'detection.png')
    assert np.ptp(image.imread(path)[..., :3]) > 0.5
    (figure,) = figures
    assert len(figure.axes) == panels
    assert figure.axes[1].get_xlabel() == 'contrast in training'
    heights = sum(patch.get_height() for patch in figure.axes[0].patches)
    assert heights == 200
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert set(labels) == {'estimated wrong labels', *(('known right', 'known wrong') if truth else ('labels',))}
    assert 'depth: wrong labels at least about 21 %' in figure.get_suptitle()
    if truth:
        numbers = [int(text.get_text()) for text in figure.axes[2].texts]
        assert sum(numbers) == 200


def test_without_evidence_there_is_no_reliability(tmp_path, figures):
    draw_detection(make_suspects(ranks=np.linspace(0, 1, 100)), tmp_path / 'detection.png')
    assert len(figures[0].axes) == 2 and 'no evidence' in figures[0].get_suptitle()


def test_labels_that_were_never_compared_in_training(tmp_path, figures):
    draw_detection(make_suspects(compared=False), tmp_path / 'detection.png')
    assert not figures[0].axes[1].patches
