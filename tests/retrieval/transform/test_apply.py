"""Tests of transforms in files: what they compute, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mmfct.models.heads import TransformationHead
from mmfct.retrieval.gallery.provenance import ModelIdentity
from mmfct.retrieval.transform.apply import Transform
from mmfct.retrieval.transform.file import TransformDescription, read_transform, write_transform
from mmfct.utils.fingerprint import fingerprint_json

OLD, SIDE, NEW = (ModelIdentity(name, digit * 64) for name, digit in (('old', '0'), ('side', '1'), ('new', '2')))


def make_head(old=6, side=4, new=5, **options) -> TransformationHead:
    """A head that looks trained: BN with statistics and gains of its own."""
    head = TransformationHead(old, side, new, hidden_dims=8, **options)
    for module in head.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.3, 3)
            torch.nn.init.normal_(module.weight)
            torch.nn.init.normal_(module.bias)
    return head.eval()


def describe(head, **changes) -> TransformDescription:
    widths = dict(old_dims=head.old_dims, side_dims=head.side_dims, new_dims=head.new_dims)
    return TransformDescription(**(dict(old=OLD, new=NEW, side=SIDE, quality=dict(map=0.5)) | widths | changes))


@pytest.fixture
def head():
    return make_head()


@pytest.fixture
def path(head, tmp_path):
    path = tmp_path / 'sub' / 'h.safetensors'
    write_transform(path, head.state_dict(), describe(head))
    return path


def test_equals_the_head(head, path):
    old, side = torch.randn(7, 6), torch.randn(7, 4)
    transform = Transform(path)
    torch.testing.assert_close(transform(old, side), head(old, side), rtol=1e-5, atol=1e-5)
    assert not transform.predicts_uncertainty
    with pytest.raises(ValueError, match='must predict an uncertainty; train h with `with_uncertainty=True`'):
        transform.log_variance(torch.randn(7, 5))


def test_without_side_information_the_old_embedding_feeds_both_branches(tmp_path):
    head, old = make_head(side=6), torch.randn(3, 6)
    write_transform(tmp_path / 'h', head.state_dict(), describe(head, side=None))
    torch.testing.assert_close(Transform(tmp_path / 'h')(old), head(old, old), rtol=1e-5, atol=1e-5)


def test_uncertainty(tmp_path):
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


def test_the_file_describes_itself(head, path):
    description, weights, fingerprint = read_transform(path)
    assert description == describe(head) and len(fingerprint) == 64
    assert weights.keys() == {name for name in head.state_dict() if not name.endswith('num_batches_tracked')}
    assert Transform(path).to_json() == {
        'transform': fingerprint,
        'from': OLD.to_json(),
        'to': NEW.to_json(),
        'quality': dict(map=0.5),
    }


def test_writing_again_gives_the_same_file(head, path, tmp_path):
    write_transform(tmp_path / 'again', head.state_dict(), describe(head))
    assert (tmp_path / 'again').read_bytes() == path.read_bytes()


@pytest.mark.parametrize(('shapes', 'name'), [(((2, 5), (2, 4)), 'old'), (((2, 6), (2, 3)), 'side')])
def test_other_widths(path, shapes, name):
    with pytest.raises(ValueError, match=rf'`{name}` must have shape \(B, \d\), got \(2, \d\)'):
        Transform(path)(*(torch.zeros(shape) for shape in shapes))


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match='does not exist; make it with `tools/export_transform.py`'):
        Transform(tmp_path / 'h')


def test_weights_that_are_not_finite(head, tmp_path):
    state = head.state_dict()
    state['mixer.0.weight'][0, 0] = torch.nan
    with pytest.raises(ValueError, match=r"to write must have finite weights, got NaN .* \['mixer.0.weight'\]"):
        write_transform(tmp_path / 'h', state, describe(head))
    assert not (tmp_path / 'h').exists()


@pytest.mark.parametrize('damage', ['truncated', 'pickle', 'empty'])
def test_damaged_files(path, damage):
    content = path.read_bytes()
    if damage == 'pickle':
        torch.save(dict(a=torch.zeros(2)), path)
    else:
        path.write_bytes(content[: len(content) // 2] if damage == 'truncated' else b'')
    with pytest.raises(ValueError, match='cannot be read: it is truncated, damaged or no safetensors file'):
        Transform(path)


def test_a_flipped_bit(path):
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match='must match their fingerprint; export it again'):
        Transform(path)


def test_a_changed_header(path):
    content = path.read_bytes()
    assert content.count(b'0' * 64) == 1  # the fingerprint of the old model
    path.write_bytes(content.replace(b'0' * 64, b'3' + b'0' * 63))
    with pytest.raises(ValueError, match='header of transform .* must match its checksum; export it again'):
        Transform(path)


def test_another_safetensors_file(tmp_path):
    save_file(dict(a=torch.zeros(2)), tmp_path / 'h')
    with pytest.raises(ValueError, match='must be a transform of format version 1; make it with'):
        Transform(tmp_path / 'h')


def rewrite(path, **changes):
    """Change entries of the header."""
    from safetensors import safe_open

    with safe_open(path, framework='pt') as file:
        header = json.loads(file.metadata()['mmfct_transform'])
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    header = {name: value for name, value in {**header, **changes}.items() if value is not ...}
    del header['checksum']
    header['checksum'] = fingerprint_json(header)
    save_file(weights, path, metadata=dict(mmfct_transform=json.dumps(header)))


def test_header_of_other_widths(path):
    rewrite(path, new_dims=7)
    with pytest.raises(ValueError, match=r'must have the widths \[6, 4, 7\] that it names, got \[6, 4, 5\]'):
        Transform(path)


@pytest.mark.parametrize('changes', [dict(old=...), dict(extra=1), dict(new=dict(name='new', fingerprint='short'))])
def test_header_that_describes_nothing(path, changes):
    rewrite(path, **changes)
    with pytest.raises(ValueError, match='the header of transform .* must describe it, got'):
        Transform(path)


def test_weights_of_something_else(tmp_path, head):
    write_transform(tmp_path / 'h', {'fc.weight': torch.zeros(2, 2)}, describe(head))
    with pytest.raises(ValueError, match='must hold the layers of h, got'):
        Transform(tmp_path / 'h')


def test_numbers_in_the_header_may_be_null(head, tmp_path):
    write_transform(tmp_path / 'h', head.state_dict(), describe(head, quality=dict(map=None), backfill_seconds=0.5))
    description = read_transform(tmp_path / 'h')[0]
    assert description.quality == dict(map=None) and np.isclose(description.backfill_seconds, 0.5)


@pytest.mark.parametrize('device', [f'cuda:{torch.cuda.device_count()}', 'gpu'])
def test_a_device_that_is_not_there(path, device):
    with pytest.raises(ValueError, match=f'`device` must be one of this machine, got {device!r}'):
        Transform(path, device=device)
