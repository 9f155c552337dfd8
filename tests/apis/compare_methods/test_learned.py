"""What is learned from views of images."""

from __future__ import annotations

import json

import pytest
import torch
from mmengine.config import Config

from mmfct.apis.compare_methods import learned
from mmfct.apis.learn_transform.settings import LearnSettings
from mmfct.evaluation.embedding_set import EmbeddingSet
from mmfct.retrieval.gallery.provenance import ModelIdentity
from mmfct.retrieval.transform.apply import Transform
from mmfct.retrieval.transform.learned_from import LearnedFrom

VIEWS, IMAGES = 3, 60
ROLES = ('old', 'new', 'side')


def table(noise: float) -> dict[str, EmbeddingSet]:
    """Views of images, one after the other: the new model sees four dimensions, the old and the side model two."""
    generator = torch.Generator().manual_seed(0)
    latent = torch.randn(IMAGES, 4, generator=generator).repeat(VIEWS, 1)
    latent = latent + noise * torch.randn(latent.shape, generator=generator)
    ids, labels = (torch.arange(IMAGES).repeat(VIEWS) for _ in range(2))
    columns = dict(old=latent[:, :2], new=latent, side=latent[:, 2:])
    return {role: EmbeddingSet(rows, labels, ids) for role, rows in columns.items()}


@pytest.mark.parametrize('use_side', [False, True])
def test_images_are_held_out_with_all_their_views(tmp_path, monkeypatch, use_side):
    monkeypatch.setattr(learned, 'identify_models', lambda config: {role: ModelIdentity.named(role) for role in ROLES})
    settings = LearnSettings(epochs=1, folds=3, hidden_dims=4)
    train = table(noise=0.01)
    config = Config(dict(test_evaluator=dict(distance='l2')))
    found = learned.learn(train, train, config, tmp_path, use_side=use_side, settings=settings)
    report = json.loads((tmp_path / 'learn.json').read_text())
    # A view would find the other views of its image first, and all candidates would look perfect.
    assert report['bounds']['new/new']['num_queries'] == IMAGES
    assert report['pairs'] == VIEWS * IMAGES
    exact = (found.embeddings - train['new'].embeddings).abs().max() < 0.2
    assert exact == use_side and found.stored_dims == (4 if use_side else 2)
    known = LearnedFrom.from_json(Transform(tmp_path / 'learned.safetensors').description.training['learned_from'])
    assert known.items == IMAGES  # not of views, and by the ids of galleries
    assert known.count(['train/0', f'train/{IMAGES - 1}', 'test/0']) == (2, 3)
