"""Check the schedule of a training before anything is trained."""

from __future__ import annotations

import copy

import torch
from mmengine.config import Config
from mmengine.dist import get_world_size
from mmengine.registry import PARAM_SCHEDULERS, DefaultScope

from mmfct.datasets.wrapped_dataset import ready_dataset
from mmfct.utils.dataset_configs import type_name


def check_schedule(config: Config) -> None:
    """Check that a training has at least one batch, and that every part of its schedule at least one step.

    The images are counted only where the answer depends on their number: listing a large data set takes time.

    Args:
        config: A config with a training; nothing is changed.

    Raises:
        ValueError: If there is no batch, or a scheduler is unknown, has unknown arguments or ends before it begins.
    """
    loader, train_cfg = config.get('train_dataloader'), config.get('train_cfg')
    if loader is None or train_cfg is None or 'batch_size' not in loader:
        return
    entries = config.get('param_scheduler') or []
    entries = entries if isinstance(entries, (list, tuple)) else [entries]
    entries = [entry for entry in entries if isinstance(entry, dict) and 'type' in entry]
    with DefaultScope.overwrite_default_scope(config.get('default_scope')):
        # What fits an epoch of one iteration fits any epoch.
        if loader.get('drop_last') or any(_mistake(entry, 1, train_cfg) for entry in entries):
            images, batch = _count_images(loader.dataset), loader.batch_size * get_world_size()
            length = images // batch if loader.get('drop_last') else -(-images // batch)
            if length == 0:
                raise ValueError(
                    f'`train_dataloader` must have at least one batch, got {images} images, `batch_size` '
                    f'{loader.batch_size} and `drop_last` in {config.filename!r}: make the batches smaller'
                )
            for index, entry in enumerate(entries):
                if mistake := _mistake(entry, length, train_cfg):
                    raise ValueError(_explain(config, index, mistake, length))


def _mistake(entry: dict, length: int, train_cfg: dict) -> Exception | None:
    """Return why a scheduler cannot be built for epochs of ``length`` iterations; ``None`` if it can."""
    if isinstance(entry['type'], str) and PARAM_SCHEDULERS.get(entry['type']) is None:
        return LookupError('there is no scheduler of that name')
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
    entry = copy.deepcopy(dict(entry))
    epochs, iterations = train_cfg.get('max_epochs'), train_cfg.get('max_iters')
    if epochs is not None and iterations is None:  # the end of the training is that of the scheduler, as in the Runner
        entry.setdefault('end', epochs if entry.get('by_epoch', True) else epochs * length)
    try:
        PARAM_SCHEDULERS.build(entry, default_args=dict(optimizer=optimizer, epoch_length=length))
    except (ValueError, ZeroDivisionError, TypeError, AssertionError) as error:
        return error
    except (LookupError, AttributeError):  # it needs the optimiser of the config; the Runner will build it
        return None
    return None


def _explain(config: Config, index: int, mistake: Exception, length: int) -> str:
    what = f'`param_scheduler.{index}` ({type_name(config.param_scheduler[index])}) of {config.filename!r}'
    reason = str(mistake) or type(mistake).__name__
    if not isinstance(mistake, (ValueError, ZeroDivisionError)):
        return f'{what} cannot be built: {reason}'
    names = [name for name in config if name.endswith('epochs')]
    values = ' '.join(f'{name}={config[name]}' for name in names)
    return (
        f'{what} has no step, as an epoch has {length} iterations: {reason}; change the length of the training or of '
        'its warm-up'
        f'{f" with `--cfg-options {values}`, which are the values now" if names else ""}'
    )


def _count_images(dataset: dict) -> int:
    """Count the images of a data set's config; a table of embeddings is not computed for that."""
    if type_name(dataset) == 'EmbeddingTable':
        dataset = dataset['dataset']
    return len(ready_dataset(dataset))
