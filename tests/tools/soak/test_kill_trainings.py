"""The script that kills trainings, on a stand-in for a training; tests/test_life_cycle.py kills a real one."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
import torch

SCRIPT = Path(__file__).parents[3] / 'tools/soak/kill_trainings.py'
# Takes a second or, if its folder says that it was killed before, no time.
TRAINING = """
import json, pathlib, shutil, sys, time
folder = pathlib.Path(next(word for word in sys.argv if word.startswith('work_root=')).partition('=')[2])
begun = folder / 'begun'
if not begun.exists():
    begun.touch()
    time.sleep(1)
(folder / 'stage').mkdir(exist_ok=True)
(folder / 'stage/compatibility.json').write_text(json.dumps(dict(map=0.5, nan=RESUMED)))
if 'fail' in sys.argv:
    sys.exit(3)
"""


@pytest.fixture
def soak() -> ModuleType:
    spec = importlib.util.spec_from_file_location('kill_trainings', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(soak, tmp_path, monkeypatch, capsys):
    """Function that kills a training whose result is the given expression, and returns status and output."""

    def kill(result: str, *words: str) -> tuple[int, str]:
        (tmp_path / 'train.py').write_text(TRAINING.replace('RESUMED', result))
        monkeypatch.setattr(soak, 'TRAIN', tmp_path / 'train.py')
        status = soak.main(['config.py', '--kills', '1', '--folder', str(tmp_path / 'soak'), *words])
        return status, capsys.readouterr().out

    return kill


def test_it_says_that_a_killed_training_came_to_the_same(run):
    status, output = run('1')
    assert status == 0 and '1 kills; after ' in output and '(-9): the same weights and metrics' in output
    assert output.endswith('0 life cycles differ\n')


def test_it_says_what_differs(run):
    status, output = run("len(list(folder.glob('log.txt'))) * time.time()", '--signal', 'TERM')
    assert status == 1 and '(-15): stage/compatibility.json' in output


def test_a_training_that_fails_by_itself_ends_the_script(run):
    assert run('1', '--cfg-options', 'fail')[0] == 1


def test_weights_are_compared_to_the_bit(soak, tmp_path):
    weights = torch.linspace(0, 1, 5)
    for name, value in dict(a=weights, b=weights.clone(), c=torch.nextafter(weights, weights + 1)).items():
        (tmp_path / name / 'stage').mkdir(parents=True)
        torch.save(dict(state_dict=dict(weight=value)), tmp_path / name / 'stage/final.pth')
    assert soak.differences(tmp_path / 'b', tmp_path / 'a') == []
    assert soak.differences(tmp_path / 'c', tmp_path / 'a') == ['stage/final.pth']
    (tmp_path / 'a/stage/compatibility.json').write_text(json.dumps(dict(map=1)))
    assert soak.differences(tmp_path / 'b', tmp_path / 'a') == ['stage/compatibility.json']
