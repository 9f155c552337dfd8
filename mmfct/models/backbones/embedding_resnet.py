"""A ResNet whose last residual block is narrowed to the embedding width."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from mmfct.models.reference_keys import rename_backbone_keys
from mmfct.registry import MODELS


@MODELS.register_module()
def EmbeddingResNet(  # noqa: N802 - a component name in configs, like any other backbone
    *,
    depth: int = 50,
    embedding_dims: int = 128,
    resnet: str = 'mmpretrain.ResNet',
    blocks_per_stage: int | None = None,
    **resnet_cfg,
) -> nn.Module:
    """Build a ResNet of the host and narrow its last block to ``embedding_dims`` channels.

    The FCT reference makes its 128-d embedding this way (arXiv 2112.02805): the last convolution of the last block
    and a 1x1 shortcut of its own produce ``embedding_dims`` channels, the final ReLU stays, and global average
    pooling of the map is the embedding: non-negative and not normalised.

    This is a function, because a subclass would import mmpretrain wherever any model of mmfct is used. It returns the
    host's ResNet, so ``frozen_stages``, ``norm_eval``, ``out_indices`` and checkpoints behave as documented there.
    State dicts of the FCT reference load as they are: the prefix ``model.`` is removed and the classifier ``fc`` is
    skipped.

    Args:
        depth: Depth of the ResNet (18, 34, 50, 101 or 152).
        embedding_dims: Channels of the output map, the width D of the embedding.
        resnet: Registered type to build, such as ``'mmpretrain.ResNet_CIFAR'`` for small images.
        blocks_per_stage: Keep only this many blocks of every stage; ``None`` keeps all of them.
        **resnet_cfg: Arguments of the host's ResNet.

    Returns:
        A backbone that maps images of shape (B, 3, H, W) to a tuple of maps, the last one of shape (B, D, h, w).

    Raises:
        ValueError: If ``embedding_dims`` or ``blocks_per_stage`` is not positive, or ``resnet`` is no ResNet.
    """
    if embedding_dims < 1:
        raise ValueError(f'`embedding_dims` must be a positive integer, got {embedding_dims!r}')
    if blocks_per_stage is not None and blocks_per_stage < 1:
        raise ValueError(f'`blocks_per_stage` must be a positive integer or None, got {blocks_per_stage!r}')
    backbone = MODELS.build(dict(type=resnet, depth=depth, **resnet_cfg))
    if not hasattr(backbone, 'res_layers'):
        raise ValueError(f'`resnet` must name a ResNet of mmpretrain, got {resnet!r}')
    if blocks_per_stage is not None:
        for name in backbone.res_layers:
            del getattr(backbone, name)[blocks_per_stage:]
    last_block = getattr(backbone, backbone.res_layers[-1])[-1]
    _narrow(last_block, embedding_dims, backbone.conv_cfg, backbone.norm_cfg)
    backbone.feat_dim = embedding_dims
    backbone._freeze_stages()  # the new layers of a frozen stage are frozen with it
    backbone.register_load_state_dict_pre_hook(rename_backbone_keys)
    # Convolutions on channels-last weights are about 1.6 x faster on a CPU, and feed tensor cores under AMP.
    return backbone.to(memory_format=torch.channels_last)


def _narrow(block: Any, channels: int, conv_cfg: dict | None, norm_cfg: dict) -> None:
    """Give a BasicBlock or Bottleneck ``channels`` outputs and a shortcut of its own."""
    # A host package, and only this component needs it.
    from mmcv.cnn import build_conv_layer, build_norm_layer

    last = 3 if hasattr(block, 'conv3') else 2
    conv = getattr(block, f'conv{last}')
    if conv.out_channels == channels:
        return
    layout = dict(kernel_size=conv.kernel_size, stride=conv.stride, padding=conv.padding, bias=False)
    setattr(block, f'conv{last}', build_conv_layer(conv_cfg, conv.in_channels, channels, **layout))
    setattr(block, getattr(block, f'norm{last}_name'), build_norm_layer(norm_cfg, channels)[1])
    shortcut = build_conv_layer(conv_cfg, block.conv1.in_channels, channels, 1, stride=block.stride, bias=False)
    block.downsample = nn.Sequential(shortcut, build_norm_layer(norm_cfg, channels)[1])
    block.out_channels = channels
