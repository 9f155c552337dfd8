"""Labels under the predictions of many other images."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmfct.apis.find_corrupt_labels import references as module
from mmfct.apis.find_corrupt_labels.references import References
from mmfct.instances.comparison import Comparison


@pytest.mark.parametrize('cached', [0, 6, 2**18], ids=['one by one', 'two at once', 'all at once'])
@pytest.mark.parametrize(
    'classes',
    [
        [0, 1, 0, 2, 1, 0, 1],
        [0, 1, 0, 0, 0, 0, 0],  # of c.mp4#0, every other file has the class
        [0, 1, 2, 0, 0, 0, 0],  # c.mp4#0 is left with frames of its own clip
    ],
)
def test_frames_of_one_clip_and_images_of_one_class_are_not_compared(classes, cached, monkeypatch):
    monkeypatch.setattr(module, '_CACHED', cached)
    files = ['c.mp4#0', 'c.mp4#1', 'c.mp4#2', 'd.mp4#0', 'd.mp4#1', 'e.png', 'f.png']
    clips = ['c', 'c', 'c', 'd', 'd', 'e', 'f']
    scores = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))

    def loss(outputs, targets):
        return torch.nn.functional.cross_entropy(outputs, targets, reduction='none'), targets >= 0

    def part(rows):
        return Comparison(loss, scores[rows], torch.tensor(classes)[rows])

    references = References(SimpleNamespace(files=files, paths=files), 1)
    for rows in (np.arange(4), np.arange(4, 7)):
        references.add(0, rows, part(rows))
    found = np.concatenate([references.ranks(0, rows, part(rows)) for rows in (np.arange(2), np.arange(2, 7))])

    expected = np.full(7, np.nan)
    losses = -scores.log_softmax(1)[:, classes]  # of prediction k and label i
    for i in range(7):
        strangers = [k for k in range(7) if clips[k] != clips[i] and classes[k] != classes[i]]
        if strangers:
            expected[i] = np.mean([float(losses[k, i] < losses[i, i]) for k in strangers])
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.isnan(found[0]) == (classes[3:] == [0] * 4)


def test_files_with_a_number_sign_in_their_names_are_strangers(tmp_path):
    """`img#0.png` is no frame of a clip `img`; two annotations of one such file are of one."""
    files = ['img#0.png', 'img#1.png#0', 'img#1.png#1']
    paths = [str(tmp_path / f'img#{number}.png') for number in (0, 1, 1)]
    for path in paths:
        Path(path).touch()
    references = References(SimpleNamespace(files=files, paths=paths), 1)

    def loss(outputs, targets):
        return (outputs - targets).abs()[:, 0], targets[:, 0] >= 0

    outputs = torch.tensor([[0.0], [2.0], [5.0]])
    comparison = Comparison(loss, outputs, torch.tensor([[1.5], [2.0], [2.1]]))
    references.add(0, np.arange(3), comparison)
    assert references.ranks(0, np.arange(3), comparison).tolist() == [0.5, 0.0, 1.0]
