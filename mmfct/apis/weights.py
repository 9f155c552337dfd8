"""Load the weights of a checkpoint into a model, or say that they are another model's."""

from __future__ import annotations

from typing import Any

from mmengine.model import BaseTTAModel, is_model_wrapper
from torch import Tensor, nn


def load_weights(model: nn.Module, state_dict: dict[str, Tensor], checkpoint: str) -> None:
    """Load weights, all of them; mmengine would log what is missing and leave it at its random start.

    Args:
        model: The model, or a wrapper of it.
        state_dict: Weights by name.
        checkpoint: File they come from, for the message.

    Raises:
        ValueError: If a weight is missing or has another shape.
    """
    inner: Any = model
    while is_model_wrapper(inner) or isinstance(inner, BaseTTAModel):
        inner = inner.module
    state_dict = {name.removeprefix('module.'): value for name, value in state_dict.items()}  # as mmengine does
    try:
        missing = inner.load_state_dict(state_dict, strict=False).missing_keys
    except RuntimeError as error:
        raise ValueError(
            f'checkpoint {checkpoint!r} is of another model: {str(error).splitlines()[1].strip()}'
        ) from None
    if missing:
        total = len(inner.state_dict())
        raise ValueError(
            f'checkpoint {checkpoint!r} is of another model: {len(missing)} of {total} weights are missing, '
            f'such as {missing[0]!r}'
        )
