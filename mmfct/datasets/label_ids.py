"""What the ids in a label map mean: CityScapes' label ids, class numbers, or ids of the user's own."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mmfct.datasets.cityscapes_labels import (
    CLASS_SETS,
    IGNORED,
    NUM_LABEL_IDS,
    class_names,
    class_palette,
    class_table,
)

UNKNOWN = 254  # marks ids that no file may hold
_NAMES = ('cityscapes', 'classes')

LabelIds = str | Mapping[int, int] | None


def check_label_ids(label_ids: LabelIds, num_classes: int) -> None:
    """Check the options of a data set or transform.

    Raises:
        ValueError: If ``label_ids`` is none of those of `id_table`, or ``num_classes`` does not fit.
    """
    if not 1 <= num_classes < UNKNOWN:
        raise ValueError(f'`num_classes` must be from 1 to {UNKNOWN - 1}, got {num_classes!r}')
    if isinstance(label_ids, Mapping):
        wrong = {i: c for i, c in label_ids.items() if not (_is_byte(i) and (c == IGNORED or 0 <= c < num_classes))}
        if wrong or not label_ids:
            raise ValueError(
                f'`label_ids` must map ids from 0 to 255 to classes from 0 to {num_classes - 1}, or to {IGNORED} to '
                f'ignore them, got {wrong or label_ids!r}'
            )
    elif label_ids not in (None, *_NAMES):
        raise ValueError(f'`label_ids` must be one of {_NAMES}, a dict of class by id, or None, got {label_ids!r}')


def id_table(label_ids: LabelIds, num_classes: int) -> np.ndarray:
    """Return the class of every id, uint8 of shape (256,): 255 where ignored, 254 where no file may hold the id.

    Args:
        label_ids: ``'cityscapes'`` or None for CityScapes' label ids; ``'classes'`` for classes from 0 to
            ``num_classes - 1``, as the train ids are, with 255 where ignored; or a dict of class, or 255, by id.
        num_classes: Number of classes; 19 or 7 for CityScapes' label ids.

    Raises:
        ValueError: See `check_label_ids`; or if CityScapes' label ids do not form so many classes.
    """
    check_label_ids(label_ids, num_classes)
    table = np.full(256, UNKNOWN, np.uint8)
    if isinstance(label_ids, Mapping):
        for label_id, label in label_ids.items():
            table[label_id] = label
    elif label_ids == 'classes':
        table[:num_classes] = np.arange(num_classes)
        table[IGNORED] = IGNORED
    else:
        table[:NUM_LABEL_IDS] = class_table(num_classes)
    return table


def default_classes(label_ids: LabelIds, num_classes: int, layout: str) -> tuple[tuple[str, ...], list[list[int]]]:
    """Return names and colours (RGB) of the classes.

    Args:
        label_ids: See `id_table`.
        num_classes: Number of classes.
        layout: ``'npy'``, whose files hold classes, or another one.

    Raises:
        ValueError: If there are CityScapes' label ids that do not form so many classes.
    """
    own = label_ids not in (None, 'cityscapes') or layout == 'npy'
    if num_classes in CLASS_SETS or not own:
        try:
            return class_names(num_classes), class_palette(num_classes)
        except ValueError as error:
            raise ValueError(f'{error}; for labels of your own set `label_ids` too, see mmfct.LoadLabelMap') from None
    return tuple(f'class {label}' for label in range(num_classes)), [_color(label) for label in range(num_classes)]


def _is_byte(value: object) -> bool:
    return isinstance(value, int) and 0 <= value <= 255


def _color(label: int) -> list[int]:
    """Return a colour (RGB) that differs from those of other numbers: the bits of the number, as PASCAL VOC does."""
    color = [0, 0, 0]
    number = label + 1  # 0 would be black
    for shift in range(7, -1, -1):
        for channel in range(3):
            color[channel] |= (number >> channel & 1) << shift
        number >>= 3
    return color
