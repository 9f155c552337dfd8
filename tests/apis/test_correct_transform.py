"""Corrections of upgraded vectors, put into transform files."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmfct.apis.correct_transform import correct_transform
from mmfct.functional.spread import LengthFit, SpreadFit
from mmfct.models.heads import TransformationHead
from mmfct.retrieval.gallery.provenance import ModelIdentity
from mmfct.retrieval.transform.apply import Transform
from mmfct.retrieval.transform.file import TransformDescription, write_network, write_transform
from mmfct.retrieval.transform.layers import Layer
from mmfct.retrieval.transform.network import Stack, Term, TransformNetwork
from mmfct.retrieval.transform.profile import InputProfile

OLD, NEW = torch.randn(40, 5, generator=torch.Generator().manual_seed(0)), ModelIdentity.named('new')
FITS = dict(
    scale=LengthFit(2.0, 0.0),
    calibrated=LengthFit(0.5, 0.25),
    spread=SpreadFit(1.5, torch.arange(5, dtype=torch.float64) / 3),
)


@pytest.fixture(params=['two terms', 'identity', 'head of the paper'])
def transform(request, tmp_path):
    """Transform files of both format versions."""
    torch.manual_seed(0)
    described = TransformDescription(ModelIdentity.named('old'), NEW, None, 5, 5, 5)
    path = tmp_path / 'h.safetensors'
    if request.param == 'head of the paper':
        head = TransformationHead(5, 5, 5, hidden_dims=8, with_uncertainty=True).eval()
        write_transform(path, head.state_dict(), described)
        return path
    layer = Layer(torch.randn(5, 5), torch.randn(5))
    stacks = [Stack()] if request.param == 'identity' else [Stack([layer]), Stack([layer._replace(relu=True), layer])]
    network = TransformNetwork([Term(None, None, stack) for stack in stacks], unit_inputs=True)
    write_network(path, network, described, dict(old=InputProfile.of(OLD, unit=True)))
    return path


def write(tmp_path, kind: str, **entries):
    path = tmp_path / 'correction.npz'
    values = {name: np.asarray(value) for name, value in (entries or FITS[kind]._asdict()).items()}
    np.savez(path, kind=kind, **values)
    return path


@pytest.mark.parametrize('kind', FITS)
def test_the_new_file_computes_the_corrected_vectors(transform, kind, tmp_path):
    description = correct_transform(transform, write(tmp_path, kind), tmp_path / 'out')
    before, after = Transform(transform), Transform(tmp_path / 'out')
    torch.testing.assert_close(after(OLD), FITS[kind](before(OLD)), rtol=1e-4, atol=1e-5)
    assert after.description == description and description.training['correction'] == kind
    assert description.training['corrected_from'] == before.fingerprint != after.fingerprint
    assert after.profiles.keys() == before.profiles.keys() and not after.predicts_uncertainty


def test_lengths_may_be_corrected_twice_and_the_spread_not_after_them(transform, tmp_path):
    correct_transform(transform, write(tmp_path, 'calibrated'), tmp_path / 'once')
    correct_transform(tmp_path / 'once', write(tmp_path, 'scale'), tmp_path / 'twice')
    expected = FITS['scale'](FITS['calibrated'](Transform(transform)(OLD)))
    torch.testing.assert_close(Transform(tmp_path / 'twice')(OLD), expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match='must not have corrected lengths for a correction of the spread'):
        correct_transform(tmp_path / 'once', write(tmp_path, 'spread'), tmp_path / 'no')


@pytest.mark.parametrize(
    ('kind', 'entries', 'message'),
    [
        ('spread', dict(factor=1.0, offset=np.zeros(4)), r'must be for vectors of width 5, got \(4,\)'),
        ('scale', dict(slope=np.nan, intercept=0.0), 'must hold a finite correction, got scale'),
        ('shift', dict(slope=1.0, intercept=0.0), 'must hold a finite correction, got shift'),
        ('scale', dict(slope=1.0), 'must be a correction of `mmfct plan-backfill`, got KeyError'),
    ],
)
def test_corrections_that_do_not_fit(transform, tmp_path, kind, entries, message):
    with pytest.raises(ValueError, match=message):
        correct_transform(transform, write(tmp_path, kind, **entries), tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_a_correction_is_for_one_transform(transform, tmp_path):
    """Applied to the corrected file once more, it would be a correction that nobody has measured."""
    fit = dict(FITS['scale']._asdict(), transform=Transform(transform).fingerprint)
    correction = write(tmp_path, 'scale', **fit)
    correct_transform(transform, correction, tmp_path / 'once')
    with pytest.raises(ValueError, match='is for vectors of the transform .*, got .*once, which is .*; name the file'):
        correct_transform(tmp_path / 'once', correction, tmp_path / 'twice')


def test_files_that_are_no_corrections(transform, tmp_path, run_tool, capsys):
    with pytest.raises(FileNotFoundError, match='does not exist; `mmfct plan-backfill` writes it'):
        correct_transform(transform, tmp_path / 'missing.npz', tmp_path / 'out')
    torch.save({}, tmp_path / 'hostile.npz')
    words = [str(transform), str(tmp_path / 'hostile.npz'), str(tmp_path / 'out')]
    assert run_tool('correct_transform.py', *words) == 2
    assert 'must be a correction of' in capsys.readouterr().err
    assert run_tool('correct_transform.py', words[0], str(write(tmp_path, 'scale')), words[2]) == 0
    assert Transform(tmp_path / 'out').description.training['correction'] == 'scale'


def test_adapters_are_not_corrected(tmp_path):
    described = TransformDescription(NEW, ModelIdentity.named('old'), None, 5, 5, 5, dict(direction='query'))
    write_network(tmp_path / 'a', TransformNetwork([Term(None, None, Stack())]), described)
    with pytest.raises(ValueError, match='for upgraded vectors, got .*a, which maps queries; name the transform file'):
        correct_transform(tmp_path / 'a', write(tmp_path, 'scale'), tmp_path / 'out')
    assert not (tmp_path / 'out').exists()
