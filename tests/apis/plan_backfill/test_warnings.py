"""Warnings of a backfill that makes a gallery worse, by embeddings of which the cause is known."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from mmfct.apis.plan_backfill import plan_backfill
from mmfct.apis.plan_backfill.causes import Attraction, Causes, Lengths
from mmfct.apis.plan_backfill.corrections import Correction
from mmfct.apis.plan_backfill.sentences import dip_warnings
from mmfct.functional.spread import LengthFit, SpreadFit

LABELS = np.arange(200) % 10


@pytest.fixture
def plan(make_gallery, tmp_path):
    """Plan a backfill of given galleries; return its JSON and text."""

    runs = []

    def plan(upgraded, new, distance='l2', labels=LABELS, orders=('random',)):
        runs.append(distance)
        paths = [
            make_gallery(f'{name}{len(runs)}', 'm', rows, label=labels, distance=distance, upgrades=upgrades)
            for name, rows, upgrades in (('upgraded', upgraded, [dict(transform='h')]), ('new', new, []))
        ]
        plan_backfill(paths[0], tmp_path / 'out', orders=orders, new=paths[1], query=paths[1])
        numbers = json.loads((tmp_path / 'out/backfill.json').read_text())
        return numbers, (tmp_path / 'out/backfill.md').read_text()

    return plan


def clusters(noise: float, labels=LABELS) -> np.ndarray:
    generator = np.random.default_rng(0)
    return generator.standard_normal((10, 16))[labels] + noise * generator.standard_normal((len(labels), 16))


def shrunk(new: np.ndarray) -> np.ndarray:
    """A perfect upgrade, but for vectors that are too short by a factor of 2.5 and some noise."""
    return 0.4 * (new + 0.3 * np.random.default_rng(1).standard_normal(new.shape))


@pytest.mark.parametrize('distance', ['l2', 'inner'])
def test_short_vectors_are_found_and_corrected(plan, distance, tmp_path, capsys):
    new = clusters(0.6)
    numbers, text = plan(shrunk(new), new, distance)
    first = text.splitlines()[0]
    assert first.startswith('Filling up the gallery makes it worse before it gets better (random): ')
    causes = numbers['causes']
    assert causes['score'] == 'map' and numbers['dips']['random']['map']['point'] in range(1, 21)
    assert causes['lengths']['upgraded'] == pytest.approx(0.41 * causes['lengths']['new'], rel=0.02)
    assert causes['lengths']['interval'][0] > 0
    scale = causes['corrections']['scale']
    assert scale['slope'] == pytest.approx(2.43, rel=0.03) and scale['intercept'] == 0
    for name in ('scale', 'calibrated'):
        correction = causes['corrections'][name]
        assert correction['helps'] and correction['interval'][0] > 0 and not correction['dips']
    assert numbers['warnings'][-1].startswith(
        f'Correct the upgraded vectors that are not recomputed yet ({causes["correction"]}'
    )
    assert causes['attraction']['interval'][0] > causes['attraction']['recomputed']
    assert 'queries prefer items that are recomputed' in text
    assert all(warning in text for warning in numbers['warnings'])
    assert 'Filling up the gallery makes it worse' in capsys.readouterr().out


def test_the_correction_that_is_offered_removes_the_dip(plan, tmp_path):
    new = clusters(0.6)
    numbers, _ = plan(shrunk(new), new, 'inner')
    with np.load(tmp_path / 'out/correction.npz') as file:
        fit = {name: file[name] for name in file.files}
    upgraded = shrunk(new)
    assert fit['kind'] == numbers['causes']['correction'] == 'calibrated' and fit['transform'] == 'h'
    lengths = np.linalg.norm(upgraded, axis=1, keepdims=True)
    again, text = plan(upgraded * (fit['slope'] + fit['intercept'] / lengths), new, 'inner')
    assert again['warnings'] == [] and again['causes'] is None and text.startswith('| order')
    assert not (tmp_path / 'out/correction.npz').exists()
    assert min(again['curves']['random']['map']) > min(numbers['curves']['random']['map']) + 0.1


def test_with_cosine_the_cause_is_looked_for_elsewhere(plan, tmp_path):
    """Lengths are no matter, but a shift of all upgraded vectors is."""
    new = clusters(0.6)
    assert plan(shrunk(new), new, 'cosine')[0]['warnings'] == []
    shifted = new + 3 * np.eye(16)[0] + 0.2 * np.random.default_rng(1).standard_normal(new.shape)
    numbers, text = plan(shifted, new, 'cosine')
    assert 'The distance is cosine, for which lengths do not matter.' in text
    assert list(numbers['causes']['corrections']) == ['spread'] and numbers['causes']['correction'] == 'spread'
    with np.load(tmp_path / 'out/correction.npz') as file:
        corrected = file['factor'] * shifted + file['offset']
    assert np.abs(corrected.mean(axis=0) - new.mean(axis=0)).max() < 1e-4
    assert plan(corrected, new, 'cosine')[0]['warnings'] == []


def test_a_new_gallery_that_is_worse_is_said_once(plan):
    numbers, text = plan(clusters(0.2), clusters(1.2), orders=('random', 'oracle'))
    declines = [text for text in numbers['warnings'] if text.startswith('Recomputing the gallery makes it worse: ')]
    assert len(declines) == len(set(declines)) == 2 and 'CMC-1 falls from 90.00' in declines[0]
    assert text.startswith(declines[0]) or text.startswith('Filling up')


def make_causes(**corrections: Correction) -> Causes:
    attraction, lengths = Attraction(0.5, 0.5, (0.4, 0.6)), Lengths(2.0, 2.5, (0.4, 0.6))
    return Causes('random', 'map', 'l2', attraction, lengths, corrections)


def correction(fit, lowest, interval, *, at_start=(0.0, 0.01), dips=False) -> Correction:
    return Correction(fit, 0.3, lowest, interval, sum(at_start) / 2, at_start, dips)


def test_the_correction_with_the_highest_lowest_point_is_offered():
    useless = correction(LengthFit(1.1, 0.0), 0.31, (-0.01, 0.03))
    text = '\n'.join(dip_warnings({}, [], make_causes(scale=useless)))
    assert 'None of these is the cause. Serve the upgraded gallery until the new one is complete' in text
    assert 'neither items that are recomputed nor others' in text
    calibrated = correction(LengthFit(2.0, -0.5), 0.34, (0.02, 0.06))
    causes = make_causes(scale=useless, calibrated=calibrated)
    assert causes.best == 'calibrated' and causes.to_json()['corrections']['calibrated']['intercept'] == -0.5
    last = dip_warnings({}, [], causes)[-1]
    assert '(calibrated: give each the length 2 times its own - 0.5), before the gallery is filled up: `' in last
    assert last.endswith('`mmfct correct TRANSFORM correction.npz OUT`, then upgrade with OUT.')
    # One that costs at the start is for later, and one that leaves a dip is not enough.
    spread = correction(SpreadFit(1.5, torch.ones(3)), 0.36, (0.04, 0.08), at_start=(-0.03, -0.01), dips=True)
    causes = make_causes(calibrated=calibrated, spread=spread)
    assert causes.best == 'spread' and 'offset' not in causes.to_json()['corrections']['spread']
    last = dip_warnings({}, [], causes)[-1]
    assert (
        '(spread: 1.5 times the vector plus the `offset` in correction.npz), as soon as the filling begins, not'
        in last
    )
    assert last.endswith(
        'It is not the only cause: serve the upgraded gallery until the new one is complete, and '
        'switch then, or fill it up in an order whose curve does not fall.'
    )


def test_few_items_cannot_tell(plan):
    labels = np.arange(36) % 3
    new = clusters(0.3, labels)
    numbers, text = plan(shrunk(new), new, 'inner', labels)
    assert numbers['causes']['corrections'] == {} and numbers['causes']['correction'] is None
    assert 'There are too few items to tell whether a correction would help.' in text


def test_intervals_of_the_curve(plan):
    new = clusters(0.6)
    numbers, text = plan(new + 0.5 * np.random.default_rng(1).standard_normal(new.shape), new)
    assert numbers['warnings'] == [] and numbers['dips'] == {} and numbers['causes'] is None
    for score, band in numbers['intervals']['random'].items():
        for (low, high), mean in zip(band, numbers['curves']['random'][score], strict=True):
            assert low <= mean <= high
    assert '| random: mAP (%) |  95 % interval |' in text
