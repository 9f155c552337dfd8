"""Compare methods that upgrade an old gallery to a new model, on one table of embeddings."""

from __future__ import annotations

import copy
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import init_default_scope

from mmfct.apis.compare_methods import closed_form
from mmfct.apis.compare_methods.learned import learn
from mmfct.apis.compare_methods.report import write_comparison
from mmfct.apis.compare_methods.scores import Comparison, Judge
from mmfct.apis.compare_methods.table import Table, check_table, read_table
from mmfct.apis.compare_methods.trained import objective_config, transform
from mmfct.apis.compare_methods.upgraded import Upgraded
from mmfct.apis.learn_transform.pairs import MIN_PAIRS
from mmfct.apis.learn_transform.settings import LearnSettings
from mmfct.apis.training.checks import check_data
from mmfct.apis.training.first_image import try_first_image
from mmfct.apis.training.options import TrainingOptions
from mmfct.apis.training.schedule import check_schedule
from mmfct.apis.training.train import train_prerequisites
from mmfct.apis.training.variables import check_variables
from mmfct.evaluation.groups import read_groups, with_groups
from mmfct.models.losses.frozen_classifier_loss import CLASSIFIER
from mmfct.registry import MODELS
from mmfct.utils.checkpoint import load_state_dict

_LOADERS = ('train_dataloader', 'test_dataloader')
_SIDE = '+side'
_NAME = re.compile(r'[\w-]+')
_ORTHOGONAL = 'lambda-orthogonality'
_WITH_OR_WITHOUT_SIDE = ('ridge', 'learned', 'fct', 'fastfill', _ORTHOGONAL)
METHODS = ('identity', 'procrustes', *(f'{base}{suffix}' for base in _WITH_OR_WITHOUT_SIDE for suffix in ('', _SIDE)))


def compare_methods(
    filename: str,
    *,
    methods: Sequence[str] | None = None,
    aligned: Mapping[str, str] | None = None,
    options: TrainingOptions | None = None,
) -> Comparison:
    """Train and score every method on the embeddings that a config caches; reuse what was trained before.

    Files in ``<work_dir>/methods``: ``methods.md``, ``methods.json``, ``methods.png`` (scores) and ``backfill.png``
    (scores while the gallery is recomputed); a folder for each trained method. The method ``learned`` takes what
    `learn_transform` chooses by held-out images, with the settings in the entry ``learn`` of the config, if any; it is
    learned anew in every comparison.

    Args:
        filename: Config of a `mmfct.ForwardTransform` that trains from an `EmbeddingTable`. What it needs first is
            trained as `train` does.
        methods: Some of ``METHODS``; ``None`` for all that can be run here: those with ``+side`` only where the config
            has side-information, ``learned`` only with 100 training images or more, ``lambda-orthogonality`` only
            where pytorch-metric-learning is installed. ``+side`` uses side-information beside the old embedding.
        aligned: Name -> checkpoint of a new model that was trained to be comparable with the old one (BCT), of the
            same architecture as the config's. Its queries search the old gallery as it is.
        options: Options of the command line.

    Returns:
        The scores that ``methods.json`` holds.

    Raises:
        FileNotFoundError: If the config, the data or a checkpoint is missing.
        ImportError: If a method is asked for whose package is not installed.
        ValueError: If a method is unknown, or needs side-information, a classifier or more images than there are, no
            test image has a label, or the config is of another kind.
    """
    options = options or TrainingOptions()
    config = options.load(filename)
    kind = config.get('model', {}).get('type')
    if kind != 'mmfct.ForwardTransform':
        raise ValueError(f'{filename!r} must be the config of a `mmfct.ForwardTransform`, got {kind!r}')
    asked = methods is not None
    methods = _check_methods(methods, has_side='side' in config.model.encoders)
    for name in aligned or ():
        if name in METHODS or not _NAME.fullmatch(name):  # results and a folder go by it
            raise ValueError(f'`aligned` must have names of letters, digits, `_` and `-`, of no method, got {name!r}')
    methods = _without_metric_learning(methods, asked=asked)
    check_variables(filename, options.cfg_options)
    for entry in _LOADERS:
        check_table(config[entry].dataset, f'{entry}.dataset')
    check_data(config)
    check_schedule(config)
    train_prerequisites(config, options)
    for checkpoint in (aligned or {}).values():  # not after hours of other methods
        load_state_dict(checkpoint)
    LearnSettings.from_config(config.get('learn', {}))  # wrong ones, too
    for leave_out in (_without_classifier, _without_equal_widths):
        methods = leave_out(methods, config, asked=asked)
    init_default_scope(config.default_scope)
    try_first_image(config, MODELS.build(config.model))
    train, test = (read_table(config[entry].dataset) for entry in _LOADERS)
    methods = _without_enough_images(methods, train, asked=asked)
    if test['new'].num_unlabelled == len(test['new']):
        raise ValueError(
            '`test_dataloader.dataset` must have a label for some images, which retrieval is scored by, got -1 for all'
        )
    evaluator = config.test_evaluator
    if evaluator.get('groups') is not None:
        test = with_groups(dict(test), read_groups(evaluator.groups))
    folder = Path(config.work_dir) / 'methods'
    judge = Judge(test, distance=evaluator.get('distance', 'l2'), exclude=evaluator.get('exclude', 'matches'))
    results = {}
    for name in methods:
        print_log(f'method {name}', 'current')
        results[name] = judge.score(_upgrade(name, config, folder, train, test))
    for name, checkpoint in (aligned or {}).items():
        print_log(f'new model {name}', 'current')
        old, new = test['old'].embeddings, _embed(config, folder / name, checkpoint)['new'].embeddings
        results[name] = judge.score(Upgraded(old, 0, 0, old.shape[1], queries=new))
    comparison = judge.compare(results)
    write_comparison(comparison, folder)
    return comparison


def _check_methods(methods: Sequence[str] | None, *, has_side: bool) -> list[str]:
    known = [name for name in METHODS if has_side or not name.endswith(_SIDE)]
    for name in methods or ():
        if name not in METHODS:
            raise ValueError(f'`methods` must be among {", ".join(METHODS)}, got {name!r}')
        if name not in known:
            raise ValueError(f'the method {name!r} needs the encoder `side`, which the config does not have')
    return list(known if methods is None else methods)


def _without_metric_learning(methods: list[str], *, asked: bool) -> list[str]:
    """Leave out lambda-orthogonality where its loss is not installed, or refuse it where it was asked for."""
    if find_spec('pytorch_metric_learning') is not None:
        return methods
    reason = "needs pytorch-metric-learning, which `pip install 'mmfct[metric-learning]'` installs"
    return _leave_out(_ORTHOGONAL, reason, methods, asked=asked, error=ImportError)


def _without_classifier(methods: list[str], config: Config, *, asked: bool) -> list[str]:
    """Leave out FastFill where the new model has no linear classifier, or refuse it where it was asked for."""
    checkpoint = config.model.encoders.new.get('checkpoint')
    if checkpoint is not None and CLASSIFIER in load_state_dict(checkpoint):
        return methods
    reason = f'needs {CLASSIFIER!r}, a linear classifier, in the checkpoint of the new model, {checkpoint!r}'
    return _leave_out('fastfill', f'{reason}, which has none', methods, asked=asked)


def _without_equal_widths(methods: list[str], config: Config, *, asked: bool) -> list[str]:
    """Leave out what rotates new embeddings onto old ones where their widths differ, or refuse it."""
    old, new = config.model.head.old_dims, config.model.head.new_dims
    if old == new:
        return methods
    return _leave_out(_ORTHOGONAL, f'needs models of one width, got {old} and {new}', methods, asked=asked)


def _without_enough_images(methods: list[str], train: Table, *, asked: bool) -> list[str]:
    """Leave out what is chosen by held-out images where there are few, or refuse it."""
    number = len(np.unique(train['old'].ids))
    if number >= MIN_PAIRS:
        return methods
    return _leave_out('learned', f'needs at least {MIN_PAIRS} training images, got {number}', methods, asked=asked)


def _leave_out(
    base: str, reason: str, methods: list[str], *, asked: bool, error: type[Exception] = ValueError
) -> list[str]:
    needing = [name for name in methods if name.removesuffix(_SIDE) == base]
    if needing and asked:
        raise error(f'{base} {reason}; leave out {", ".join(needing)}')
    if needing:
        print_log(f'{base} {reason}: left out', 'current', logging.WARNING)
    return [name for name in methods if name not in needing]


def _upgrade(name: str, config: Config, folder: Path, train: Table, test: Table) -> Upgraded:
    base, use_side = name.removesuffix(_SIDE), name.endswith(_SIDE)
    solved: dict[str, Callable[[], Upgraded]] = {
        'identity': partial(closed_form.keep, test),
        'procrustes': partial(closed_form.rotate, train, test),
        'ridge': partial(closed_form.regress, train, test, use_side=use_side),
        'learned': partial(
            learn,
            train,
            test,
            config,
            folder / name,
            use_side=use_side,
            settings=LearnSettings.from_config(config.get('learn', {})),
        ),
    }
    if base in solved:
        return solved[base]()
    return transform(objective_config(config, folder / name, base, use_side=use_side), test)


def _embed(config: Config, folder: Path, checkpoint: str) -> Table:
    """Embed the test images by another new model."""
    dataset = copy.deepcopy(config.test_dataloader.dataset)
    new = dict(dataset.encoders.new, checkpoint=checkpoint)
    dataset.update(path=str(folder / 'embeddings_test'), encoders=dict(new=new, old=dataset.encoders.old))
    return read_table(dataset)
