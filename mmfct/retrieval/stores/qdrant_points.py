"""Points of Qdrant: their vectors by name, fields of their payload, and the ids of items."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

PointId = int | str


def point_id(text: str) -> PointId:
    """Return the id of a point for the id of an item.

    Qdrant knows whole numbers below 2^64 and UUIDs. Texts that are one of these become it; any other text becomes the
    UUID that is made of it, always the same (version 5), and stays in the payload as ``id``.
    """
    if text.isascii() and text.isdigit() and text == str(int(text)) and int(text) < 2**64:
        return int(text)
    try:
        if str(uuid.UUID(text)) == text:
            return text
    except ValueError:
        pass
    return str(uuid.uuid5(uuid.NAMESPACE_OID, text))


def item_id(point: Any, field: str | None) -> str:
    """Return the id of an item: the text in a field of the payload if `point_id` made that of the point of it."""
    text = None if field is None else field_of(point.payload, field)
    return text if isinstance(text, str) and point_id(text) == point.id else str(point.id)


def field_of(payload: Mapping[str, Any] | None, name: str | None) -> Any:
    """Return a field of a payload, or of a field inside another, ``a.b``; ``None`` if there is none."""
    if name is None or not payload:
        return None
    if name in payload:
        return payload[name]
    value: Any = payload
    for part in name.split('.'):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def named_vectors(vector: Any) -> dict[str, Any]:
    """Return the vectors of a point, or their parameters, by name; the unnamed one has the empty name."""
    return dict(vector or {}) if isinstance(vector, dict) or vector is None else {'': vector}
