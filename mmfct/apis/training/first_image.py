"""Try one image through everything before a training embeds all of them."""

from __future__ import annotations

import copy

import torch
from mmengine.config import Config
from torch import nn

from mmfct.datasets.image_pass import seeded
from mmfct.datasets.wrapped_dataset import ready_dataset
from mmfct.models.forward_transform import ForwardTransform
from mmfct.registry import MODELS
from mmfct.utils.dataset_configs import dataset_chains, type_name
from mmfct.utils.wrappers import unwrapped_model


def try_first_image(config: Config, model: nn.Module) -> None:
    """Embed the first image of every embedding table and compare the widths with those of the transformation.

    Random numbers of the training stay what they are. Nothing is tried where there is no table.

    Args:
        config: Config of a training.
        model: Its model, or a wrapper of it.

    Raises:
        FileNotFoundError: If a checkpoint or the data are missing.
        ValueError: If a width differs, a checkpoint does not fit, or an encoder returns NaN.
    """
    inner = unwrapped_model(model)
    if not isinstance(inner, ForwardTransform):
        return
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        for chain in dataset_chains(config[loader].dataset) if config.get(loader) else ():
            for table in chain:
                if type_name(table) == 'EmbeddingTable':
                    inner.check_widths(_embed_first(table))


def _embed_first(table: dict) -> dict[str, torch.Tensor]:
    """Return the embeddings (1, D) of the first image by role; none if there is no image."""
    with seeded(0):
        images = ready_dataset(table['dataset'])
        if len(images) == 0:
            return {}
        encoders = MODELS.build({'type': 'mmfct.FrozenEncoders', **copy.deepcopy(table['encoders'])})
        return encoders(images[0]['inputs'][None])
