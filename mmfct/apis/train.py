"""Train a config, and before it whatever the config needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmfct.apis.config import config_variables, load_config
from mmfct.apis.report import write_compatibility_report
from mmfct.apis.training_options import TrainingOptions
from mmfct.apis.training_record import TrainingRecord
from mmfct.engine.launch import init_launcher


def train(
    filename: str, options: TrainingOptions | None = None, *, with_prerequisites: bool = True
) -> dict[str, float]:
    """Train a config; then, where the config has a test set, test it and write a report.

    ``prerequisites = [dict(config=..., checkpoint=..., cfg_options=...), ...]`` in the config names what must be
    trained first. Each is trained if its checkpoint is missing, resumed if it was interrupted, and skipped if it is
    finished; what its training depends on is recorded, and a checkpoint of another training is refused. Options
    that name a variable of a prerequisite's config reach it too.

    Args:
        filename: Config file.
        options: Options of the command line.
        with_prerequisites: Whether to train what is missing; otherwise every checkpoint must be there.

    Returns:
        Metrics of the test, empty where the config has none.

    Raises:
        FileNotFoundError: If the config, or without ``with_prerequisites`` a checkpoint, is missing.
        ValueError: If a checkpoint is from another training than the config describes.
    """
    options = options or TrainingOptions()
    init_launcher(options.launcher)
    config = load_config(filename, options.cfg_options)
    _prepare(config, options, with_prerequisites)
    options.apply(config)
    runner = _train_stage(config)
    if config.get('test_dataloader') is None:
        return {}
    metrics = runner.test()
    write_compatibility_report(metrics, runner.test_evaluator.metrics, config.work_dir)
    return metrics


def _prepare(config: Config, options: TrainingOptions, with_prerequisites: bool) -> None:
    """Make every prerequisite of ``config``, depth first."""
    for entry in config.get('prerequisites', []):
        path = Path(config.filename).parent / entry['config']
        inherited = {key: value for key, value in options.cfg_options.items() if key in config_variables(path)}
        entry_options = {**inherited, **entry.get('cfg_options', {})}
        stage = load_config(path, entry_options)
        checkpoint = Path(entry['checkpoint'])
        stage_options = replace(options, work_dir=str(checkpoint.parent), resume='auto', cfg_options=entry_options)
        stage_options.apply(stage)
        record = TrainingRecord(checkpoint.parent, stage)
        if record.is_finished():
            print_log(f'{entry["config"]}: finished, using {checkpoint}', 'current')
            continue
        if not with_prerequisites:
            command = _command(path, checkpoint, entry_options)
            raise FileNotFoundError(f'checkpoint {str(checkpoint)!r} does not exist; make it with `{command}`')
        _prepare(stage, stage_options, with_prerequisites)
        print_log(f'{entry["config"]}: training in {checkpoint.parent}', 'current')
        _train_stage(stage)


def _train_stage(config: Config) -> Runner:
    """Train one config and leave ``final.pth`` in its work directory."""
    record = TrainingRecord(config.work_dir, config)
    record.start(resume=config.resume)
    runner = RUNNERS.build(config) if 'runner_type' in config else Runner.from_cfg(config)
    runner.train()
    record.finish(runner)
    return runner


def _command(path: Path, checkpoint: Path, cfg_options: dict) -> str:
    """Return the command that makes a prerequisite."""
    words = [f'python tools/train.py {path} --work-dir {checkpoint.parent}']
    if cfg_options:
        words.append('--cfg-options ' + ' '.join(f'{key}={value}' for key, value in cfg_options.items()))
    return ' '.join(words)
