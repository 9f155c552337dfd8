"""Tests of transform files: what they keep, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mmfct.retrieval.transform.file import read_transform, write_transform


def test_the_file_describes_itself(head, path, describe):
    description, weights, fingerprint = read_transform(path)
    assert description == describe(head) and len(fingerprint) == 64
    assert weights.keys() == {name for name in head.state_dict() if not name.endswith('num_batches_tracked')}


def test_writing_again_gives_the_same_file(head, path, tmp_path, describe):
    write_transform(tmp_path / 'again', head.state_dict(), describe(head))
    assert (tmp_path / 'again').read_bytes() == path.read_bytes()


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match='does not exist; make it with `mmfct export`'):
        read_transform(tmp_path / 'h')


def test_weights_that_are_not_finite(head, tmp_path, describe):
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
        read_transform(path)


def test_a_flipped_bit(path):
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match='must match their fingerprint; export it again'):
        read_transform(path)


def test_a_changed_header(path):
    content = path.read_bytes()
    assert content.count(b'0' * 64) == 1  # the fingerprint of the old model
    path.write_bytes(content.replace(b'0' * 64, b'3' + b'0' * 63))
    with pytest.raises(ValueError, match='header of transform .* must match its checksum; export it again'):
        read_transform(path)


def test_another_safetensors_file(tmp_path):
    save_file(dict(a=torch.zeros(2)), tmp_path / 'h')
    with pytest.raises(ValueError, match='must be a transform of format version 1 or 2; make it with'):
        read_transform(tmp_path / 'h')


@pytest.mark.parametrize('changes', [dict(old=...), dict(extra=1), dict(new=dict(name='new', fingerprint='short'))])
def test_header_that_describes_nothing(path, changes, rewrite):
    rewrite(**changes)
    with pytest.raises(ValueError, match='the header of transform .* must describe it, got'):
        read_transform(path)


def test_numbers_in_the_header_may_be_null(head, tmp_path, describe):
    write_transform(tmp_path / 'h', head.state_dict(), describe(head, quality=dict(map=None), backfill_seconds=0.5))
    description = read_transform(tmp_path / 'h')[0]
    assert description.quality == dict(map=None) and np.isclose(description.backfill_seconds, 0.5)
