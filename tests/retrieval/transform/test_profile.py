"""Profiles of inputs: what is refused, and what is not."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize

from mmfct.retrieval.transform.profile import InputProfile


def embeddings(rows: int, *, seed: int = 0, classes: range = range(40), model: int = 0) -> torch.Tensor:
    """Rows of a pretended model: classes in a space of 16 of 64 dimensions, plus noise, all positive."""
    generator = torch.Generator().manual_seed(100 + model)
    basis = torch.linalg.qr(torch.randn(64, 64, generator=generator))[0][:16]
    centres = 3 * torch.randn(100, 16, generator=generator)[list(classes)]
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(len(classes), (rows,), generator=draw)
    values = (centres[labels] + torch.randn(rows, 16, generator=draw)) @ basis
    return (values + 0.5 * torch.randn(rows, 64, generator=draw)).relu() * 2


PROFILE = InputProfile.of(embeddings(500), unit=False)
UNIT = InputProfile.of(embeddings(500), unit=True)


@pytest.mark.parametrize('profile', [PROFILE, UNIT])
def test_other_items_of_the_same_model_are_taken(profile):
    unit = profile is UNIT
    assert profile.objection(embeddings(300, seed=1), unit=unit) is None
    assert profile.objection(embeddings(5, seed=1), unit=unit) is None
    assert profile.objection(embeddings(300, seed=2, classes=range(40, 80)), unit=unit) is None


def test_normalised_vectors_are_refused_unless_lengths_do_not_matter():
    rows = normalize(embeddings(300, seed=1), dim=1)
    assert 'length 1, and those it was learned from have lengths around' in PROFILE.objection(rows, unit=False)
    assert 'length 1' in PROFILE.objection(rows[:3].half().float(), unit=False)
    assert UNIT.objection(rows, unit=True) is None
    assert InputProfile.of(rows, unit=False).objection(rows, unit=False) is None


def test_another_scale_is_refused():
    assert 'in another scale' in PROFILE.objection(100 * embeddings(20, seed=1), unit=False)
    assert 'in another scale' in InputProfile.of(normalize(embeddings(300)), unit=False).objection(
        embeddings(20, seed=1), unit=False
    )


@pytest.mark.parametrize('profile', [PROFILE, UNIT])
def test_another_model_of_the_same_width_is_refused(profile):
    swapped = embeddings(300, seed=1, model=1)
    assert 'vary in other directions' in profile.objection(swapped, unit=profile is UNIT)
    assert profile.objection(swapped[:50], unit=profile is UNIT) is None  # too few to tell


@pytest.mark.parametrize('profile', [PROFILE, UNIT])
def test_centred_vectors_are_refused(profile):
    rows = embeddings(300, seed=1)
    said = profile.objection(rows - rows.mean(dim=0), unit=profile is UNIT)
    assert 'have their mean at zero' in said and 'somebody centred them' in said


def test_fewer_rows_than_dimensions_are_no_other_model():
    """Directions of 120 rows capture 39 % of these, and 12 % of any others of the same distribution."""
    rows = torch.randn(620, 1024, generator=torch.Generator().manual_seed(0))
    profile = InputProfile.of(rows[:120], unit=False)
    assert profile.captured < 0.2 and profile.objection(rows[120:], unit=False) is None


def test_round_trip_and_what_is_measured():
    rows = embeddings(200)
    profile = InputProfile.of(rows, unit=False)
    again = InputProfile.from_parts(profile.to_json(), profile.tensors())
    assert again.norms == profile.norms and torch.equal(again.directions, profile.directions)
    norms = rows.double().norm(dim=1)
    assert profile.norms[3] == pytest.approx(norms.median().item(), rel=0.02) and profile.norms[6] == norms.max()
    few = rows[:60]
    variances = torch.linalg.svdvals((few - few.mean(0)).double()).square()
    captured = (variances[:16].sum() / variances.sum()).item()
    assert InputProfile.of(few, unit=False).captured == pytest.approx(captured)
    with pytest.raises(ValueError, match='`norms` must be 7 quantiles'):
        InputProfile.from_parts(profile.to_json() | dict(norms=[1.0]), profile.tensors())
