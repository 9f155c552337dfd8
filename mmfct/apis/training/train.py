"""Train a config after its prerequisites."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmfct.apis.training.checks import check_data
from mmfct.apis.training.first_image import try_first_image
from mmfct.apis.training.learning_rate import scale_learning_rate
from mmfct.apis.training.lock import one_at_a_time
from mmfct.apis.training.options import TrainingOptions
from mmfct.apis.training.prerequisite import unfinished_prerequisites
from mmfct.apis.training.record import TrainingRecord
from mmfct.apis.training.report import write_report
from mmfct.apis.training.schedule import check_schedule
from mmfct.apis.training.variables import check_variables
from mmfct.engine.hooks.annotation_hook import AnnotationHook
from mmfct.engine.hooks.class_count_hook import ClassCountHook
from mmfct.engine.hooks.data_epoch_hook import DataEpochHook
from mmfct.engine.hooks.random_state_hook import RandomStateHook
from mmfct.engine.hooks.termination_hook import TerminationHook
from mmfct.engine.quiet_runner import QuietRunner, quieten
from mmfct.utils.checkpoint import only_weights
from mmfct.utils.launch import grace_seconds, init_launcher


def train(
    filename: str, options: TrainingOptions | None = None, *, with_prerequisites: bool = True
) -> dict[str, float]:
    """Train a config; then, if it has a test set, test it and write a report.

    ``prerequisites = [dict(config=..., checkpoint=..., cfg_options=...), ...]`` in the config names what must be
    trained first. Each is trained if its checkpoint is missing, resumed if it was interrupted, and skipped if it is
    finished. What determines its weights is recorded, and the checkpoint of another training is refused. Options that
    name a variable of a prerequisite's config apply to it too.

    Args:
        filename: Config file.
        options: Options of the command line.
        with_prerequisites: Whether to train what is missing; otherwise every checkpoint must exist.

    Returns:
        Metrics of the test; empty if the config has none.

    Raises:
        FileNotFoundError: If a config, the data, or without ``with_prerequisites`` a checkpoint is missing.
        ValueError: If a checkpoint belongs to another training than the config describes, the data or the schedule of
            a stage do not fit, or an option is a misspelt variable.
    """
    options = options or TrainingOptions()
    init_launcher(options.launcher)
    config = options.load(filename)
    check_variables(filename, options.cfg_options)
    check_data(config)
    check_schedule(config)
    train_prerequisites(config, options, train_missing=with_prerequisites)
    with one_at_a_time(Path(config.work_dir)):
        options.continue_training(config)  # another process may have trained here since the config was loaded
        runner = train_stage(config)
    if config.get('test_dataloader') is None:
        return {}
    # `runner.test()` would call `before_run` again, which resets an average of weights.
    runner._test_loop = runner.build_test_loop(runner._test_loop)
    metrics = runner.test_loop.run()
    write_report(metrics, runner.test_evaluator.metrics, config.work_dir)
    return metrics


def train_prerequisites(config: Config, options: TrainingOptions, *, train_missing: bool = True) -> None:
    """Train the prerequisites of a config that are missing.

    Args:
        config: A config that may have ``prerequisites``.
        options: The options it was loaded with.
        train_missing: Whether to train what is missing; otherwise every checkpoint must exist.

    Raises:
        FileNotFoundError: See `train`.
        ValueError: See there.
    """
    stages = unfinished_prerequisites(config, options)
    for stage in stages:
        if not train_missing:
            raise FileNotFoundError(
                f'checkpoint {str(stage.checkpoint)!r} does not exist; make it with `{stage.command()}`'
            )
        check_data(stage.config)
    for stage in stages:
        check_schedule(stage.config)
    for stage in stages:
        with one_at_a_time(stage.checkpoint.parent):
            stage.options.continue_training(stage.config)  # another process may have trained it meanwhile
            if stage.is_finished():
                continue
            train_stage(stage.config)


def train_stage(config: Config) -> Runner:
    """Train one config and leave ``final.pth`` in its work directory."""
    record = TrainingRecord(config.work_dir, config)
    if config.resume:
        record.check()
    print_log(f'{Path(config.filename).name}: training in {config.work_dir}', 'current')
    with only_weights():
        runner = build_runner(scale_learning_rate(config))
        try_first_image(config, runner.model)
        check_batches(runner)
        add_hooks(runner, AnnotationHook, ClassCountHook, DataEpochHook, RandomStateHook)
        runner.register_hook(_StartRecord(record, resume=config.resume))
        termination = TerminationHook(grace_seconds())
        runner.register_hook(termination)
        with termination.listening():
            runner.train()
    record.finish(runner)
    return runner


def build_runner(config: Config) -> Runner:
    """Build the Runner of a config, with a short console output, and say where the full log is."""
    if 'runner_type' in config:
        runner = RUNNERS.build(config)
        quieten(runner.logger, runner)
    else:
        runner = QuietRunner.from_cfg(config)
    print_log(f'The full log is in {runner.log_dir}', 'current')
    return runner


def add_hooks(runner: Runner, *kinds: type[Hook]) -> None:
    """Add a hook of each kind to a runner that has none of it."""
    for kind in kinds:
        if not any(isinstance(hook, kind) for hook in runner.hooks):
            runner.register_hook(kind())


def check_batches(runner: Runner) -> None:
    """Raise a ``ValueError`` if there is no batch: some schedules would silently train nothing."""
    loader = runner.train_loop.dataloader
    if len(loader) == 0:
        raise ValueError(
            f'`train_dataloader` must have at least one batch, got {len(loader.dataset)} images, `batch_size` '
            f'{loader.batch_size} and `drop_last`: make the batches smaller'
        )


class _StartRecord(Hook):
    """Replace an earlier result only once everything is built: a mistake in the config must not cost it."""

    priority = 'VERY_LOW'

    def __init__(self, record: TrainingRecord, *, resume: bool) -> None:
        self.record, self.resume = record, resume

    def before_train(self, runner: Runner) -> None:
        self.record.start(resume=self.resume)
        if isinstance(runner, QuietRunner):
            runner.write_config()
