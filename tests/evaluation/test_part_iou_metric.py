"""Overlap of parts against a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmfct.evaluation import PartIoUMetric


def make_sample(target: torch.Tensor, prediction: torch.Tensor) -> dict:
    return dict(gt_sem_seg=dict(data=target[None]), pred_sem_seg=dict(data=prediction[None]), img_path='a.mp4#1')


def evaluate(samples: list[dict], **options) -> dict[str, float]:
    metric = PartIoUMetric(**options)
    metric.process(None, samples[:1])
    metric.process(None, samples[1:])
    return metric.evaluate(len(samples))


def test_scores_match_a_plain_loop():
    targets, predictions = torch.randint(5, (3, 6, 7)), torch.randint(5, (3, 6, 7))
    targets[targets == 3] = 2  # part 3 is in predictions only, part 4 in neither
    targets[targets == 4], predictions[predictions == 4] = 1, 2
    targets[0, 0] = 255
    samples = [make_sample(*pair) for pair in zip(targets, predictions, strict=True)]
    pairs = [(t, p) for t, p in zip(targets.ravel().tolist(), predictions.ravel().tolist(), strict=True) if t != 255]
    iou, accuracy = [], []
    for part in (1, 2, 3):
        both = sum(t == part and p == part for t, p in pairs)
        iou.append(both / sum(part in pair for pair in pairs))
        if part != 3:
            accuracy.append(both / sum(t == part for t, _ in pairs))
    assert evaluate(samples, num_classes=5) == {
        'parts/iou': pytest.approx(np.mean(iou)),
        'parts/pixel_accuracy': pytest.approx(np.mean([t == p for t, p in pairs])),
        'parts/part_accuracy': pytest.approx(np.mean(accuracy)),
    }


def test_the_background_counts_against_parts_but_has_no_score():
    target, prediction = torch.tensor([[0, 0, 1, 1]]), torch.tensor([[0, 1, 1, 0]])
    found = evaluate([make_sample(target, prediction)], num_classes=2)
    assert found['parts/iou'] == pytest.approx(1 / 3) and found['parts/pixel_accuracy'] == 0.5
    nobody = evaluate([make_sample(torch.zeros(2, 2, dtype=torch.long), torch.zeros(2, 2, dtype=torch.long))])
    assert nobody == {'parts/iou': 0, 'parts/pixel_accuracy': 1, 'parts/part_accuracy': 0}


@pytest.mark.parametrize(
    ('target', 'prediction', 'message'),
    [
        ([[0, 1]], [[0], [1]], r"`pred_sem_seg` must have the shape \(1, 2\) .*, got \(2, 1\) for 'a.mp4#1'"),
        ([[0, 15]], [[0, 1]], "classes must be from 0 to 14, got 0 to 15 for 'a.mp4#1'"),
        ([[0, 1]], [[0, -1]], 'classes must be from 0 to 14, got -1 to 1'),
    ],
)
def test_maps_that_do_not_fit_are_refused(target, prediction, message):
    with pytest.raises(ValueError, match=message):
        PartIoUMetric().process(None, [make_sample(torch.tensor(target), torch.tensor(prediction))])


def test_images_without_a_label_and_too_few_classes():
    with pytest.raises(ValueError, match='`gt_sem_seg` must have a label in at least one image, got none in 1 images'):
        evaluate([make_sample(torch.full((2, 2), 255), torch.zeros(2, 2, dtype=torch.long))])
    with pytest.raises(ValueError, match='`num_classes` must be at least 2, got 1'):
        PartIoUMetric(1)
