"""CityScapes' label ids, and the 19 classes or 7 categories that they form."""

from __future__ import annotations

import numpy as np

IGNORED = 255
NUM_LABEL_IDS = 34  # of ``*_gtFine_labelIds.png``: 0 to 33
CLASS_SETS = (19, 7)
# Label id, class, category, colour (RGB). The other ids (void, and parking, rail track, guard rail, bridge, tunnel,
# pole group, caravan, trailer) are in neither of CityScapes' own scores, and ignored in both class sets.
_EVALUATED = (
    (7, 'road', 'flat', (128, 64, 128)),
    (8, 'sidewalk', 'flat', (244, 35, 232)),
    (11, 'building', 'construction', (70, 70, 70)),
    (12, 'wall', 'construction', (102, 102, 156)),
    (13, 'fence', 'construction', (190, 153, 153)),
    (17, 'pole', 'object', (153, 153, 153)),
    (19, 'traffic light', 'object', (250, 170, 30)),
    (20, 'traffic sign', 'object', (220, 220, 0)),
    (21, 'vegetation', 'nature', (107, 142, 35)),
    (22, 'terrain', 'nature', (152, 251, 152)),
    (23, 'sky', 'sky', (70, 130, 180)),
    (24, 'person', 'human', (220, 20, 60)),
    (25, 'rider', 'human', (255, 0, 0)),
    (26, 'car', 'vehicle', (0, 0, 142)),
    (27, 'truck', 'vehicle', (0, 0, 70)),
    (28, 'bus', 'vehicle', (0, 60, 100)),
    (31, 'train', 'vehicle', (0, 80, 100)),
    (32, 'motorcycle', 'vehicle', (0, 0, 230)),
    (33, 'bicycle', 'vehicle', (119, 11, 32)),
)


def class_names(num_classes: int) -> tuple[str, ...]:
    """Names of the 19 classes (in the order of the train ids) or of the 7 categories.

    Args:
        num_classes: 19 or 7.

    Raises:
        ValueError: If there is no such class set.
    """
    return tuple(dict.fromkeys(_name_of_row(row, num_classes) for row in _EVALUATED))


def class_palette(num_classes: int) -> list[list[int]]:
    """RGB colours of the classes; a category has the colour of its first class.

    Args:
        num_classes: 19 or 7.

    Raises:
        ValueError: If there is no such class set.
    """
    colors: dict[str, tuple[int, int, int]] = {}
    for row in _EVALUATED:
        colors.setdefault(_name_of_row(row, num_classes), row[3])
    return [list(color) for color in colors.values()]


def class_table(num_classes: int) -> np.ndarray:
    """Class of every label id, uint8 of shape (34,), 255 where it is ignored.

    Args:
        num_classes: 19 or 7.

    Raises:
        ValueError: If there is no such class set.
    """
    names = class_names(num_classes)
    table = np.full(NUM_LABEL_IDS, IGNORED, np.uint8)
    for row in _EVALUATED:
        table[row[0]] = names.index(_name_of_row(row, num_classes))
    return table


def _name_of_row(row: tuple, num_classes: int) -> str:
    if num_classes not in CLASS_SETS:
        raise ValueError(f'`num_classes` must be 19 (classes) or 7 (categories), got {num_classes!r}')
    return row[1] if num_classes == 19 else row[2]
