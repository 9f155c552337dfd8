"""Tests of transforms applied to embeddings."""

from __future__ import annotations

import pytest
import torch

from mmfct.retrieval.transform.apply import Transform
from mmfct.retrieval.transform.file import read_transform, write_transform


def test_equals_the_head(head, path):
    old, side = torch.randn(7, 6), torch.randn(7, 4)
    transform = Transform(path)
    torch.testing.assert_close(transform(old, side), head(old, side), rtol=1e-5, atol=1e-5)
    assert not transform.predicts_uncertainty
    with pytest.raises(ValueError, match='must predict an uncertainty; train h with `with_uncertainty=True`'):
        transform.log_variance(torch.randn(7, 5))


def test_without_side_information_the_old_embedding_feeds_both_branches(tmp_path, describe, make_head):
    head, old = make_head(side=6), torch.randn(3, 6)
    write_transform(tmp_path / 'h', head.state_dict(), describe(head, side=None))
    torch.testing.assert_close(Transform(tmp_path / 'h')(old), head(old, old), rtol=1e-5, atol=1e-5)


def test_uncertainty(tmp_path, describe, make_head):
    head = make_head(with_uncertainty=True)
    write_transform(tmp_path / 'h', head.state_dict(), describe(head))
    transform, upgraded = Transform(tmp_path / 'h'), torch.randn(3, 5)
    assert transform.predicts_uncertainty
    torch.testing.assert_close(transform.log_variance(upgraded), head.log_variance(upgraded))


@pytest.mark.parametrize(('dtype', 'error'), [(torch.bfloat16, 0.1), (torch.float16, 0.02)])
def test_half_precision_is_close(head, path, dtype, error):
    old, side = torch.randn(50, 6), torch.randn(50, 4)
    exact, half = Transform(path)(old, side), Transform(path, dtype=dtype)(old, side)
    assert half.dtype == torch.float32 and (half - exact).norm() < error * exact.norm()


def test_what_a_gallery_notes_about_the_upgrade(path):
    transform = Transform(path)
    assert transform.fingerprint == read_transform(path)[2]
    assert transform.to_json() == {
        'transform': transform.fingerprint,
        'from': dict(name='old', fingerprint='0' * 64),
        'to': dict(name='new', fingerprint='2' * 64),
        'quality': dict(map=0.5),
    }


@pytest.mark.parametrize(('shapes', 'name'), [(((2, 5), (2, 4)), 'old'), (((2, 6), (2, 3)), 'side')])
def test_other_widths(path, shapes, name):
    with pytest.raises(ValueError, match=rf'`{name}` must have shape \(B, \d\), got \(2, \d\)'):
        Transform(path)(*(torch.zeros(shape) for shape in shapes))


def test_header_of_other_widths(path, rewrite):
    rewrite(new_dims=7)
    with pytest.raises(ValueError, match='must have the width 7 that it names, got 5'):
        Transform(path)


def test_weights_of_something_else(tmp_path, head, describe):
    write_transform(tmp_path / 'h', {'fc.weight': torch.zeros(2, 2)}, describe(head))
    with pytest.raises(ValueError, match='must hold the layers of h, got'):
        Transform(tmp_path / 'h')


@pytest.mark.parametrize('device', [f'cuda:{torch.cuda.device_count()}', 'gpu'])
def test_a_device_that_is_not_there(path, device):
    with pytest.raises(ValueError, match=f'`device` must be one of this machine, got {device!r}'):
        Transform(path, device=device)
