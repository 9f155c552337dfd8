"""The layers of the transformation h: how they are built for training and read back for an upgrade.

h (FCT, arXiv 2112.02805) consists of three perceptrons: a branch for each of its two inputs, and a mixer for what the
branches return. A perceptron is a sequence of blocks Linear, BN, ReLU; the mixer ends in a Linear with a bias.
`mmfct.TransformationHead` builds them with `build_perceptron`, a transform file keeps their weights under the names
that they have there, and `Transform` applies what `fold_perceptron` makes of these.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

# Names of the perceptrons, and of the layer that predicts the uncertainty, if there is one.
PARTS = OLD_BRANCH, SIDE_BRANCH, MIXER = ('old_branch', 'side_branch', 'mixer')
UNCERTAINTY = 'uncertainty'

# Places of the layers in a block.
LINEAR, BN = 0, 1
BLOCK_LAYERS = 3
BN_EPS = 1e-5


class Layer(NamedTuple):
    """A linear layer of h in evaluation mode.

    Attributes:
        weight: Matrix of shape (out, in).
        bias: Vector of shape (out,).
        relu: Whether a ReLU follows.
    """

    weight: Tensor
    bias: Tensor
    relu: bool = False


def build_perceptron(*widths: int, out: int | None = None) -> nn.Sequential:
    """Build a block from each width to the next, and a Linear to ``out`` if that is given."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in zip(widths[:-1], widths[1:], strict=True):
        layers += [nn.Linear(fan_in, fan_out, bias=False), nn.BatchNorm1d(fan_out, BN_EPS), nn.ReLU(inplace=True)]
    if out is not None:
        layers.append(nn.Linear(widths[-1], out))
    return nn.Sequential(*layers)


def fold_perceptron(weights: Mapping[str, Tensor], part: str) -> list[Layer]:
    """Fold the BN of each block, in evaluation mode, into its Linear.

    Args:
        weights: Weights of h by name.
        part: One of ``PARTS``.

    Returns:
        The linear layers in order, float64; none if there are no weights of that part.

    Raises:
        KeyError: If a weight is missing.
    """
    numbers = [int(match[1]) for name in weights if (match := re.match(rf'{part}\.(\d+)\.', name))]
    layers = []
    for first in range(0, max(numbers, default=-1) + 1, BLOCK_LAYERS):
        linear, bn = f'{part}.{first + LINEAR}', f'{part}.{first + BN}'
        weight = weights[f'{linear}.weight'].double()
        if f'{linear}.bias' in weights:
            layers.append(Layer(weight, weights[f'{linear}.bias'].double()))
            continue
        gain, shift, mean, variance = (
            weights[f'{bn}.{name}'].double() for name in ('weight', 'bias', 'running_mean', 'running_var')
        )
        scale = gain / torch.sqrt(variance + BN_EPS)
        layers.append(Layer(weight * scale[:, None], shift - mean * scale, relu=True))
    return layers
