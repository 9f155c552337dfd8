"""Points of Qdrant: their vectors by name, fields of their payload, and the ids of items."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mmfct.retrieval.stores.address import StoreAddress
from mmfct.retrieval.stores.columns import INTEGER, NUMBER, OTHER, TEXT
from mmfct.retrieval.stores.present import say_missing

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


def payload_kinds(points: Sequence[Any], named: Iterable[str | None]) -> dict[str, str]:
    """Return the kinds of the fields of some points, and of those that are named: only other points may have these.

    Args:
        points: The points.
        named: Names of fields; inside others, ``a.b``.

    Returns:
        Kind by name, see `choose_columns`.
    """
    found = [name for point in points for name in point.payload or ()]
    names = dict.fromkeys([*found, *(name for name in named if name)])
    return {name: _kind([field_of(point.payload, name) for point in points]) for name in names}


def having_vector(client: Any, address: StoreAddress, name: str) -> Any:
    """Return a filter for the points that have a vector, and say how many others there are.

    Raises:
        ValueError: If no point has it.
    """
    from qdrant_client import models

    wanted = models.Filter(must=[models.HasVectorCondition(has_vector=name)])
    present, rows = (client.count(address.name, count_filter=one).count for one in (wanted, None))
    say_missing(present, rows, f'vector {name!r} of {address.table}')
    return wanted


def _kind(values: list[Any]) -> str:
    given = [value for value in values if value is not None]
    if all(isinstance(value, str) for value in given):
        return TEXT
    if all(isinstance(value, int) and not isinstance(value, bool) for value in given):
        return INTEGER
    return NUMBER if all(isinstance(value, (int, float)) for value in given) else OTHER
