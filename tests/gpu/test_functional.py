"""Tensor maths on a GPU is that of the CPU; ranks and counts are the same to the last one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from mmfct.evaluation import CompatibilityMetric
from mmfct.functional import pairwise_distances, query_scores
from mmfct.functional.backfill import order_by_class_mean, order_by_error, order_by_uncertainty
from mmfct.functional.compatibility import negative_flips
from mmfct.functional.label_agreement import contrasts
from mmfct.functional.neighbour_recall import nearest_rows, neighbour_recall
from mmfct.functional.orthogonality import relaxed_orthogonality
from mmfct.functional.pose_error import align_similarity, point_errors
from mmfct.functional.rotation import rotation_from_6d, rotation_from_vector
from mmfct.functional.task_weighting import log_variance_gradient, mean_over_valid, starting_log_variance, task_weights
from mmfct.functional.uncertainty import heteroscedastic_loss

ROWS, DIMS, CLASSES = 60, 16, 5
# Functions of vectors x and y (N, D), positive numbers p (N, 3), and labels (N,).
FUNCTIONS: dict[str, Callable[..., Any]] = {
    'l2': lambda x, y, p, labels: pairwise_distances(x, y, 'l2'),
    'cosine': lambda x, y, p, labels: pairwise_distances(x, y, 'cosine'),
    'inner': lambda x, y, p, labels: pairwise_distances(x, y, 'inner'),
    'nearest_rows': lambda x, y, p, labels: nearest_rows(x, y, 4, own_rows=torch.arange(len(x), device=x.device)),
    'neighbour_recall': lambda x, y, p, labels: neighbour_recall(nearest_rows(x, y, 4), nearest_rows(y, y, 4), 4),
    'contrasts': lambda x, y, p, labels: contrasts(p, torch.stack([1.5 * p, p + 1])),
    'negative_flips': lambda x, y, p, labels: negative_flips(x[:, 0], y[:, 0]),
    'order_by_error': lambda x, y, p, labels: order_by_error(x, y),
    'order_by_uncertainty': lambda x, y, p, labels: order_by_uncertainty(x[:, 0]),
    'order_by_class_mean': lambda x, y, p, labels: order_by_class_mean(x, labels),
    'relaxed_orthogonality': lambda x, y, p, labels: relaxed_orthogonality(x[:DIMS], slack=1.0),
    'point_errors': lambda x, y, p, labels: point_errors(x.view(ROWS, -1, 2), y.view(ROWS, -1, 2)),
    'align_similarity': lambda x, y, p, labels: align_similarity(p[None], p[None] * 2 + 1),
    'rotation_from_6d': lambda x, y, p, labels: rotation_from_6d(x[:, :6]),
    'rotation_from_vector': lambda x, y, p, labels: rotation_from_vector(x[:, :3]),
    'heteroscedastic_loss': lambda x, y, p, labels: heteroscedastic_loss(p[:, 0], x[:, 0]),
    'mean_over_valid': lambda x, y, p, labels: mean_over_valid(x, y > 0),
    'task_weights': lambda x, y, p, labels: task_weights(x[:, :3], 0.5, 1.0),
    'log_variance_gradient': lambda x, y, p, labels: log_variance_gradient(p, x[:, :3], 0.5, 1.0),
    'starting_log_variance': lambda x, y, p, labels: starting_log_variance(p, 0.5, 1.0),
}


def tensors_of(result: Any) -> list[Tensor]:
    return [result] if isinstance(result, Tensor) else list(result)


@pytest.fixture
def inputs() -> tuple[Tensor, ...]:
    labels = torch.arange(ROWS) % CLASSES
    centres = torch.randn(CLASSES, DIMS)[labels]
    new = centres + torch.randn(ROWS, DIMS)
    return new + 0.5 * torch.randn(ROWS, DIMS), new, torch.rand(ROWS, 3) + 0.1, labels


@pytest.mark.parametrize('name', FUNCTIONS)
def test_a_function_computes_on_the_device_what_it_computes_on_the_cpu(device, inputs, name):
    expected = tensors_of(FUNCTIONS[name](*inputs))
    found = tensors_of(FUNCTIONS[name](*(value.to(device) for value in inputs)))
    for value, other in zip(found, expected, strict=True):
        assert value.device == device and value.dtype == other.dtype
        # float32 without TF32, and indices without exception
        torch.testing.assert_close(value.cpu(), other, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize('distance', ['l2', 'cosine', 'inner'])
@pytest.mark.parametrize('kind', ['plain', 'tied', 'half', 'ids', 'groups'])
def test_every_rank_is_that_of_the_cpu(device, real, distance, kind):
    rows = 3000 if real else 200  # the CPU screens the large problem and sorts the small one
    labels = torch.randint(-1, 20, (rows,))
    embeddings = torch.randn(20, DIMS)[labels] + 2 * torch.randn(rows, DIMS)
    options = {}
    if kind == 'tied':
        embeddings = embeddings.round()
    elif kind == 'half':
        embeddings = embeddings.half()
    elif kind == 'ids':
        options = dict(query_ids=torch.arange(rows), gallery_ids=torch.arange(rows))
    elif kind == 'groups':
        cameras = torch.randint(4, (rows,))
        options = dict(query_groups=cameras, gallery_groups=cameras, exclude='all')
    there, here = [
        query_scores(values, values, classes, classes, distance=distance, topk=(1, 5), **options)
        for values, classes in ((embeddings.to(device), labels.to(device)), (embeddings, labels))
    ]
    for value, expected in zip(there, here, strict=True):
        assert value.device == device
        torch.testing.assert_close(value.cpu(), expected, rtol=0, atol=1e-12, equal_nan=True)


def test_the_metric_keeps_embeddings_on_the_device_if_it_is_told_to(device, inputs):
    old, new, _, labels = inputs
    scores = []
    for place, where in ((device, 'gpu'), (device, 'cpu'), (torch.device('cpu'), 'cpu')):
        metric = CompatibilityMetric(pairs=('old/old', 'new/new'), collect_device=where)
        samples = [
            dict(embeddings=dict(old=old[i].to(place), new=new[i].to(place)), gt_label=labels[i], sample_idx=i)
            for i in range(ROWS)
        ]
        metric.process({}, samples)
        scores.append(metric.evaluate(ROWS))
        assert metric.embeddings['old'].device == (place if where == 'gpu' else torch.device('cpu'))
    expected = pytest.approx(scores[2], abs=1e-12, nan_ok=True)
    assert scores[0] == expected and scores[1] == expected
