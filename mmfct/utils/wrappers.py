"""Models inside their wrappers."""

from __future__ import annotations

from typing import Any

from mmengine.model import is_model_wrapper
from torch import nn


def unwrapped_model(model: nn.Module) -> Any:
    """Return a model without its wrapper for several ranks."""
    return model.module if is_model_wrapper(model) else model
