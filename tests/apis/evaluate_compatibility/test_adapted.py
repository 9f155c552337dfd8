"""A row of queries that an adapter maps into the space of the old gallery."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import torch

from mmfct.apis.evaluate_compatibility import GateRule, evaluate_compatibility
from mmfct.evaluation.pair import ADAPTED_OLD, NEW_NEW, OLD_OLD, Pair
from mmfct.retrieval import Gallery
from mmfct.retrieval.gallery.provenance import ModelIdentity
from mmfct.retrieval.transform.file import TransformDescription, write_network
from mmfct.retrieval.transform.network import TransformNetwork
from mmfct.retrieval.transform.profile import InputProfile


def model(name):
    return ModelIdentity(name, hashlib.sha256(name.encode()).hexdigest())


@pytest.fixture
def make_adapter(tmp_path):
    """Write a linear map from queries of model_v2 to the space of model_v1."""

    def make(matrix, profile=None, **changes):
        matrix = torch.as_tensor(matrix).double()
        network = TransformNetwork.affine(matrix, torch.zeros(matrix.shape[1], dtype=torch.float64))
        described = dict(old=model('model_v2'), new=model('model_v1'), side=None, training=dict(direction='query'))
        described |= dict(old_dims=matrix.shape[0], side_dims=matrix.shape[0], new_dims=matrix.shape[1]) | changes
        path = tmp_path / 'a.safetensors'
        write_network(path, network, TransformDescription(**described), None if profile is None else dict(old=profile))
        return path

    return make


@pytest.fixture
def rotated(make_gallery):
    """An old gallery and its queries that are a rotation of those of the new model: queries, galleries, rotation."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 5
    new = np.eye(8)[labels] + 0.3 * rng.standard_normal((60, 8))
    queries = np.eye(8)[labels[:40]] + 0.3 * rng.standard_normal((40, 8))
    rotation = np.linalg.qr(rng.standard_normal((8, 8)))[0]
    names = [f'q{row}' for row in range(40)]
    return (
        dict(
            old=make_gallery('q_old', 'model_v1', queries @ rotation, id=names, label=labels[:40]),
            new=make_gallery('q_new', 'model_v2', queries, id=names, label=labels[:40]),
        ),
        dict(
            old=make_gallery('g_old', 'model_v1', new @ rotation, label=labels),
            new=make_gallery('g_new', 'model_v2', new, label=labels),
        ),
        rotation,
    )


def test_an_exact_adapter_scores_like_the_new_model(rotated, make_adapter, tmp_path):
    queries, galleries, rotation = rotated
    options = dict(gate=GateRule(baseline='old/old', candidate=str(ADAPTED_OLD)))
    found = evaluate_compatibility(queries, galleries, tmp_path / 'out', adapter=make_adapter(rotation), **options)
    assert list(found.scores.pairs) == [OLD_OLD, ADAPTED_OLD, NEW_NEW]
    assert dict(found.scores.pairs[ADAPTED_OLD].means) == pytest.approx(dict(found.scores.pairs[NEW_NEW].means))
    assert {name: values.mean().item() for name, values in found.agreement.recalls[ADAPTED_OLD].items()} == dict(
        recall1=1, recall10=1
    )
    assert found.gate.safe
    assert '| adapted new/old |' in (tmp_path / 'out/compatibility.md').read_text()
    numbers = json.loads((tmp_path / 'out/compatibility.json').read_text())
    assert numbers['queries']['adapted_new']['embedding_model']['name'] == 'model_v1'


def test_a_wrong_adapter_costs(rotated, make_adapter, tmp_path):
    queries, galleries, rotation = rotated
    found = evaluate_compatibility(queries, galleries, tmp_path / 'out', adapter=make_adapter(rotation.T))
    means = [found.scores.pairs[pair].means['map'] for pair in (ADAPTED_OLD, NEW_NEW)]
    assert means[0] < means[1] - 0.1
    assert found.agreement.recalls[ADAPTED_OLD]['recall10'].mean() < 0.6


def test_other_names(rotated, make_adapter, tmp_path):
    queries, galleries, rotation = rotated
    found = evaluate_compatibility(
        dict(v2=queries['new']), dict(v1=galleries['old']), tmp_path / 'out', adapter=make_adapter(rotation)
    )
    assert list(found.scores.pairs) == [Pair('adapted_v2', 'v1')]


def test_what_does_not_fit(rotated, make_adapter, tmp_path):
    queries, galleries, rotation = rotated

    def refused(message, adapter, queries=queries, galleries=galleries):
        with pytest.raises(ValueError, match=message):
            evaluate_compatibility(queries, galleries, tmp_path / 'out', adapter=adapter)
        assert not (tmp_path / 'out').exists()

    swapped = dict(old=model('model_v1'), new=model('model_v2'))
    for models in ({}, swapped):  # the second is one that is at hand wherever a gallery was upgraded
        message = 'an adapter must map queries, got .* which upgrades galleries, from .*; learn one with .*--direction'
        refused(message, make_adapter(rotation, training={}, **models))
    refused('into the space of the gallery, model_v1 .*, got', make_adapter(rotation, new=model('other')))
    refused(
        'one set of queries must be of the model that .* maps, other .*, got old of model_v1 .*, new of model_v2',
        make_adapter(rotation, old=model('other')),
    )
    twice = dict(a=queries['new'], b=queries['new'])
    refused('must be of the model that .* maps, model_v2 .*, got a and b', make_adapter(rotation), twice)
    taken = dict(new=queries['new'], adapted_new=queries['old'])
    refused("queries must not be called 'adapted_new'", make_adapter(rotation), taken)
    refused("queries 'new' must have the width 5 that .* maps, got 8", make_adapter(rotation[:5]))
    profile = InputProfile.of(100 * torch.from_numpy(Gallery(queries['new']).column('embedding')).float(), unit=False)
    refused("the embeddings of the queries 'new', which .* have lengths around", make_adapter(rotation, profile))


def test_command_line(rotated, make_adapter, tmp_path, run_tool, capsys):
    queries, galleries, rotation = rotated
    sets = [f'{name}={path}' for name, path in queries.items()], [f'{name}={path}' for name, path in galleries.items()]
    words = ['--query', *sets[0], '--gallery', *sets[1], '--out', tmp_path / 'out']
    assert run_tool('evaluate_compatibility.py', *words, '--adapter', make_adapter(rotation)) == 0
    assert capsys.readouterr().out.count('| adapted new/old |') == 2  # by labels, and by agreement
    assert run_tool('evaluate_compatibility.py', *words, '--adapter', tmp_path / 'no') == 2
    assert 'does not exist' in capsys.readouterr().err
