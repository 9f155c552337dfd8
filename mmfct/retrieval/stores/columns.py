"""Which columns of a store are the vectors, ids, labels and side-information of a gallery."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mmfct.retrieval.stores.say import say_once

# Kinds of columns, as stores name them in `choose_columns`.
VECTOR, TEXT, INTEGER, NUMBER, OTHER = 'lists of floats', 'texts', 'integers', 'numbers', 'other'
# Usual names in lower case; those of a later group count only where there is none of an earlier one.
_USUAL = dict(
    vector=(('embedding', 'embeddings', 'emb', 'vector', 'vectors', 'vec', 'feature', 'features'),),
    id=(
        ('id',),
        ('_id', 'ids', 'key', 'uid', 'uuid', 'pk', 'item_id', 'doc_id', 'image_id'),
        ('path', 'file', 'file_name', 'filename', 'image'),
    ),
    label=(('label', 'labels', 'class', 'classes', 'target', 'category', 'label_id', 'class_id', 'class_name'),),
    side=(('side_info', 'side', 'side_embedding', 'side_vector'),),
)
_KINDS = dict(vector=(VECTOR,), id=(TEXT, INTEGER), label=(TEXT, INTEGER, NUMBER), side=(VECTOR,))
_NEEDED = ('vector', 'id')
# What to do with vectors of another type: nothing says with which scale they were quantised.
FLOATS = (
    'write vectors of another type as floats first: integers of a quantised model as (code - zero point) * scale, '
    'bytes with `numpy.frombuffer`'
)


@dataclass(frozen=True)
class VectorColumns:
    """Names of columns in a store; ``None`` finds one by its usual name, an empty text means that there is none.

    Args:
        vector: Of the embeddings.
        id: Of the ids, texts or integers.
        label: Of the labels, texts or integers.
        side: Of the side-information.
    """

    vector: str | None = None
    id: str | None = None
    label: str | None = None
    side: str | None = None

    def __bool__(self) -> bool:
        """Whether any column is named."""
        return any(name is not None for name in (self.vector, self.id, self.label, self.side))


@dataclass(frozen=True)
class ChosenColumns:
    """Columns of a store that are read; an empty ``id`` stands for the store's own ids.

    Args:
        vector: Of the embeddings.
        id: Of the ids.
        label: Of the labels, if there are any.
        side: Of the side-information, if there is any.
    """

    vector: str
    id: str
    label: str | None
    side: str | None

    def __str__(self) -> str:
        parts = dict(
            embedding=self.vector, id=self.id or 'the ids of the store', label=self.label, side_info=self.side
        )
        return ', '.join(f'{part} = {name}' for part, name in parts.items() if name is not None)

    @property
    def names(self) -> list[str]:
        """All names, without repetitions."""
        return list(dict.fromkeys(name for name in (self.vector, self.id, self.label, self.side) if name))


def choose_columns(
    available: Mapping[str, str], wanted: VectorColumns, where: object, *, own_ids: bool = False
) -> ChosenColumns:
    """Find the columns of a gallery among those of a store.

    Args:
        available: Kind of each column by name: ``VECTOR``, ``TEXT``, ``INTEGER``, ``NUMBER`` or what its type is.
        wanted: Columns that the user named.
        where: What messages call the store.
        own_ids: Whether the store has ids of its own, which are taken if no column of ids is named.

    Returns:
        The columns.

    Raises:
        ValueError: If a named column is missing or of another kind, a needed one is not found, or several fit.
    """
    chosen = {
        part: '' if part == 'id' and own_ids and not wanted.id else _choose(part, available, wanted, where)
        for part in _KINDS
    }
    taken = [name for name in chosen.values() if name]
    repeated = next((name for name in taken if taken.count(name) > 1), None)
    if repeated is not None:
        raise ValueError(f'vector, id, label and side of {where} must be different columns, got {repeated!r} twice')
    return ChosenColumns(chosen['vector'] or '', chosen['id'] or '', chosen['label'], chosen['side'])


def _choose(part: str, available: Mapping[str, str], wanted: VectorColumns, where: object) -> str | None:
    name = getattr(wanted, part)
    fitting = [column for column, kind in available.items() if kind in _KINDS[part]]
    # A column that is named for one part is not found for another.
    others = {getattr(wanted, other) for other in _KINDS if other != part}
    if name:
        if name not in available:
            raise ValueError(f'{where} must have the {part} column {name!r}, got {_listed(available, available)}')
        if name not in fitting:
            raise ValueError(
                f'the {part} column {name!r} of {where} must hold {" or ".join(_KINDS[part])}, got {available[name]}'
                f'{_as_floats(part)}'
            )
        return name
    if name is not None:
        if part in _NEEDED:
            raise ValueError(f'{where} needs a column for `{part}`, got an empty name')
        return None
    fitting = [column for column in fitting if column not in others]
    for group in _USUAL[part]:
        found = [column for column in fitting if column.lower() in group]
        if len(found) > 1:
            _refuse_ambiguous(part, found, available, where)
        if found:
            return found[0]
    if part == 'vector' and len(fitting) > 1:
        _refuse_ambiguous(part, fitting, available, where)
    if part == 'vector' and fitting:
        return fitting[0]
    passed_over = [column for column in available if column.lower() in _USUAL[part][0] and column not in fitting]
    if passed_over and part not in _NEEDED and not others & {*passed_over}:
        say_once(
            f'{where}: {_listed(passed_over, available)} is not read as the {part}, which must hold '
            f'{" or ".join(_KINDS[part])}'
        )
    if part in _NEEDED:
        raise ValueError(
            f'{where} must have {"an" if part == "id" else "a"} {part} column with {" or ".join(_KINDS[part])}, got '
            f'{_listed(available, available)}; name it with `--{part}-column`{_as_floats(part)}'
        )
    return None


def _refuse_ambiguous(part: str, found: Iterable[str], available: Mapping[str, str], where: object) -> None:
    advice = '' if part in _NEEDED else f', or give an empty name for no {part}'
    raise ValueError(
        f'which column is the {part} of {where}? Got {_listed(found, available)}; name one with `--{part}-column`'
        f'{advice}'
    )


def _as_floats(part: str) -> str:
    return f'; {FLOATS}' if VECTOR in _KINDS[part] else ''


def _listed(names: Iterable[str], available: Mapping[str, str]) -> str:
    return ', '.join(f'{name} ({available[name]})' for name in names) or 'no column'
