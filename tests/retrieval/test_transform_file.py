"""Tests of the file of a transform: what is read is what was written, or it is an error."""

from __future__ import annotations

import json
import pickle
import struct

import pytest
import torch
from safetensors import safe_open

from mmfct.retrieval.transform_file import read_transform, write_transform


class Trap:
    """Fails the test when it is unpickled."""

    def __reduce__(self):
        return pytest.fail, ('a transform was unpickled',)


def test_round_trip(make_transform, tmp_path):
    description, tensors = make_transform(with_uncertainty=True, training_data=dict(type='Digits'))
    counter = {'mixer.1.num_batches_tracked': torch.tensor(3)}
    write_transform(tmp_path / 'a/h.safetensors', description, tensors | counter)
    again, weights = read_transform(tmp_path / 'a/h.safetensors')
    assert again == description
    torch.testing.assert_close(weights, tensors, rtol=0, atol=0)


def test_any_safetensors_reader_opens_it(save_transform):
    with safe_open(save_transform(), framework='numpy') as file:
        description = json.loads(file.metadata()['description'])
        assert description['old_model']['name'] == 'v1' and description['widths'] == dict(old=6, side=4, new=5)
        assert file.get_tensor('mixer.6.bias').shape == (5,)


def test_equal_content_gives_equal_bytes(make_transform, tmp_path):
    description, tensors = make_transform()
    for name, weights in dict(a=tensors, b=dict(reversed(tensors.items()))).items():
        write_transform(tmp_path / f'{name}.safetensors', description, weights)
    assert (tmp_path / 'a.safetensors').read_bytes() == (tmp_path / 'b.safetensors').read_bytes()


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"must be the file of a transform, got '.*h.safetensors', which does"):
        read_transform(tmp_path / 'h.safetensors')


@pytest.mark.parametrize('keep', [0, 7, 8, 100, 0.5, -1])
def test_truncated_file(save_transform, keep):
    path = save_transform()
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if isinstance(keep, float) else keep])
    with pytest.raises(ValueError, match=r'v1_to_v2.safetensors must be a transform in safetensors format: .*; write'):
        read_transform(path)


def test_pickles_are_not_unpickled(tmp_path):
    torch.save(dict(state_dict=Trap()), tmp_path / 'torch.safetensors')
    (tmp_path / 'plain.safetensors').write_bytes(pickle.dumps(Trap()))
    for name in ('torch', 'plain'):
        with pytest.raises(ValueError, match='must be a transform in safetensors format'):
            read_transform(tmp_path / f'{name}.safetensors')


def test_every_flipped_bit_is_noticed(save_transform):
    path = save_transform(hidden=2)
    content = path.read_bytes()
    for position in range(0, len(content), 13):
        changed = bytearray(content)
        changed[position] ^= 4
        path.write_bytes(changed)
        with pytest.raises(ValueError, match='must'):
            read_transform(path)


def test_safetensors_of_something_else(tmp_path):
    from safetensors.torch import save_file

    save_file(dict(weight=torch.zeros(2)), tmp_path / 'h.safetensors')
    with pytest.raises(ValueError, match='must hold a description that matches its checksum; export'):
        read_transform(tmp_path / 'h.safetensors')


def test_changed_description(save_transform):
    path = save_transform()
    content = path.read_bytes()
    (size,) = struct.unpack('<Q', content[:8])
    header = content[8 : 8 + size]
    assert header.count(b'v1_to_v2') == 1
    path.write_bytes(content[:8] + header.replace(b'v1_to_v2', b'v1_to_v3') + content[8 + size :])
    with pytest.raises(ValueError, match='must hold a description that matches its checksum'):
        read_transform(path)


def spoil(tensors, value):
    return tensors | {'mixer.0.weight': tensors['mixer.0.weight'] * value}


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda t: spoil(t, float('nan')), "must be finite floats, got others in 'mixer.0.weight'"),
        (lambda t: spoil(t, float('inf')), "must be finite floats, got others in 'mixer.0.weight'"),
        (lambda t: {k: v.int() for k, v in t.items()}, 'must be finite floats, got others in '),
        (lambda t: spoil(t, 2), 'must match their fingerprint, got others'),
        (lambda t: t | {'mixer.6.bias': torch.zeros(6)}, r"1 others: 'mixer.6.bias' must have shape \(5,\), got \(6,"),
        (lambda t: t | {'extra': torch.zeros(6)}, r"1 others: 'extra' must have shape None, got \(6,\)"),
        (lambda t: {k: v for k, v in t.items() if k != 'mixer.6.bias'}, r'must have shape \(5,\), got None'),
    ],
)
def test_wrong_weights_are_neither_written_nor_read(make_transform, tmp_path, monkeypatch, change, message):
    description, tensors = make_transform()
    path = tmp_path / 'h.safetensors'
    with pytest.raises(ValueError, match=message):
        write_transform(path, description, change(tensors))
    assert not path.exists()
    with monkeypatch.context() as patch:
        patch.setattr('mmfct.retrieval.transform_file._check_tensors', lambda *_: None)
        write_transform(path, description, change(tensors))
    with pytest.raises(ValueError, match=message):
        read_transform(path)


def test_another_suffix(make_transform, tmp_path):
    with pytest.raises(ValueError, match=r"`path` must end in '.safetensors', got '.*h.pth'"):
        write_transform(tmp_path / 'h.pth', *make_transform())
