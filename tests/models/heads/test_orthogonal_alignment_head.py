"""Tests of the two maps of lambda-Orthogonality."""

from __future__ import annotations

import sys

import pytest
import torch
from scipy.stats import ortho_group
from torch.nn.functional import normalize

from mmfct.functional.orthogonality import relaxed_orthogonality
from mmfct.registry import MODELS


def build(old: int = 5, side: int = 4, new: int = 5, **options) -> torch.nn.Module:
    options = dict(hidden_dims=16) | options
    widths = dict(old_dims=old, side_dims=side, new_dims=new)
    return MODELS.build(dict(type='mmfct.OrthogonalAlignmentHead', **widths, **options))


def batch(size: int = 8) -> tuple[torch.Tensor, ...]:
    return torch.randn(size, 5), torch.randn(size, 4), torch.randn(size, 5), torch.arange(size) % 3


def supervised_contrast(anchors, labels, others, other_labels, temperature: float) -> float:
    """The loss of Khosla et al. 2020, anchor by anchor."""
    losses = []
    for anchor, label in zip(anchors, labels, strict=True):
        logits = normalize(others, dim=1) @ normalize(anchor, dim=0) / temperature
        log_probability = logits - logits.logsumexp(0)
        losses.append(-log_probability[other_labels == label].mean())
    return torch.stack(losses).mean()


def test_losses_equal_a_plain_loop():
    weights = dict(
        forward_weight=2.0, backward_weight=3.0, contrast_weight=0.5, slack=0.3, sharpness=7.0, temperature=0.2
    )
    head = build(**weights).eval()
    torch.nn.init.normal_(head.query_map.weight)
    old, side, new, labels = batch()
    upgraded, query = head(old, side), new @ head.query_map.weight.T + head.query_map.bias
    contrast = supervised_contrast(upgraded, labels, torch.cat([query, old]), torch.cat([labels, labels]), 0.2)
    losses = head.loss(old, side, new, labels)
    torch.testing.assert_close(losses['loss_forward'], 2 * (upgraded - query).square().mean())
    torch.testing.assert_close(losses['loss_backward'], 3 * (query - old).square().mean())
    torch.testing.assert_close(losses['loss_contrast'], 0.5 * contrast)
    expected = relaxed_orthogonality(head.query_map.weight, slack=0.3, sharpness=7)
    torch.testing.assert_close(losses['loss_orthogonality'], expected)
    assert len(losses) == 4


def test_queries_keep_their_distances_at_first():
    head, new = build(), torch.randn(9, 5)
    torch.testing.assert_close(torch.pdist(head.map_queries(new)), torch.pdist(new))


def test_training_finds_a_rotation():
    rotation = torch.from_numpy(ortho_group.rvs(5, random_state=0)).float()
    old = torch.randn(256, 5)
    new, labels = old @ rotation + 1, torch.arange(256) % 4
    head = build(side=5, contrast_weight=0.0, slack=2.0)  # from a reflection to a rotation it is 1
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-2)
    for _ in range(600):
        optimizer.zero_grad()
        sum(head.loss(old, old, new, labels).values()).backward()
        optimizer.step()
    query = head.map_queries(new)
    assert (query - old).square().mean() < 0.05 and (head.eval()(old, old) - query).square().mean() < 0.05


def test_widths_that_differ():
    with pytest.raises(ValueError, match='`new_dims` must be `old_dims`, 5, for an orthogonal map, got 6'):
        build(new=6)


def test_a_loss_without_labels():
    with pytest.raises(ValueError, match='the contrastive loss needs the label of every image, got None'):
        build().loss(*batch()[:3])
    with pytest.raises(ValueError, match='needs the label of every image'):
        build().loss(*batch()[:3], torch.tensor([0, 1, 2, -1, 0, 1, 2, 0]))


def test_a_wrong_width():
    old, side, new, labels = batch()
    with pytest.raises(ValueError, match=r'the new embedding must have shape \(B, 5\)'):
        build().loss(old, side, new[:, :4], labels)


def test_without_its_package_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, 'pytorch_metric_learning.losses', None)
    message = r"needs pytorch-metric-learning; install it with `pip install 'mmfct\[metric-learning\]'`"
    with pytest.raises(ImportError, match=f'mmfct.OrthogonalAlignmentHead {message}'):
        build()
