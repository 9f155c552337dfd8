"""Tests of what a gallery says about its models."""

from __future__ import annotations

import pytest

from mmfct.retrieval.gallery.provenance import (
    ModelIdentity,
    Provenance,
    check_same_distance,
    check_same_model,
)

OLD, NEW, SIDE = (ModelIdentity(name, digit * 64) for name, digit in (('old', '0'), ('new', '1'), ('simclr', '2')))


@pytest.mark.parametrize(
    'provenance', [Provenance(OLD), Provenance(NEW, SIDE, 'cosine', (dict(transform='a'), dict(transform='b')))]
)
def test_metadata_round_trip(provenance):
    assert Provenance.from_metadata(provenance.to_metadata()) == provenance


def test_same_model_by_weights_not_by_name():
    check_same_model(ModelIdentity('renamed', NEW.fingerprint), Provenance(NEW))
    with pytest.raises(ValueError, match=r'queries of new \(1{12}\) and a gallery of old \(0{12}\); upgrade'):
        check_same_model(NEW, Provenance(OLD))


def test_one_distance_on_both_sides():
    check_same_distance('queries', Provenance(NEW, distance='cosine'), Provenance(OLD, distance='cosine'))
    with pytest.raises(
        ValueError,
        match="queries and gallery must have the same `distance`, got 'l2' and 'cosine'; make .* --distance cosine",
    ):
        check_same_distance('queries', Provenance(NEW), Provenance(NEW, distance='cosine'))


def test_only_known_distances():
    with pytest.raises(ValueError, match="`distance` must be one of l2, cosine, inner, got 'l1'"):
        Provenance.from_metadata({**Provenance(NEW).to_metadata(), 'distance': 'l1'})


def test_metadata_of_something_else():
    with pytest.raises(ValueError, match=r"must say which model made it, got metadata \['roles'\]; make it with"):
        Provenance.from_metadata(dict(roles=[]))


def test_no_fingerprint():
    with pytest.raises(ValueError, match='`fingerprint` must be 64 hexadecimal digits, got 12'):
        ModelIdentity('old', 12)
    with pytest.raises(ValueError, match='a model must have `name` and `fingerprint`, got'):
        ModelIdentity.from_json(dict(name='old'))
