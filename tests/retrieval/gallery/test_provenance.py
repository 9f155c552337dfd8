"""Tests of what a gallery says about its models."""

from __future__ import annotations

import pytest

from mmfct.retrieval.gallery.provenance import (
    ModelIdentity,
    Provenance,
    _warn_once,
    check_same_distance,
    check_same_model,
    check_same_preprocessing,
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
    for entry in (dict(name='old'), dict(OLD.to_json(), preprocessing=[1]), 'old'):
        with pytest.raises(ValueError, match='a model must have `name` and `fingerprint`, got'):
            ModelIdentity.from_json(entry)


def test_a_model_that_is_known_by_name_alone():
    small, large = map(ModelIdentity.named, ('text-embedding-3-small', 'text-embedding-3-large'))
    assert small == ModelIdentity.named('text-embedding-3-small') and small.fingerprint != large.fingerprint
    assert str(small) == 'text-embedding-3-small' and not OLD.is_named_only
    assert ModelIdentity.from_json(small.to_json()) == small
    with pytest.raises(ValueError, match='a gallery of text-embedding-3-small; upgrade'):
        check_same_model(large, Provenance(small))
    with pytest.raises(ValueError, match="the name of a model must not be empty, got ' '"):
        ModelIdentity.named(' ')


@pytest.fixture
def warned(monkeypatch) -> list[str]:
    """What is logged as a warning."""
    texts: list[str] = []
    _warn_once.cache_clear()
    monkeypatch.setattr('mmengine.logging.print_log', lambda text, logger, level: texts.append(text))
    return texts


def test_the_preprocessing_belongs_to_the_model():
    small, large = (NEW.with_preprocessing(dict(input=[3, size, size], transforms=[])) for size in (64, 128))
    assert ModelIdentity.from_json(small.to_json()) == small != large and len({small, large, NEW}) == 3
    check_same_model(small, Provenance(small))
    with pytest.raises(
        ValueError, match=r'got `input` \[3,64,64\] for the queries and \[3,128,128\] for the gallery; .*'
    ):
        check_same_model(small, Provenance(large))
    with pytest.raises(ValueError, match='side-information and transform h of new .* got `crop`'):
        check_same_preprocessing(
            'side-information',
            NEW.with_preprocessing(dict(crop=1)),
            NEW.with_preprocessing(dict(crop=2)),
            'transform h',
        )


def test_a_model_that_is_known_by_name_alone_may_have_no_images(warned):
    check_same_model(ModelIdentity.named('text'), Provenance(ModelIdentity.named('text')))
    assert warned == []


def test_what_only_one_side_knows_is_not_compared(warned):
    check_same_model(NEW.with_preprocessing(dict(a=1, b=2)), Provenance(NEW.with_preprocessing(dict(b=2, c=3))))
    assert warned == []


@pytest.mark.parametrize('silent', ['queries', 'gallery'])
def test_a_gallery_that_does_not_know_its_preprocessing_is_told_of_once(warned, silent):
    known = NEW.with_preprocessing(dict(input=[3, 64, 64]))
    pair = (NEW, Provenance(known)) if silent == 'queries' else (known, Provenance(NEW))
    for _ in range(2):
        check_same_model(*pair)
    (text,) = warned
    assert f'an earlier version or another program made the {silent} and did not note how images' in text


def test_manifests_without_preprocessing_are_written_as_before():
    assert NEW.to_json() == dict(name='new', fingerprint='1' * 64)
