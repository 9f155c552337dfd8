"""Tests of what a transform says about itself."""

from __future__ import annotations

import pytest

from mmfct.retrieval.fingerprint import canonical_json
from mmfct.retrieval.transform_description import TransformDescription


@pytest.mark.parametrize('entries', [{}, dict(with_uncertainty=True, quality=dict(map=0.5), backfill=dict(macs=9))])
@pytest.mark.parametrize('side', ['side', None])
def test_json_round_trip(make_transform, entries, side):
    description, _ = make_transform(side=side, **entries)
    canonical_json(description.to_json())
    assert TransformDescription.from_json(description.to_json()) == description


def test_widths_and_multiplications(make_transform):
    description, _ = make_transform()
    assert description.widths == dict(old=6, side=4, new=5)
    assert description.macs == 6 * 12 + 12 * 10 + 4 * 8 + 8 * 10 + 20 * 16 + 16 * 16 + 16 * 5


def test_multiplications_of_the_paper():
    layers = dict(old_branch=[128, 256, 256], side_branch=[128, 256, 256], mixer=[512, 2048, 2048, 128])
    from mmfct.retrieval.provenance import ModelIdentity

    one = ModelIdentity('a', '0' * 64)
    assert TransformDescription('h', '0' * 64, one, one, one, layers).macs == 5_701_632


@pytest.mark.parametrize(
    ('layers', 'message'),
    [
        (dict(mixer=[4, 2]), '`layers` must give the widths of old_branch, side_branch, mixer, got'),
        (dict(old_branch=[2, 2], side_branch=[2], mixer=[4, 2]), '`layers` must give the widths'),
        (dict(old_branch=[2, 0], side_branch=[2, 2], mixer=[2, 2]), '`layers of old_branch` must be a positive int'),
        (dict(old_branch=[2, 2], side_branch=[2, 3], mixer=[4, 2]), 'must take the 5 outputs of both branches, got 4'),
    ],
)
def test_layers_that_do_not_fit(make_transform, layers, message):
    entries = make_transform()[0].to_json() | dict(layers=layers)
    with pytest.raises(ValueError, match=message):
        TransformDescription.from_json(entries)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda entries: [], r"must say that it is a 'mmfct transform', got \[\]"),
        (lambda entries: entries | dict(kind='x'), "must say that it is a 'mmfct transform', got"),
        (lambda entries: entries | dict(format_version=2), 'must have `format_version` 1, got 2'),
        (lambda entries: entries | dict(old_model=None), 'must have `name` and `fingerprint`, got None'),
        (lambda entries: {k: v for k, v in entries.items() if k != 'quality'}, r"complete, got KeyError\('quality'\)"),
    ],
)
def test_other_json_is_refused(make_transform, change, message):
    with pytest.raises(ValueError, match=message):
        TransformDescription.from_json(change(make_transform()[0].to_json()))
