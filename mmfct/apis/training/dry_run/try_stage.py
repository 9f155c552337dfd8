"""Try everything that a stage does, a little of each."""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmfct.apis.training.checks import check_data
from mmfct.apis.training.dry_run.data import Data, describe_empty, look_at_data
from mmfct.apis.training.dry_run.disk import GB, check_folder, checkpoint_bytes
from mmfct.apis.training.dry_run.evaluation import count_validations, evaluate_batch
from mmfct.apis.training.dry_run.ranks import Ranks
from mmfct.apis.training.dry_run.sample_table import SampleTable
from mmfct.apis.training.dry_run.schedules import step_schedulers
from mmfct.apis.training.dry_run.seconds import per_batch
from mmfct.apis.training.dry_run.stage import Cost, Stage
from mmfct.apis.training.dry_run.stand_ins import LOADERS, confined, with_sample_tables, with_stand_ins
from mmfct.apis.training.dry_run.steps import Steps, take_steps
from mmfct.apis.training.first_image import try_first_image
from mmfct.apis.training.learning_rate import scale_learning_rate
from mmfct.apis.training.record import FINAL_CHECKPOINT, TrainingRecord
from mmfct.apis.training.schedule import check_schedule
from mmfct.apis.training.train import add_hooks, build_runner, check_batches
from mmfct.engine.hooks.annotation_hook import AnnotationHook
from mmfct.engine.hooks.class_count_hook import ClassCountHook
from mmfct.engine.hooks.data_epoch_hook import DataEpochHook
from mmfct.instances.positions import walk_data_sets
from mmfct.utils.wrappers import unwrapped_model

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
    trial = _Trial(stage, config, folder, stand_ins, ranks)
    trial.look_at_data()
    trial.check()
    runner = trial.build()
    if runner is None:
        return
    steps = None if {'train_dataloader', 'schedule'} & stage.failures.keys() else trial.take_steps(runner)
    if steps is not None:
        trial.evaluate(runner, steps)
        trial.weigh(runner)
        trial.step_schedulers(runner)
        trial.sum_up(runner, steps)
    with stage.part('weights', ranks):
        _save_weights(runner, folder / FINAL_CHECKPOINT)


class _Trial:
    """The parts of a stage, in order; each notes in the stage what fails and what it finds."""

    def __init__(self, stage: Stage, config: Config, folder: Path, stand_ins: Mapping[str, str], ranks: Ranks) -> None:
        self.stage, self.config, self.ranks = stage, config, ranks
        self.given = confined(with_stand_ins(config, stand_ins), folder)
        self.data: dict[str, Data] = {}
        self.tables: dict[str, SampleTable] = {}
        self.seconds = 0.0
        self.disk: dict[Path, int] = {}

    def look_at_data(self) -> None:
        """Look at the data sets; one of an evaluation that fails is left out of the rest."""
        for loader in (loader for loader in LOADERS if self.config.get(loader) is not None):
            with self.stage.part(loader, self.ranks):
                check_data(self.config, [loader])
                self.data[loader] = found = look_at_data(self.given, loader)
                self.stage.notes.append(f'{loader}: {found}')
                if found.empty:
                    self.stage.warnings.append(describe_empty(found, loader))
                if found.spare:
                    self.stage.warnings.append(
                        f'{found.spare} outputs of the model have no class in `{loader}`: is `num_classes` right?'
                    )
        for mode in _MODES:
            if f'{mode}_dataloader' in self.stage.failures:
                self.given.update({f'{mode}_{entry}': None for entry in ('dataloader', 'cfg', 'evaluator')})

    def check(self) -> None:
        """Check what a training checks before it starts: its folder and its schedule."""
        folder = Path(self.config.work_dir)
        with self.stage.part('work_dir', self.ranks):
            check_folder(folder)
            if self.config.resume:
                TrainingRecord(folder, self.config).check()
            elif self.stage.checkpoint is None and (folder / FINAL_CHECKPOINT).is_file():
                self.stage.warnings.append(f'{folder} holds a finished training, which this one replaces')
        if 'train_dataloader' not in self.stage.failures:
            with self.stage.part('schedule', self.ranks):
                check_schedule(self.given)

    def build(self) -> Runner | None:
        """Build the runner, and with it the model."""
        runner = None
        with self.stage.part('model', self.ranks):
            runner = build_runner(scale_learning_rate(with_sample_tables(self.given)))
            add_hooks(runner, AnnotationHook, ClassCountHook, DataEpochHook)
        return None if 'model' in self.stage.failures else runner

    def take_steps(self, runner: Runner) -> Steps | None:
        """Load weights and take the first steps."""
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        steps = None
        with self.stage.part('training', self.ranks):
            try_first_image(self.given, runner.model)
            check_batches(runner)
            steps = take_steps(runner)
            self.stage.notes.append(f'{steps.taken} iterations tried, {steps.compute:.3g} s each without loading')
            self.stage.warnings += _missing_labels(runner, steps)
            self._add_tables(runner.train_dataloader.dataset)
        return None if 'training' in self.stage.failures else steps

    def evaluate(self, runner: Runner, steps: Steps) -> None:
        """Validate and test a batch; add what all validations and the test take."""
        for mode in _MODES:
            name = f'{mode}_dataloader'
            if runner.cfg.get(name) is None:
                continue
            with self.stage.part(f'{mode} batch', self.ranks):
                is_table = runner.cfg[name].dataset['type'] is SampleTable
                batch = evaluate_batch(runner, mode, None if is_table else self.data[name].seconds)
                loader = (runner.val_loop if mode == 'val' else runner.test_loop).dataloader
                times = count_validations(runner, runner.max_iters - steps.left) if mode == 'val' else 1
                self.seconds += batch * len(loader) * times
                self._add_tables(loader.dataset)

    def weigh(self, runner: Runner) -> None:
        """Add the size of checkpoints and tables."""
        with self.stage.part('checkpoint', self.ranks):
            hook = (self.config.get('default_hooks') or {}).get('checkpoint') or {}
            folder = str(hook.get('out_dir') or self.config.work_dir)
            size = checkpoint_bytes(runner)
            if '://' not in folder:  # no disk here
                self.disk[Path(folder)] = size
        for path, table in self.tables.items():
            self.stage.notes.append(f'{path}: {table.cost}')
            self.seconds += table.cost.seconds
            self.disk[Path(path)] = table.cost.size
        for table in list(self.tables.values())[:1]:
            million = 1e6 * table.cost.gallery_row / GB
            self.stage.notes.append(
                f'a gallery of old embeddings, with any side-information: {million:.3g} GB per million images'
            )

    def step_schedulers(self, runner: Runner) -> None:
        """Step the schedulers to the end of the training."""
        with self.stage.part('schedule', self.ranks):
            self.stage.warnings += step_schedulers(runner, self.given.get('param_scheduler'))

    def sum_up(self, runner: Runner, steps: Steps) -> None:
        """Note the cost of the stage."""
        loader, data = runner.train_dataloader, self.data['train_dataloader']
        loading = steps.waiting
        # The first batches of workers are there before the network is slow enough to need them.
        if loader.num_workers and not self.tables:
            loading = data.seconds * (loader.batch_size or 1)
        step = per_batch(steps.compute, loading, loader.num_workers)
        parameters = sum(
            weights.numel() for weights in unwrapped_model(runner.model).parameters() if weights.requires_grad
        )
        seconds = self.seconds + steps.left * step
        self.stage.cost = Cost(data.images, steps.left, parameters, step, seconds, self.disk, _peak_memory())

    def _add_tables(self, dataset: Any) -> None:
        for part in walk_data_sets(dataset):
            if isinstance(part, SampleTable):
                self.tables.setdefault(part.path, part)


def _peak_memory() -> int:
    """Return the peak of memory in bytes: of the GPU since its statistics were reset, or of this process so far."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    unit = 1 if sys.platform == 'darwin' else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _missing_labels(runner: Runner, steps: Steps) -> list[str]:
    """Warn of tasks without a label in the batches that were tried: all of them may have none."""
    hook = next(hook for hook in runner.hooks if isinstance(hook, AnnotationHook))
    missing = hook.missing()
    if not missing:
        return []
    return [f'no label of {missing!r} in the first {steps.taken} batches; the training ends if an epoch has none']


def _save_weights(runner: Runner, path: Path) -> None:
    """Save the weights for the stages after this one; random ones if nothing could be trained."""
    model = unwrapped_model(runner.model)
    if not getattr(model, 'is_init', True):
        model.init_weights()
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(state_dict={name: value.cpu() for name, value in model.state_dict().items()}), path)
