"""Upgrades by what `learn_transform` makes of the same embeddings."""

from __future__ import annotations

from itertools import repeat
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor, nn

from mmfct.apis.compare_methods.table import Table
from mmfct.apis.compare_methods.upgraded import Upgraded
from mmfct.apis.extract_gallery.models import identify_models
from mmfct.apis.learn_transform.learn import learn_transform
from mmfct.apis.learn_transform.pairs import Pairs
from mmfct.apis.learn_transform.settings import LearnSettings
from mmfct.retrieval.transform.apply import Transform

_BATCH = 4096


def learn(
    train: Table, test: Table, config: Config, folder: Path, *, use_side: bool, settings: LearnSettings
) -> Upgraded:
    """Upgrade by the candidate that does best on held-out images, see `learn_transform`.

    Args:
        train: Images to learn from, perhaps several views of each.
        test: Images to upgrade.
        config: Config that the tables are of.
        folder: Where the transform file ``learned.safetensors`` goes, which upgrades galleries of the models of the
            config, and its report.
        use_side: Whether candidates may use side-information.
        settings: Knobs of the candidates.
    """
    file = folder / 'learned.safetensors'
    folder.mkdir(parents=True, exist_ok=True)
    pairs = _pairs(train, config, use_side=use_side)
    learn_transform(pairs, file, settings=settings, report=folder)
    transform = Transform(file)
    network, old = transform.network, test['old'].embeddings
    side = test['side'].embeddings if network.uses_side else None
    parts = (old.split(_BATCH), repeat(None) if side is None else side.split(_BATCH))
    upgraded = torch.cat([transform(*rows) for rows in zip(*parts, strict=False)])
    return Upgraded(
        upgraded,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        multiply_adds=sum(layer.weight.numel() for layer in network.modules() if isinstance(layer, nn.Linear)),
        stored_dims=old.shape[1] + (0 if side is None else side.shape[1]),
    )


def _pairs(table: Table, config: Config, *, use_side: bool) -> Pairs:
    vectors: dict[str, Tensor] = {role: items.embeddings for role, items in table.items()}
    ids = np.asarray(table['old'].ids)
    return Pairs(
        np.char.add('train/', ids.astype(str)),  # as galleries call images without a file
        vectors['old'],
        vectors['new'],
        vectors['side'] if use_side else None,
        table['old'].labels,
        identify_models(config),
        config.test_evaluator.get('distance', 'l2'),
        views_of=torch.from_numpy(np.unique(ids, return_inverse=True)[1]),
    )
