"""What a training shows on the console."""

from __future__ import annotations

import logging
import types

import pytest
import torch
from mmengine.logging import print_log
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmfct.engine.quiet_runner import QuietRunner, quieten


class Line(BaseModel):
    """Learns a number; says something as a module of a user's own would."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs, mode='tensor'):
        return dict(loss=(self.weight - inputs).square().mean())

    def val_step(self, data):
        print_log('of the user', 'current')
        return [0]


class Metric:
    dataset_meta = None

    def process(self, data_samples, data_batch):
        pass

    def evaluate(self, size):
        return dict(score=0.5)


def run(kind: type, folder, *, epochs: int = 40, validate: bool = False, **options) -> Runner:
    loader = DataLoader([dict(inputs=torch.ones(1))] * 4, batch_size=2)
    options = dict(
        model=Line(),
        work_dir=str(folder),
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(logger=dict(type='LoggerHook', interval=1)),
        **options,
    )
    if validate:
        options |= dict(val_dataloader=loader, val_cfg=dict(), val_evaluator=[Metric()])
    runner = kind(**options)
    runner.train()
    return runner


def logged(folder) -> str:
    (file,) = folder.rglob('*.log')
    return file.read_text()


def test_a_dozen_lines_on_the_console_and_everything_in_the_file(tmp_path, capsys):
    run(QuietRunner, tmp_path)
    lines = capsys.readouterr().out.splitlines()
    progress = [line for line in lines if 'Epoch(train)' in line]
    assert 10 <= len(lines) <= 12 and len(progress) in (10, 11)
    assert '[40][2/2]' in progress[-1] and 'loss: ' in progress[-1]
    text = logged(tmp_path)
    assert text.count('Epoch(train)') == 80 and 'System environment' in text and 'Hooks will be executed' in text


@pytest.mark.parametrize('epochs', [1, 3])
def test_a_short_training_shows_its_epochs(tmp_path, capsys, epochs):
    run(QuietRunner, tmp_path, epochs=epochs)
    assert capsys.readouterr().out.count('Epoch(train)') == 2 * epochs


def test_validations_and_messages_of_others_are_shown(tmp_path, capsys):
    run(QuietRunner, tmp_path, epochs=20, validate=True)
    output = capsys.readouterr().out
    assert 8 <= output.count('score: 0.5000') <= 11 and output.count('Epoch(val)') == output.count('score: 0.5000')
    assert 'of the user' in output
    assert logged(tmp_path).count('score: 0.5000') == 20


@pytest.mark.parametrize(
    ('module', 'level', 'text', 'shown'),
    [
        ('mmengine.runner.runner', logging.INFO, 'a table', False),
        ('mmpretrain.models', logging.INFO, 'a table', False),
        ('mmpretrain.models', logging.WARNING, 'sizes differ', True),
        ('mmengine.fileio', logging.WARNING, 'it will be deprecated', False),
        ('mmfct.apis', logging.INFO, 'a report', True),
        ('mmenginelike', logging.INFO, 'of others', True),
        ('mmseg.apis', logging.ERROR, 'failed', True),
    ],
)
def test_who_is_heard(tmp_path, capsys, module, level, text, shown):
    runner = QuietRunner(Line(), str(tmp_path))
    capsys.readouterr()
    speaker = types.ModuleType(module)
    exec('def speak(logger, level, text):\n    logger.log(level, text)\n', vars(speaker))
    speaker.speak(runner.logger, level, text)
    assert (text in capsys.readouterr().out) == shown
    assert text in logged(tmp_path)


def test_debugging_shows_everything(tmp_path, capsys):
    run(QuietRunner, tmp_path / 'debug', epochs=1, log_level='DEBUG')
    assert 'System environment' in capsys.readouterr().out
    runner = Runner(Line(), str(tmp_path / 'plain'))
    quieten(runner.logger, runner)  # of another type of Runner, once it is built
    capsys.readouterr()
    runner.logger.info('of a test')
    assert 'of a test' in capsys.readouterr().out


def test_trainings_that_start_in_one_second_share_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr('mmengine.runner.runner.time.time', lambda: 1e9)
    first, second = (run(QuietRunner, tmp_path / name, epochs=1, experiment_name='one') for name in ('a', 'b'))
    for runner, name in ((first, 'a'), (second, 'b')):
        assert len(list((tmp_path / name).glob('*/vis_data/scalars.json'))) == 1
        assert runner.visualizer.get_backend('LocalVisBackend')._save_dir.startswith(str(tmp_path / name))
    for part in ('logger', 'message_hub', 'visualizer', 'experiment_name', 'timestamp'):
        assert getattr(first, part) is not getattr(second, part), part
    again = run(QuietRunner, tmp_path / 'a', epochs=1, experiment_name='one')
    assert again.log_dir != first.log_dir
