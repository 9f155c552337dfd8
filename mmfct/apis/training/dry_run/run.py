"""Try a config and its prerequisites without writing anything."""

from __future__ import annotations

import gc
import tempfile
from pathlib import Path

from mmengine.config import Config

from mmfct.apis.training.dry_run.disk import check_space
from mmfct.apis.training.dry_run.ranks import Ranks
from mmfct.apis.training.dry_run.stage import Stage
from mmfct.apis.training.dry_run.stand_ins import named_files
from mmfct.apis.training.dry_run.try_stage import try_stage
from mmfct.apis.training.options import TrainingOptions
from mmfct.apis.training.prerequisite import Prerequisite, find_prerequisite
from mmfct.apis.training.variables import check_variables
from mmfct.utils.launch import init_launcher


def dry_run(filename: str, options: TrainingOptions | None = None, *, with_prerequisites: bool = True) -> list[Stage]:
    """Try a training and everything that it needs: a few steps of each stage, and what comes after them.

    A stage that is not finished leaves weights in a temporary folder for the stages after it. Whatever fails is noted,
    and the rest is tried all the same. Nothing is written elsewhere.

    Args:
        filename: Config file.
        options: Options of the command line, as for `train`.
        with_prerequisites: Whether `train` would train what is missing; otherwise that is a failure.

    Returns:
        The stages in the order of the training, the config itself last.

    Raises:
        FileNotFoundError: If the config, or a checkpoint to resume it from, is missing.
        ValueError: If the config cannot be evaluated with the options, or one is a misspelt variable.
    """
    options = options or TrainingOptions()
    init_launcher(options.launcher)
    ranks = Ranks()
    config = options.load(filename)
    check_variables(filename, options.cfg_options)
    stages = _find_stages(config, options, with_prerequisites, ranks)
    stages.append(Stage(Path(filename).name, config))
    stand_ins: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix='mmfct_dry_run_') as root:
        for number, stage in enumerate(stages):
            lost = _lost(stage, stages[:number], stand_ins)
            if stage.state == 'tried' and stage.config is not None and lost is None:
                folder = Path(root, str(number))
                try_stage(stage, stage.config, folder, stand_ins, ranks)
                gc.collect()  # the runner, and with it workers and memory of the GPU
                if stage.checkpoint is not None and (folder / 'final.pth').is_file():
                    stand_ins[str(stage.checkpoint)] = str(folder / 'final.pth')
            elif stage.state == 'tried':
                stage.state = 'not tried'
                if lost is not None:
                    stage.failures['prerequisites'] = f'not tried, since it reads {lost!r}, which could not be made'
    for text in check_space(stage.cost.disk for stage in stages if stage.cost is not None):
        stages[-1].failures.setdefault('disk', text)
    return stages


def _find_stages(config: Config, options: TrainingOptions, with_prerequisites: bool, ranks: Ranks) -> list[Stage]:
    """List the prerequisites of a config, those of prerequisites first; every checkpoint once."""
    found: dict[Path, Stage] = {}
    for entry in config.get('prerequisites', []):
        stage = Stage(entry['config'], checkpoint=Path(entry['checkpoint']))
        prerequisite = None
        with stage.part('config', ranks):
            prerequisite = find_prerequisite(entry, config, options)
        if prerequisite is None or 'config' in stage.failures:
            found.setdefault(Path(entry['checkpoint']), stage)
            continue
        _look_at(stage, prerequisite, with_prerequisites, ranks)
        if stage.config is not None:
            for earlier in _find_stages(stage.config, prerequisite.options, with_prerequisites, ranks):
                found.setdefault(earlier.checkpoint or Path(), earlier)
        found.setdefault(prerequisite.checkpoint, stage)
    return list(found.values())


def _look_at(stage: Stage, prerequisite: Prerequisite, with_prerequisites: bool, ranks: Ranks) -> None:
    """See whether a prerequisite is finished; give the stage a config if it can be trained."""
    finished, missing = False, False
    with stage.part('checkpoint', ranks):
        try:
            finished = prerequisite.is_finished()
        except FileNotFoundError:
            missing = True
            raise
    if finished:
        stage.state = 'finished'
        stage.notes.append(f'{prerequisite.checkpoint} is read')
    elif not with_prerequisites and 'checkpoint' not in stage.failures:
        stage.failures['checkpoint'] = (
            f'checkpoint {str(prerequisite.checkpoint)!r} does not exist; make it with `{prerequisite.command()}`'
        )
    elif not missing:
        stage.config = prerequisite.config
        if 'checkpoint' not in stage.failures:  # otherwise its folder must be removed, and it starts anew
            with stage.part('resume', ranks):
                prerequisite.options.continue_training(prerequisite.config)


def _lost(stage: Stage, earlier: list[Stage], stand_ins: dict[str, str]) -> str | None:
    """Return a checkpoint of an earlier stage that a stage reads although there is neither it nor a stand-in."""
    names = named_files({key: value for key, value in (stage.config or {}).items() if key != 'prerequisites'})
    for other in earlier:
        checkpoint = str(other.checkpoint)
        if other.state != 'finished' and checkpoint in names and checkpoint not in stand_ins:
            return checkpoint
    return None
