"""The last output of a backbone as a vector per image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmfct.registry import MODELS


@MODELS.register_module()
class LastOutput(nn.Module):
    """Make one vector per image of the last output of any backbone; the neck of an encoder that names none.

    Vectors, such as class tokens, stay as they are. Maps are averaged over their pixels; so are the class and the
    distillation token of DeiT with each other, as its two classifiers are (arXiv 2012.12877).
    """

    def forward(self, feats: Tensor | Sequence) -> Tensor:
        """Return vectors (B, D) of outputs (B, D), (B, D, H, W), or a pair of (B, D).

        Raises:
            ValueError: If the last output is anything else.
        """
        last = feats[-1] if isinstance(feats, (tuple, list)) else feats
        if isinstance(last, (tuple, list)) and len({describe_shapes(token) for token in last}) == 1:
            last = torch.stack(tuple(last)).mean(0)
        if isinstance(last, Tensor) and last.dim() == 4:
            return last.mean((2, 3))
        if isinstance(last, Tensor) and last.dim() == 2:
            return last
        raise ValueError(
            f'`neck` must be given for a backbone whose last output is neither (B, D) nor (B, D, H, W), got '
            f"{describe_shapes(last)}; a transformer's `out_type` can make one vector of its tokens"
        )


def describe_shapes(output: object) -> str:
    """Describe the output of a network for an error message: shapes of tensors, also nested, or a type."""
    if isinstance(output, (tuple, list)):
        return f'({", ".join(map(describe_shapes, output))})'
    return str(tuple(output.shape)) if isinstance(output, Tensor) else type(output).__name__
