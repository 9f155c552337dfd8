"""Test a checkpoint of a config."""

from __future__ import annotations

import copy
from typing import Any

import mmengine
from mmengine.config import Config, ConfigDict
from mmengine.dist import is_main_process
from mmengine.evaluator import DumpResults
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from torch import Tensor, nn

from mmfct.apis.checks import check_data
from mmfct.apis.report import write_compatibility_report
from mmfct.apis.training_options import TrainingOptions
from mmfct.engine.launch import init_launcher
from mmfct.models.checkpoint import load_state_dict


def test(
    filename: str,
    checkpoint: str,
    options: TrainingOptions | None = None,
    *,
    out: str | None = None,
    out_item: str = 'pred',
    show_dir: str | None = None,
    tta: bool = False,
) -> dict[str, float]:
    """Test a checkpoint on the test set of a config.

    Args:
        filename: Config file.
        checkpoint: Checkpoint of its model; read with ``weights_only`` first, so that a file with code is refused.
        options: Options of the command line that also hold for a test.
        out: File for the predictions (``.pkl``) or the metrics (``.json``), see ``out_item``.
        out_item: ``'pred'`` or ``'metrics'``.
        show_dir: Folder for pictures of the predictions, where the config has a ``visualization`` hook.
        tta: Test with the ``tta_model`` and ``tta_pipeline`` of the config, or with flips for a classifier.

    Returns:
        The metrics.

    Raises:
        FileNotFoundError: If the config or the checkpoint is missing.
        ValueError: If the checkpoint is unreadable or of another model, or the config has no test set, or lacks what
            ``show_dir`` or ``tta`` needs.
    """
    options = options or TrainingOptions()
    init_launcher(options.launcher)
    config = options.load(filename)
    if config.get('test_dataloader') is None:
        raise ValueError(f'config {filename!r} has no `test_dataloader`, so there is nothing to test on')
    check_data(config, ['test_dataloader'])
    state_dict = load_state_dict(checkpoint)
    config.load_from, config.resume = checkpoint, False
    if show_dir is not None:
        if 'visualization' not in config.default_hooks:
            raise ValueError('`--show-dir` needs `default_hooks.visualization` in the config')
        config.default_hooks.visualization.update(enable=True, out_dir=show_dir)
    if tta:
        _use_test_time_augmentation(config)
    runner = RUNNERS.build(config) if 'runner_type' in config else Runner.from_cfg(config)
    _check_weights(runner.model, state_dict, checkpoint)
    if out is not None and out_item == 'pred':
        runner.test_evaluator.metrics.append(DumpResults(out_file_path=out))
    metrics = runner.test()
    if out is not None and out_item == 'metrics' and is_main_process():
        mmengine.dump(metrics, out)
    write_compatibility_report(metrics, runner.test_evaluator.metrics, config.work_dir)
    return metrics


def _check_weights(model: nn.Module, state_dict: dict[str, Tensor], checkpoint: str) -> None:
    """Refuse a checkpoint of another model; mmengine would log it and test what is left at its random start."""
    inner: Any = model
    while is_model_wrapper(inner) or isinstance(inner, BaseTTAModel):
        inner = inner.module
    state_dict = {name.removeprefix('module.'): value for name, value in state_dict.items()}  # as mmengine does
    try:
        missing = inner.load_state_dict(state_dict, strict=False).missing_keys
    except RuntimeError as error:
        raise ValueError(
            f'checkpoint {checkpoint!r} is of another model: {str(error).splitlines()[1].strip()}'
        ) from None
    if missing:
        total = len(inner.state_dict())
        raise ValueError(
            f'checkpoint {checkpoint!r} is of another model: {len(missing)} of {total} weights are missing, '
            f'such as {missing[0]!r}'
        )


def _use_test_time_augmentation(config: Config) -> None:
    """Wrap the model for test-time augmentation as mmpretrain's tool does, in place."""
    pipeline = config.test_dataloader.dataset.get('pipeline')
    if not pipeline:
        raise ValueError('`--tta` needs `test_dataloader.dataset.pipeline` in the config; there is none to augment')
    if 'tta_pipeline' not in config:
        flips = [dict(type='RandomFlip', prob=1.0), dict(type='RandomFlip', prob=0.0)]
        config.tta_pipeline = copy.deepcopy(pipeline)
        config.tta_pipeline[-1] = dict(type='TestTimeAug', transforms=[flips, [pipeline[-1]]])
    tta_model = config.get('tta_model', dict(type='mmpretrain.AverageClsScoreTTA'))
    config.model = ConfigDict(**tta_model, module=config.model)
    config.test_dataloader.dataset.pipeline = config.tta_pipeline
