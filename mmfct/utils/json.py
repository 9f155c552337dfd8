"""JSON files: indented for people, the same bytes for the same values, and without NaN."""

from __future__ import annotations

import json
import math
from typing import Any


def encode_json(value: Any, *, sort_keys: bool = False) -> bytes:
    """Encode plain values as the content of a file.

    Args:
        value: Dicts, lists, strings, numbers, bools and ``None``.
        sort_keys: Whether to sort the keys of dicts; otherwise they keep their order.

    Raises:
        ValueError: If a number is NaN or infinite, which JSON cannot express; see `without_nan`.
    """
    return f'{json.dumps(value, sort_keys=sort_keys, indent=1, allow_nan=False)}\n'.encode()


def without_nan(value: Any) -> Any:
    """Replace NaN, a score that could not be measured, with ``None``, in nested dicts, lists and tuples too."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
