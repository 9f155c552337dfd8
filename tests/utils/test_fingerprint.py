import hashlib
import io

import numpy as np
import pytest
import torch
from torch import nn

from mmfct.utils.fingerprint import canonical_json, fingerprint_json, fingerprint_state_dict, plain_json


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def test_state_dict_fingerprint_is_the_documented_hash():
    state = {'b': torch.tensor([1, 2]), 'a': torch.tensor([[0.5]])}
    stream = b'["a", "torch.float32", [1, 1]]\n' + np.float32(0.5).tobytes()
    stream += b'["b", "torch.int64", [2]]\n' + np.array([1, 2], np.int64).tobytes()
    assert fingerprint_state_dict(state) == hashlib.sha256(stream).hexdigest()


def test_state_dict_fingerprint_survives_saving_key_order_and_memory_layout():
    state = _network().state_dict()
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    again = torch.load(buffer, weights_only=True)
    transposed = {name: tensor.t().contiguous().t() for name, tensor in state.items()}
    expected = fingerprint_state_dict(state)
    assert fingerprint_state_dict(again) == expected
    assert fingerprint_state_dict(dict(reversed(state.items()))) == expected
    assert fingerprint_state_dict(transposed) == expected


def test_state_dict_fingerprint_ignores_the_batch_counter_only():
    network = _network()
    before = fingerprint_state_dict(network.state_dict())
    network[1].num_batches_tracked += 1
    assert fingerprint_state_dict(network.state_dict()) == before
    network[1].running_mean += 1
    assert fingerprint_state_dict(network.state_dict()) != before


def test_state_dict_fingerprint_sees_name_dtype_shape_and_every_value():
    tensor = torch.arange(6.0)
    changed = tensor.clone()
    changed[-1] = torch.nextafter(changed[-1], torch.tensor(9.0))
    states = [
        {'a': tensor},
        {'b': tensor},
        {'a': tensor.reshape(2, 3)},
        {'a': tensor.view(torch.int32)},
        {'a': tensor.bfloat16()},
        {'a': tensor.half()},
        {'a': changed},
        {'a': tensor[:0]},
        {'a': torch.tensor(0.0)},
        {'a': tensor, 'b': tensor[:0]},
    ]
    assert len({fingerprint_state_dict(state) for state in states}) == len(states)


def test_state_dict_fingerprint_refuses_a_checkpoint_that_holds_more():
    with pytest.raises(TypeError, match="must map names to tensors, got dict for 'meta'"):
        fingerprint_state_dict({'a': torch.zeros(1), 'meta': {}})


def test_json_fingerprint_ignores_key_order_and_the_kind_of_sequence():
    first = fingerprint_json({'a': (1, 2), 'b': None, 'c': [True, 'é']})
    assert first == fingerprint_json({'c': [True, 'é'], 'b': None, 'a': [1, 2]})
    assert len(first) == 64


def test_json_fingerprint_tells_values_apart():
    values = [1, 1.0, '1', True, [1], {'1': 1}, None, [[1]], [1, 1], '']
    assert len({fingerprint_json(value) for value in values}) == len(values)


def test_canonical_json_has_one_form():
    assert canonical_json({'b': [1.5, None], 'a': 'é'}) == '{"a":"\\u00e9","b":[1.5,null]}'


@pytest.mark.parametrize(
    ('value', 'message'),
    [
        (np.int64(1), '`value` must be made of .*, got int64'),
        ({'a': [1, {2}]}, r"`value\['a'\]\[1\]` must be made of .*, got set"),
        ({'a': {1: 2}}, r"keys of `value\['a'\]` must be strings, got 1"),
    ],
)
def test_json_fingerprint_refuses_what_is_not_json(value, message):
    with pytest.raises(TypeError, match=message):
        fingerprint_json(value)


def test_json_fingerprint_refuses_nan():
    with pytest.raises(ValueError, match=r'`value\[0\]` must be finite, got nan'):
        fingerprint_json([float('nan')])


def test_types_and_functions_of_a_config_have_their_names():
    # Their `repr` has an address in memory, and would differ in every process.
    plain = plain_json(dict(type=np.mean, values=(1, None), other=np.float32))
    assert plain == dict(type='numpy.mean', values=[1, None], other='numpy.float32')
    assert plain_json(range(2)) == 'range(0, 2)'
