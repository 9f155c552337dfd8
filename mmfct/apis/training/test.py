"""Test a checkpoint of a config."""

from __future__ import annotations

import copy
from pathlib import Path

import mmengine
from mmengine.config import Config, ConfigDict
from mmengine.dist import is_main_process
from mmengine.evaluator import DumpResults

from mmfct.apis.training.checks import check_data
from mmfct.apis.training.options import TrainingOptions
from mmfct.apis.training.record import FINAL_CHECKPOINT
from mmfct.apis.training.report import write_report
from mmfct.apis.training.train import add_hooks, build_runner
from mmfct.engine.hooks.annotation_hook import AnnotationHook
from mmfct.utils.checkpoint import (
    ENTRY_SEPARATOR,
    TORCHSCRIPT_SCHEME,
    checkpoint_file,
    load_state_dict,
    load_weights,
    only_weights,
)
from mmfct.utils.dataset_configs import type_name
from mmfct.utils.launch import init_launcher
from mmfct.utils.torchscript import is_torchscript

# What merges the predictions of an image where the config does not say, by host, and of a model of several tasks.
_TTA_MODELS = dict(mmpretrain=dict(type='mmpretrain.AverageClsScoreTTA'), mmseg=dict(type='mmseg.SegTTAModel'))
_MULTI_TASK_TTA_MODEL = dict(type='mmfct.MultiTaskTTAModel')


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
    """Test a checkpoint on the test set of a config, and write the report.

    It goes into the work directory, or into its folder ``test_<name of the checkpoint>`` if the work directory has a
    ``final.pth`` and another checkpoint is tested.

    Args:
        filename: Config file.
        checkpoint: Checkpoint of its model, or ``FILE::ENTRY`` for other weights in it, such as an average. Read with
            ``weights_only`` first: a file with code is refused.
        options: Options of the command line.
        out: File for the predictions (``.pkl``) or the metrics (``.json``), see ``out_item``.
        out_item: ``'pred'`` or ``'metrics'``.
        show_dir: Folder for pictures of the predictions; needs a ``visualization`` hook in the config.
        tta: Use test-time augmentation: ``tta_model`` and ``tta_pipeline`` of the config. A segmentor of mmseg and a
            `MultiTaskSegmentor` need only the pipeline, a classifier of mmpretrain neither: its default is flips.

    Returns:
        The metrics.

    Raises:
        FileNotFoundError: If the config or the checkpoint is missing.
        ValueError: If the checkpoint is unreadable or of another model, the config has no test set, or it lacks an
            entry that ``show_dir`` or ``tta`` needs.
    """
    options = options or TrainingOptions()
    init_launcher(options.launcher)
    config = options.load(filename)
    if config.get('test_dataloader') is None:
        raise ValueError(f'config {filename!r} has no `test_dataloader`, so there is nothing to test on')
    check_data(config, ['test_dataloader'])
    state_dict = load_state_dict(checkpoint)
    # The Runner reads the file again, for its hooks.
    file = checkpoint_file(checkpoint)
    as_it_is = file == Path(checkpoint) and not is_torchscript(checkpoint)
    config.load_from = checkpoint if as_it_is else f'{TORCHSCRIPT_SCHEME}{checkpoint}'
    config.resume = False
    if show_dir is not None:
        if 'visualization' not in config.default_hooks:
            raise ValueError('`--show-dir` needs `default_hooks.visualization` in the config')
        config.default_hooks.visualization.update(enable=True, out_dir=show_dir)
    if tta:
        _use_test_time_augmentation(config)
    runner = build_runner(config)
    add_hooks(runner, AnnotationHook)
    load_weights(runner.model, state_dict, checkpoint)
    if out is not None and out_item == 'pred':
        runner.test_evaluator.metrics.append(DumpResults(out_file_path=out))
    with only_weights():
        metrics = runner.test()
    if out is not None and out_item == 'metrics' and is_main_process():
        mmengine.dump(metrics, out)
    folder = Path(config.work_dir)
    final = folder / FINAL_CHECKPOINT
    if final.is_file() and not (file == Path(checkpoint) and final.samefile(file)):
        # Keep the report of the final weights.
        folder = folder / f'test_{file.stem}{checkpoint.removeprefix(str(file)).replace(ENTRY_SEPARATOR, "_")}'
    write_report(metrics, runner.test_evaluator.metrics, folder)
    return metrics


def _use_test_time_augmentation(config: Config) -> None:
    """Wrap the model for test-time augmentation as the tool of its host does, in place."""
    pipeline = config.test_dataloader.dataset.get('pipeline')
    if not pipeline:
        raise ValueError('`--tta` needs `test_dataloader.dataset.pipeline` in the config; there is none to augment')
    scope = config.get('default_scope')
    several_tasks = type_name(config.model) == 'MultiTaskSegmentor'
    default = _MULTI_TASK_TTA_MODEL if several_tasks else _TTA_MODELS.get(scope)
    tta_model = config.get('tta_model') or default
    if tta_model is None:
        raise ValueError(
            '`--tta` needs `tta_model` in the config, which merges the predictions of an image, got none and '
            f'`default_scope` {scope!r}; there are defaults for {sorted(_TTA_MODELS)}'
        )
    if several_tasks and type_name(tta_model) == 'SegTTAModel':
        raise ValueError(
            "`tta_model` of the config must merge the predictions of every task, got mmseg's SegTTAModel, which "
            'merges those of one segmentation; leave it out'
        )
    if 'tta_pipeline' not in config:
        if scope != 'mmpretrain':
            raise ValueError(
                '`--tta` needs `tta_pipeline` in the config, got none; only a classifier of mmpretrain has a default, '
                f'and `default_scope` is {scope!r}'
            )
        flips = [dict(type='RandomFlip', prob=1.0), dict(type='RandomFlip', prob=0.0)]
        config.tta_pipeline = copy.deepcopy(pipeline)
        config.tta_pipeline[-1] = dict(type='TestTimeAug', transforms=[flips, [pipeline[-1]]])
    config.model = ConfigDict(**tta_model, module=config.model)
    config.test_dataloader.dataset.pipeline = config.tta_pipeline
