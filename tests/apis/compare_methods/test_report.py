"""Tests of the pictures of a comparison."""

from __future__ import annotations

import pytest
import torch
from matplotlib.figure import Figure

from mmfct.apis.compare_methods.report import plot_curves, plot_scores, write_comparison
from mmfct.apis.compare_methods.scores import Judge
from mmfct.apis.compare_methods.upgraded import Upgraded
from mmfct.evaluation.embedding_set import sets_of_roles
from mmfct.evaluation.pair import OLD_OLD

LABELS = torch.arange(80) % 4


@pytest.fixture
def judge() -> Judge:
    centers = torch.randn(4, 6)
    old, new = centers[LABELS] + torch.randn(80, 6), 2 * centers[LABELS] + torch.randn(80, 6)
    return Judge(sets_of_roles(dict(old=old, new=new), LABELS, torch.arange(80)))


@pytest.fixture
def figures(monkeypatch) -> list[Figure]:
    """The figures that the test saves."""
    saved, original = [], Figure.savefig
    monkeypatch.setattr(Figure, 'savefig', lambda figure, *a, **kw: (saved.append(figure), original(figure, *a, **kw)))
    return saved


def compare(judge: Judge, **noise: float):
    new = judge.test['new'].embeddings
    return judge.compare(
        {name: judge.score(Upgraded(new + scale * torch.randn(80, 6), 1, 2, 3)) for name, scale in noise.items()}
    )


@pytest.mark.parametrize(('noise', 'rows'), [(dict(fct=0.1), 1), (dict(identity=1000.0, fct=0.1), 2)])
def test_no_curve_is_cut(judge, figures, tmp_path, noise, rows):
    comparison = compare(judge, **noise)
    plot_curves(comparison, tmp_path / 'backfill.png')
    panels = figures[0].axes
    assert len(panels) == 2 * rows
    for axes, score in zip(panels, ('cmc1', 'map'), strict=False):
        low, high = axes.get_ylim()
        for method in comparison.methods.values():
            assert low < 100 * min(method.curves[score]) and 100 * max(method.curves[score]) < high
        assert low < 100 * comparison.bounds[OLD_OLD].means[score] < high
    if rows == 2:
        assert [axes.get_title() for axes in panels[2:]] == ['CMC-1, from old/old', 'mAP, from old/old']
        assert panels[3].get_ylim()[0] == pytest.approx(100 * comparison.bounds[OLD_OLD].means['map'] - 3)


def test_numbers_stand_above_the_lines(judge, figures, tmp_path):
    plot_scores(compare(judge, fct=0.1, ridge=0.5), tmp_path / 'methods.png')
    for axes in figures[0].axes:
        assert len(axes.texts) == 2 and len(axes.lines) == 2
        for text in axes.texts:
            assert text.get_bbox_patch().get_facecolor()[:3] == (1, 1, 1)
            assert all(text.get_zorder() > line.get_zorder() for line in axes.lines)


def test_a_report_without_a_gap_says_so(judge, tmp_path, capsys):
    worse = Judge(dict(old=judge.test['new'], new=judge.test['old']))
    write_comparison(compare(worse, fct=0.5), tmp_path)
    text = (tmp_path / 'methods.md').read_text()
    row = next(line for line in text.splitlines() if line.startswith('| fct'))
    assert row.split('|')[5].strip() == '-'
    assert text.startswith('The new model is worse than the old one in ')
    assert 'gap to recover there' in capsys.readouterr().out
