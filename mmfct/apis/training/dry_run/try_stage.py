"""Try everything that a stage does, a little of each."""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmfct.apis.training.checks import check_data
from mmfct.apis.training.dry_run.data import Data, describe_empty, look_at_data
from mmfct.apis.training.dry_run.disk import check_folder, checkpoint_bytes
from mmfct.apis.training.dry_run.evaluation import count_validations, evaluate_batch
from mmfct.apis.training.dry_run.ranks import Ranks
from mmfct.apis.training.dry_run.sample_table import SampleTable
from mmfct.apis.training.dry_run.schedules import step_schedulers
from mmfct.apis.training.dry_run.seconds import per_batch
from mmfct.apis.training.dry_run.stage import Cost, Stage
from mmfct.apis.training.dry_run.stand_ins import LOADERS, confined, with_stand_ins
from mmfct.apis.training.dry_run.steps import Steps, take_steps
from mmfct.apis.training.first_image import try_first_image
from mmfct.apis.training.learning_rate import scale_learning_rate
from mmfct.apis.training.record import FINAL_CHECKPOINT, TrainingRecord
from mmfct.apis.training.schedule import check_schedule
from mmfct.apis.training.train import add_hooks, build_runner, check_batches
from mmfct.engine.hooks.annotation_hook import AnnotationHook
from mmfct.engine.hooks.data_epoch_hook import DataEpochHook
from mmfct.instances.positions import walk_data_sets

_MODES = ('val', 'test')


def try_stage(stage: Stage, config: Config, folder: Path, stand_ins: Mapping[str, str], ranks: Ranks) -> None:
    """Try a stage part by part, note in it what fails, and leave weights of its model as ``final.pth``.

    What depends on a part that has failed is left out.

    Args:
        stage: The stage.
        config: Its config.
        folder: A temporary folder.
        stand_ins: Files to read in place of checkpoints that earlier stages have not made yet.
        ranks: Ranks of the job.
    """
    given = with_stand_ins(config, stand_ins)
    confined_config = confined(given, folder)
    data: dict[str, Data] = {}
    for loader in (loader for loader in LOADERS if config.get(loader) is not None):
        with stage.part(loader, ranks):
            check_data(config, [loader])
            data[loader] = found = look_at_data(confined_config, loader)
            stage.notes.append(f'{loader}: {found}')
            if found.empty:
                stage.warnings.append(describe_empty(found, loader))
    with stage.part('work_dir', ranks):
        check_folder(Path(config.work_dir))
        record = TrainingRecord(config.work_dir, config)
        if config.resume:
            record.check()
        elif (record.folder / FINAL_CHECKPOINT).is_file():
            stage.warnings.append(f'{config.work_dir} holds a finished training, which this one replaces')
    with stage.part('schedule', ranks):
        check_schedule(given)
    for mode in _MODES:
        if f'{mode}_dataloader' in stage.failures:
            for entry in ('dataloader', 'cfg', 'evaluator'):
                confined_config[f'{mode}_{entry}'] = None
    runner: Any = None
    with stage.part('model', ranks):
        runner = build_runner(scale_learning_rate(confined_config))
        add_hooks(runner, AnnotationHook, DataEpochHook)
    if 'model' in stage.failures:
        return
    if not {'train_dataloader', 'schedule'} & stage.failures.keys():
        _try_training(stage, runner, config, given, data, ranks)
    with stage.part('weights', ranks):
        _save_weights(runner, folder / FINAL_CHECKPOINT)


def _try_training(
    stage: Stage, runner: Runner, config: Config, given: Config, data: Mapping[str, Data], ranks: Ranks
) -> None:
    """Take steps; with what they have built, try schedules, evaluations and checkpoints, and sum up the cost."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    steps = Steps(0, 0, 0.0, 0.0)
    with stage.part('training', ranks):
        try_first_image(given, runner.model)
        check_batches(runner)
        steps = take_steps(runner)
        stage.notes.append(f'{steps.taken} iterations tried, {1000 * steps.compute:.3g} ms each without loading')
        stage.warnings += _missing_labels(runner, steps)
    if 'training' in stage.failures:
        return
    tables = _tables(runner.train_dataloader.dataset)
    loader = runner.train_dataloader
    loading = steps.waiting
    if loader.num_workers and not tables:
        loading = data['train_dataloader'].seconds * (loader.batch_size or 1)
    step = per_batch(steps.compute, loading, loader.num_workers)
    seconds = steps.left * step
    disk: dict[Path, int] = {}
    for mode in _MODES:
        name = f'{mode}_dataloader'
        if runner.cfg.get(name) is None:
            continue
        with stage.part(f'{mode} batch', ranks):
            images = None if runner.cfg[name].dataset['type'] is SampleTable else data[name].seconds
            batch = evaluate_batch(runner, mode, images)
            loop = runner.val_loop if mode == 'val' else runner.test_loop
            times = count_validations(runner, runner.max_iters - steps.left) if mode == 'val' else 1
            seconds += batch * len(loop.dataloader) * times
            known = {table.path for table in tables}
            tables += [table for table in _tables(loop.dataloader.dataset) if table.path not in known]
    with stage.part('checkpoint', ranks):
        out_dir = (config.get('default_hooks') or {}).get('checkpoint', {}).get('out_dir') or config.work_dir
        if '://' not in str(out_dir):
            disk[Path(out_dir)] = checkpoint_bytes(runner)
    for table in tables:
        stage.notes.append(f'{table.path}: {_describe(table)}')
        seconds += table.cost.seconds
        disk[Path(table.path)] = table.cost.rows * table.cost.row_bytes
    with stage.part('schedule', ranks):
        stage.warnings += step_schedulers(runner, given.get('param_scheduler'))
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    parameters = sum(weights.numel() for weights in model.parameters() if weights.requires_grad)
    stage.cost = Cost(data['train_dataloader'].images, steps.left, parameters, step, seconds, disk, peak_memory())


def peak_memory() -> int:
    """Return the peak of memory in bytes: of the GPU since its statistics were reset, or of this process so far."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    unit = 1 if sys.platform == 'darwin' else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _tables(dataset: Any) -> list[SampleTable]:
    return [part for part in walk_data_sets(dataset) if isinstance(part, SampleTable)]


def _describe(table: SampleTable) -> str:
    if table.cost.exists:
        return f'{table.cost.rows:,} embeddings are there'
    size = table.cost.rows * table.cost.row_bytes
    return f'{table.cost.rows:,} embeddings to compute, {size / 1e9:.3g} GB in {table.cost.seconds / 3600:.2g} h'


def _missing_labels(runner: Runner, steps: Steps) -> list[str]:
    """Warn of tasks without a label in the batches that were tried: all of them may have none."""
    hook = next(hook for hook in runner.hooks if isinstance(hook, AnnotationHook))
    missing = hook.missing()
    if not missing:
        return []
    return [f'no label of {missing!r} in the first {steps.taken} batches; the training ends if an epoch has none']


def _save_weights(runner: Runner, path: Path) -> None:
    """Save the weights for the stages after this one; random ones if nothing could be trained."""
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    if not getattr(model, 'is_init', True):
        model.init_weights()
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(state_dict={name: value.cpu() for name, value in model.state_dict().items()}), path)
