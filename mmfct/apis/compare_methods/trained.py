"""Upgrades by a trained transformation."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from torch import nn

from mmfct.apis.compare_methods.table import Table
from mmfct.apis.compare_methods.upgraded import Upgraded
from mmfct.apis.training.lock import one_at_a_time
from mmfct.apis.training.options import TrainingOptions
from mmfct.apis.training.record import FINAL_CHECKPOINT, TrainingRecord
from mmfct.apis.training.train import train_stage
from mmfct.models import TransformationHead
from mmfct.registry import MODELS
from mmfct.utils.checkpoint import load_state_dict, load_weights

_BATCH = 4096
_WIDTHS = ('old_dims', 'side_dims', 'new_dims', 'hidden_dims')


def objective_config(config: Config, folder: Path, objective: str, *, use_side: bool) -> Config:
    """Return a config that trains the transformation with another objective, on the same table by the same recipe.

    Args:
        config: Config of a `mmfct.ForwardTransform`.
        folder: Work directory of the training.
        objective: ``fct`` (squared error alone), ``fastfill`` (arXiv 2303.04766: squared error and cross-entropy
            under the frozen classifier of the new model, weighted by a predicted variance) or
            ``lambda-orthogonality``, see `OrthogonalAlignmentHead`.
        use_side: Whether side-information is used; otherwise the old embedding feeds both branches.
    """
    config = copy.deepcopy(config)
    head = config.model.head
    config.model.use_side = use_side
    if not use_side:
        head.side_dims = head.old_dims
    head.update(loss=dict(type='mmfct.EmbeddingRegressionLoss'), class_loss=None, with_uncertainty=False)
    if objective == 'lambda-orthogonality':
        widths = {name: head[name] for name in _WIDTHS if name in head}
        config.model.head = dict(type='mmfct.OrthogonalAlignmentHead', **widths)
    if objective == 'fastfill':
        new = config.model.encoders.new.checkpoint
        head.class_loss = dict(type='mmfct.FrozenClassifierLoss', checkpoint=new, label_smoothing=0.1)
        head.with_uncertainty = True
    for entry in ('test_dataloader', 'test_evaluator', 'test_cfg'):
        config[entry] = None
    config.update(work_dir=str(folder), resume=False, load_from=None)
    TrainingOptions(resume='auto').continue_training(config)
    return config


def transform(config: Config, test: Table) -> Upgraded:
    """Train the transformation, or load it if it was trained before, and apply it.

    Args:
        config: Result of `objective_config`.
        test: Images to upgrade.

    Raises:
        ValueError: If the folder holds a training of another config.
    """
    folder = Path(config.work_dir)
    with one_at_a_time(folder):
        if TrainingRecord(folder, config).is_finished():
            print_log(f'{folder}: finished, using {FINAL_CHECKPOINT}', 'current')
        else:
            train_stage(config)
    model = MODELS.build(config.model)
    load_weights(model, load_state_dict(folder / FINAL_CHECKPOINT), str(folder / FINAL_CHECKPOINT))
    head, use_side = model.head.eval(), config.model.use_side
    old, side = test['old'].embeddings, test['side' if use_side else 'old'].embeddings
    with torch.no_grad():
        upgraded = torch.cat([head(*rows) for rows in zip(old.split(_BATCH), side.split(_BATCH), strict=True)])
        log_variance = None if head.uncertainty is None else head.log_variance(upgraded)
        queries = None if head.query_map is None else head.map_queries(test['new'].embeddings)
    return Upgraded(
        upgraded,
        parameters=sum(parameter.numel() for parameter in head.parameters()),
        multiply_adds=sum(layer.weight.numel() for layer in _layers_of_an_item(head)),
        stored_dims=old.shape[1] + (side.shape[1] if use_side else 0),
        log_variance=log_variance,
        queries=queries,
    )


def _layers_of_an_item(head: TransformationHead) -> list[nn.Linear]:
    """Return the layers that an item of the gallery passes; a map of queries is not one of them."""
    of_queries = set() if head.query_map is None else set(head.query_map.modules())
    return [layer for layer in head.modules() if isinstance(layer, nn.Linear) and layer not in of_queries]
