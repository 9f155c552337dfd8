"""The pretended GPU has the rules of torch's own fake tensors, and goes where these stop."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F

from .pretended_cuda import pretended_cuda

# Functions of tensors (3, 3) on the GPU (g) and on the CPU (c).
CALLS = {
    'add': lambda g, c: g + c,
    'add_number': lambda g, c: g + 1.5,
    'add_scalar': lambda g, c: g + c.sum(),
    'add_gpu_scalar': lambda g, c: g.sum() + c,
    'add_in_place': lambda g, c: g.add_(c),
    'matmul': lambda g, c: g @ c,
    'cat': lambda g, c: torch.cat([g, c]),
    'stack': lambda g, c: torch.stack([g, c]),
    'stack_scalars': lambda g, c: torch.stack([g.sum(), c.sum()]),
    'where': lambda g, c: torch.where(g > 0, g, c),
    'where_scalar': lambda g, c: torch.where(g > 0, g, torch.tensor(1.0)),
    'linear': lambda g, c: F.linear(g, c),
    'cross_entropy': lambda g, c: F.cross_entropy(g, torch.zeros(3, dtype=torch.long)),
    'index_by_cpu': lambda g, c: g[torch.zeros(3, dtype=torch.long)],
    'index_of_cpu': lambda g, c: c[torch.zeros(3, dtype=torch.long, device=g.device)],
    'fill_by_indices': lambda g, c: g.__setitem__(torch.zeros(2, dtype=torch.long, device=g.device), c[:2]),
    'index_select': lambda g, c: g.index_select(0, torch.zeros(3, dtype=torch.long)),
    'gather': lambda g, c: g.gather(0, torch.zeros(3, 3, dtype=torch.long)),
    'copy': lambda g, c: g.copy_(c),
    'fill_a_slice': lambda g, c: g[:2].copy_(c[:2]),
    'move': lambda g, c: g + c.to(g.device),
    'move_like': lambda g, c: g + c.to(g),
    'as_tensor': lambda g, c: g + torch.as_tensor(c, device=g.device),
    'move_back': lambda g, c: g.cpu() + c,
    'type_as': lambda g, c: g + c.type_as(g),
    'new_zeros': lambda g, c: g + g.new_zeros(3),
    'zeros_like': lambda g, c: g + torch.zeros_like(g),
    'zeros': lambda g, c: g + torch.zeros(3),
    'zeros_there': lambda g, c: g + torch.zeros(3, device=g.device),
    'view': lambda g, c: g.view(9)[:3] + c[0],
    'parameter': lambda g, c: nn.Parameter(g) + c,
    'detached': lambda g, c: g.detach() + c,
    'batch_norm': lambda g, c: F.batch_norm(g, c[0], c[1]),
    'half': lambda g, c: g.half() + c.half(),
}
# Refused by a GPU, and overlooked by fake tensors.
STRICTER = {'index_of_cpu', 'stack_scalars'}


def refuses(call, g: torch.Tensor, c: torch.Tensor) -> bool:
    try:
        call(g, c)
    except RuntimeError as error:
        assert 'device' in str(error)
        return True
    return False


@pytest.mark.parametrize('name', CALLS)
def test_it_refuses_what_fake_tensors_refuse(name):
    with FakeTensorMode():
        expected = refuses(CALLS[name], torch.rand(3, 3, device='cuda'), torch.rand(3, 3))
    with pretended_cuda():
        assert refuses(CALLS[name], torch.rand(3, 3, device='cuda'), torch.rand(3, 3)) == (
            expected or name in STRICTER
        )


@pytest.mark.parametrize('name', CALLS)
def test_results_lie_where_those_of_fake_tensors_lie(name):
    places = []
    for mode in (FakeTensorMode(), pretended_cuda()):
        with mode:
            g, c = torch.rand(3, 3, device='cuda'), torch.rand(3, 3)
            if refuses(CALLS[name], g, c):
                return
            places.append(CALLS[name](g, c).device)
    assert places[0] == places[1]


def test_a_training_step_is_that_of_the_cpu_and_a_forgotten_tensor_is_found():
    def train(device: str, forgotten: bool = False) -> nn.Module:
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)).to(device)
        optimizer = torch.optim.Adam(network.parameters())
        weight = torch.ones(2, device='cpu' if forgotten else device)
        for _ in range(2):
            optimizer.zero_grad()
            F.cross_entropy(network(torch.rand(5, 3).to(device)), torch.ones(5).long().to(device), weight).backward()
            assert all(value.grad.device == value.device for value in network.parameters())
            optimizer.step()
        return copy.deepcopy(network)

    expected = train('cpu')
    with pretended_cuda():
        network = train('cuda')
        assert {value.device for value in network.state_dict().values()} == {torch.device('cuda', 0)}
        for name, value in network.state_dict().items():
            assert torch.equal(value.cpu(), expected.state_dict()[name])
        with pytest.raises(RuntimeError, match='Expected all tensors to be on the same device'):
            train('cuda', forgotten=True)


def test_values_can_be_read_and_arrays_only_on_the_cpu():
    with pretended_cuda():
        tensor = torch.arange(3.0, device='cuda')
        assert tensor.sum().item() == 3 and tensor.tolist() == [0, 1, 2] and bool(tensor[1] == 1)
        assert tensor.cpu().numpy().tolist() == [0, 1, 2]
        for convert in (np.asarray, torch.Tensor.numpy):
            with pytest.raises(TypeError, match="can't convert cuda:0 device type tensor to numpy"):
                convert(tensor)


def test_moving_copies_and_staying_does_not():
    with pretended_cuda():
        tensor = torch.zeros(2)
        assert tensor.to('cpu') is tensor and tensor.cpu() is tensor
        moved = tensor.to('cuda')
        assert moved.to('cuda') is moved and moved.cuda() is moved
        moved.add_(1)
        assert tensor.tolist() == [0, 0]


def test_generators_and_devices_that_are_not_there_are_refused():
    with pretended_cuda():
        with pytest.raises(RuntimeError, match="Expected a 'cuda' device type for generator"):
            torch.randn(3, device='cuda', generator=torch.Generator())
        with pytest.raises(RuntimeError, match='invalid device ordinal 1'):
            torch.zeros(3, device='cuda:1')


def test_nothing_is_left_of_it():
    before = torch.cuda.is_available()
    with pretended_cuda():
        assert torch.cuda.is_available() and torch.zeros(2, device='cuda').is_cuda
    assert torch.cuda.is_available() == before and torch.load.__module__ == 'torch.serialization'
