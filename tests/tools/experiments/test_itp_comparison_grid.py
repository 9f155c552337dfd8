"""The measurement of the grid on which maps are compared, on scenes so small that its numbers mean nothing."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from renderers.street_scenes import render_street_scenes

from mmfct.functional.label_agreement import contrasts
from mmfct.registry import MODELS


def test_from_the_command_to_the_table(tool, monkeypatch, tmp_path, capsys, plain_config_text):
    def render(script, folder, *words):
        assert words == ('--num', '6', '--num-val', '1', '--size', '32', '160')
        render_street_scenes(folder / 'data', num_train=6, num_val=1, seed=0, size=(32, 160))
        return str(folder / 'data')

    monkeypatch.setattr(tool.itp_runs, 'render', render)
    words = ['--num', '6', '--size', '32', '160', '--epochs', '1', '--rate', '0.5', '--batch-size', '3']
    monkeypatch.setattr(sys, 'argv', ['itp_comparison_grid.py', '--folder', str(tmp_path), *words])
    tool.main()
    lines = capsys.readouterr().out.splitlines()
    rows = {cells[1].strip(): list(map(float, cells[2:-1])) for cells in (line.split('|') for line in lines[-2:])}
    assert rows.keys() == {'depth', 'seg'}
    for correlation, *areas, grid, full in rows.values():
        assert 0.5 < correlation <= 1 and all(0 <= area <= 1 for area in areas) and grid > 0 and full > 0


def test_both_ways_compare_the_same_labels(tool):
    head = dict(type='mmseg.FCNHead', in_channels=4, channels=4, num_convs=0, concat_input=False, num_classes=1)
    task = MODELS.build(dict(type='mmfct.DepthTask', head=head))
    output, targets = torch.rand(4, 1, 3, 90), torch.rand(4, 1, 3, 90) + 0.1
    found = {way: values for way, values, _ in tool.contrasts_of(task, output, targets)}
    own = (output - targets).abs().mean((1, 2, 3))
    others = torch.stack([(output.roll(-k, 0) - targets).abs().mean((1, 2, 3)) for k in (1, 2, 3)])
    assert found['all'] == pytest.approx(contrasts(own[:, None], others[..., None])[:, 0].tolist(), rel=1e-4)
    assert found['grid'] != found['all'] and np.abs(np.subtract(found['grid'], found['all'])).max() < 0.2
