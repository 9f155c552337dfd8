"""Tests of putting rows together; those on two ranks are in `hooks/test_instance_task_weight_hook_ranks.py`."""

from __future__ import annotations

import pytest
import torch

from mmfct.utils import distributed as module
from mmfct.utils.distributed import gather_parts, gather_rows


def test_one_process_keeps_its_rows():
    rows = torch.rand(3, 2)
    assert gather_rows(rows) is rows
    assert gather_parts(rows)[0] is rows


@pytest.mark.parametrize('rank', [0, 1, 2])
def test_ranks_of_different_numbers_of_rows(monkeypatch, rank):
    parts = [torch.rand(3, 2), torch.rand(0, 2), torch.rand(1, 2)]
    sent = []

    def all_gather(value: torch.Tensor) -> list[torch.Tensor]:
        sent.append(value)
        if len(sent) == 1:
            return [torch.tensor([len(part)]) for part in parts]
        padded = [torch.cat([part, torch.full((3 - len(part), 2), -1.0)]) for part in parts]
        assert value.shape == (3, 2) and torch.equal(value[: len(parts[rank])], parts[rank])
        return padded

    monkeypatch.setattr(module, 'get_world_size', lambda: 3)
    monkeypatch.setattr(module, 'all_gather', all_gather)
    assert torch.equal(gather_rows(parts[rank]), torch.cat(parts))
    assert sent[0].tolist() == [len(parts[rank])]
    sent.clear()
    assert all(map(torch.equal, gather_parts(parts[rank]), parts))
