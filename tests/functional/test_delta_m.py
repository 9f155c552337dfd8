"""Relative change against single-task models."""

from __future__ import annotations

import math

import pytest

from mmfct.functional.delta_m import delta_m

METRICS = ('miou', 'pixel_accuracy', 'abs_error', 'rel_error')
ERRORS = ('abs_error', 'rel_error')
# Published means of three seeds on CityScapes, 7 classes, 128x256 (MTAN on SegNet), and what they are relative to.
SINGLE = dict(zip(METRICS, (74.01, 93.16, 0.0125, 27.77), strict=True))
PUBLISHED = {
    'LS': (75.18, 93.49, 0.0155, 46.77, 22.60),
    'SI': (70.95, 91.73, 0.0161, 33.83, 14.11),
    'RLW': (74.57, 93.41, 0.0158, 47.79, 24.38),
    'DWA': (75.24, 93.52, 0.0160, 44.37, 21.45),
    'UW': (72.02, 92.85, 0.0140, 30.13, 5.89),
    'MGDA': (68.84, 91.54, 0.0309, 33.50, 44.14),
    'PCGrad': (75.13, 93.48, 0.0154, 42.07, 18.29),
    'GradDrop': (75.27, 93.53, 0.0157, 47.54, 23.73),
    'CAGrad': (75.16, 93.48, 0.0141, 37.60, 11.64),
    'IMTL-G': (75.33, 93.49, 0.0135, 38.41, 11.10),
    'Nash-MTL': (75.41, 93.66, 0.0129, 35.02, 6.82),
    'FAMO': (74.54, 93.29, 0.0145, 32.59, 8.13),
}


@pytest.mark.parametrize('method', PUBLISHED)
def test_published_rows(method):
    *values, expected = PUBLISHED[method]
    change = delta_m(dict(zip(METRICS, values, strict=True)), SINGLE, lower_is_better=ERRORS)
    # 0.0125 stands for anything from 0.01245 to 0.01255, which is 0.4 % of a quarter of the sum.
    assert change == pytest.approx(expected, abs=0.25)


def test_the_published_row_of_uncertainty_weighting_to_its_last_digit():
    scores = dict(zip(METRICS, PUBLISHED['UW'][:4], strict=True))
    assert delta_m(scores, SINGLE, lower_is_better=ERRORS) == pytest.approx(5.88, abs=0.005)


def test_both_conventions_by_hand():
    scores = dict(miou=0.6, abs_error=0.3, rel_error=0.2, rmse=0.5)
    baseline = dict(miou=0.5, abs_error=0.2, rel_error=0.2, rmse=0.4)
    errors = ('abs_error', 'rel_error', 'rmse')
    assert delta_m(scores, baseline, lower_is_better=errors) == pytest.approx((-20 + 50 + 0 + 25) / 4)
    tasks = dict(seg=['miou'], depth=['abs_error', 'rel_error', 'rmse'])
    expected = (-20 + (50 + 0 + 25) / 3) / 2
    assert delta_m(scores, baseline, lower_is_better=errors, tasks=tasks) == pytest.approx(expected)


def test_conventions_agree_where_tasks_have_equally_many_metrics():
    scores = dict(zip(METRICS, PUBLISHED['UW'][:4], strict=True))
    tasks = dict(seg=METRICS[:2], depth=METRICS[2:])
    assert delta_m(scores, SINGLE, lower_is_better=ERRORS, tasks=tasks) == pytest.approx(
        delta_m(scores, SINGLE, lower_is_better=ERRORS)
    )


def test_sign_does_not_depend_on_that_of_the_baseline():
    assert delta_m(dict(a=-1.0), dict(a=-2.0), lower_is_better=()) == -50
    assert delta_m(dict(a=-1.0), dict(a=-2.0), lower_is_better=('a',)) == 50


def test_a_score_that_was_not_measured():
    assert math.isnan(delta_m(dict(a=math.nan), dict(a=2.0), lower_is_better=()))


@pytest.mark.parametrize(
    ('scores', 'baseline', 'options', 'match'),
    [
        (dict(a=1), dict(a=1, b=1), {}, r"`scores` must have the metrics .* got \['a'\] and \['a', 'b'\]"),
        ({}, {}, {}, '`scores` must have the metrics of `baseline`, at least one'),
        (dict(a=1), dict(a=1), dict(lower_is_better=['b']), r"`lower_is_better` must name .* got \['b'\]"),
        (dict(a=1, b=1), dict(a=1, b=1), dict(tasks=dict(t=['a'])), '`tasks` must share out the metrics'),
        (dict(a=1), dict(a=1), dict(tasks=dict(t=['a'], u=['a'])), '`tasks` must share out the metrics'),
        (dict(a=1), dict(a=1), dict(tasks=dict(t=['a'], u=[])), '`tasks` must share out the metrics'),
        (dict(a=1, b=1), dict(a=1, b=0.0), {}, r"`baseline` must not be 0, .* got 0 for \['b'\]"),
    ],
)
def test_bad_input(scores, baseline, options, match):
    with pytest.raises(ValueError, match=match):
        delta_m(scores, baseline, **{'lower_is_better': (), **options})
