"""Loading the weights of a checkpoint."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mmfct.utils.checkpoint import load_weights


def test_weights_are_loaded_also_those_of_a_wrapped_model():
    source, target = nn.Linear(2, 3), nn.Linear(2, 3)
    load_weights(target, {f'module.{name}': value for name, value in source.state_dict().items()}, 'a.pth')
    assert torch.equal(target.weight, source.weight)


def test_weights_of_another_model():
    with pytest.raises(ValueError, match=r"'a\.pth' is of another model: 1 of 2 weights are missing, such as 'bias'"):
        load_weights(nn.Linear(2, 3), dict(weight=torch.zeros(3, 2)), 'a.pth')
    with pytest.raises(ValueError, match=r"'a\.pth' is of another model: size mismatch for weight"):
        load_weights(nn.Linear(2, 3), nn.Linear(3, 3).state_dict(), 'a.pth')
