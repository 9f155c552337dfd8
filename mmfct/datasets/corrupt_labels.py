"""Deliberately wrong labels: annotations permuted between images, or changed."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset, force_full_init

from mmfct.datasets.label_errors import FIELD, PERMUTED, MapLoader, label_error, swap_classes
from mmfct.datasets.label_swaps import draw_donors, draw_instances
from mmfct.datasets.wrapped_dataset import wrapped_dataset
from mmfct.instances.positions import find_positions, inner_positions, number_instances
from mmfct.registry import DATASETS

# Parts of an annotation that belong together, by task; the first is None, or absent, where there is no annotation.
_FIELDS = dict(
    seg=('seg_map_path',),
    parts=('seg_map_path',),
    depth=('depth_map_path', 'camera_path'),
    pose=('pose_path',),
    label=('gt_label',),
)
_CLASSES = ('seg', 'parts', 'label')  # what the classes of an image are those of


@DATASETS.register_module()
class CorruptLabels:
    """Wrapper that makes the annotations of some instances wrong, for each task independently: it permutes them.

    For each task a share of the annotated instances is drawn, and their annotations are shifted along one random
    cycle, so that none keeps its own. With the same seed, a larger share includes the instances of a smaller one. An
    instance that an inner wrapper repeats has the same wrong annotation every time.

    Other kinds of errors are those that ``kinds`` names. Maps can have the right half of another image's map
    (``'half'``), be ``'mirrored'``, or ``'shifted'`` to the right by a ``share`` of the width, a quarter; what leaves
    on the right comes back on the left. Depth can be ``'scaled'`` by a ``factor``, 2. Labels can have two ``classes``
    ``'swapped'``, in a share of the instances that have one of them (where the data set knows its classes)::

        dict(
            type='mmfct.CorruptLabels',
            fractions=dict(seg=0.2, depth=0.4),
            kinds=dict(seg=dict(type='swapped', classes=(0, 3)), depth='mirrored'),
            ...,
        )

    These are applied to maps as they are loaded, by ``mmfct.LoadLabelMap``, ``mmfct.LoadDisparity`` and
    ``mmfct.LoadSurreal``.

    Args:
        dataset: An mmengine data set, wrappers of mmengine around such, or ``mmfct.ClassSubset``; or a config.
        fractions: Share of instances by task: ``'seg'`` and ``'parts'`` permute ``seg_map_path``, ``'depth'``
            ``depth_map_path`` with ``camera_path``, ``'pose'`` ``pose_path``, and ``'label'`` ``gt_label``.
        seed: Seed of all choices.
        fields: Further tasks: fields of the annotation by name of the task.
        kinds: Kind of the errors by task, where it is not ``'permuted'``; a name, or a dict with ``type`` and options.
        lazy_init: Whether to choose the instances only on first use.

    Raises:
        ValueError: If a task or a kind is unknown, a fraction is not from 0 to 1, a fraction above 0 chooses fewer
            than 2 instances, the seed is negative, or no transform applies a kind.
        TypeError: If ``dataset`` is neither a config nor made of data sets that run a pipeline on an annotation.
    """

    def __init__(
        self,
        dataset: dict | BaseDataset,
        fractions: Mapping[str, float],
        *,
        seed: int = 0,
        fields: Mapping[str, Sequence[str]] | None = None,
        kinds: Mapping[str, str | Mapping[str, Any]] | None = None,
        lazy_init: bool = False,
    ) -> None:
        self.fields = _FIELDS | {task: tuple(names) for task, names in (fields or {}).items()}
        unknown = sorted(set(fractions) - set(self.fields))
        if unknown:
            raise ValueError(f'`fractions` must be for tasks from {tuple(self.fields)}, got {unknown!r}')
        if not all(0 <= fraction <= 1 for fraction in fractions.values()):
            raise ValueError(f'`fractions` must be from 0 to 1, got {dict(fractions)!r}')
        if not set(kinds or {}) <= set(fractions):
            raise ValueError(
                f'`kinds` must be for tasks of `fractions`, {tuple(fractions)}, got {tuple(kinds or {})!r}'
            )
        if seed < 0:
            raise ValueError(f'`seed` must be at least 0, got {seed!r}')
        self.dataset = wrapped_dataset(dataset)
        self.fractions = dict(fractions)
        self.errors = {task: label_error(task, (kinds or {}).get(task, PERMUTED)) for task in fractions}
        self.seed = seed
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    @property
    def metainfo(self) -> dict:
        """Meta information of the wrapped data set."""
        return copy.deepcopy(self.dataset.metainfo)

    @property
    def corrupted(self) -> dict[str, np.ndarray]:
        """For each task, whether an item has a wrong annotation: bool of shape (len(self),)."""
        self.full_init()
        return {task: wrong.copy() for task, wrong in self._corrupted.items()}

    def full_init(self) -> None:
        """Initialise the wrapped data set and choose the wrong annotations."""
        if self._fully_initialized:
            return
        self._positions = find_positions(self.dataset)
        for source in self._positions.sources:
            _check_source(source)
        self._check_loaders()
        number, first = number_instances(self._positions)
        annotations = self._read_annotations(first)
        self._donors: dict[str, np.ndarray] = {}
        self._corrupted: dict[str, np.ndarray] = {}
        for task, values in annotations.items():
            donors, wrong = self._draw(task, values, first)
            self._donors[task] = first[donors][number]
            self._corrupted[task] = wrong[number]
        self._fully_initialized = True

    @force_full_init
    def __len__(self) -> int:
        return len(self._positions.index)

    @force_full_init
    def __getitem__(self, idx: int) -> Any:
        return self.fetch(idx)

    @force_full_init
    def fetch(self, idx: int, replacements: np.ndarray | None = None) -> Any:
        """Return item ``idx`` through the pipeline.

        Args:
            idx: Position of the item.
            replacements: Positions of the items that may replace a training image which the pipeline rejects, int64
                of shape (N,); ``None`` for all.

        Raises:
            RuntimeError: If the pipeline rejects all of them.
        """
        source = self._positions.sources[self._positions.source[idx]]
        attempts = 1 if source.test_mode else source.max_refetch + 1
        for _ in range(attempts):
            source = self._positions.sources[self._positions.source[idx]]
            data = source.pipeline(self.get_data_info(idx))
            if data is not None:
                return data
            idx = int(np.random.choice(len(self) if replacements is None else replacements))
        raise RuntimeError(
            f'the pipeline of `dataset` returned None {attempts} times in a row; check the images and the pipeline'
        )

    @force_full_init
    def get_data_info(self, idx: int) -> dict:
        """Return the annotation of item ``idx``, wrong where it is corrupted; image and ``sample_idx`` are its own."""
        idx = range(len(self))[idx]
        info = self.dataset.get_data_info(idx)
        for task, wrong in self._corrupted.items():
            if wrong[idx]:
                donor = self.dataset.get_data_info(int(self._donors[task][idx]))
                self._make_wrong(info, task, donor)
        return info

    @force_full_init
    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the classes of item ``idx``, those of its wrong annotation if it has one."""
        own = self.dataset.get_cat_ids(idx)
        for task in _CLASSES:
            if task not in self._corrupted or not self._corrupted[task][idx]:
                continue
            error = self.errors[task]
            if error['type'] == 'swapped':
                return swap_classes(np.asarray(own, np.int64), error['classes']).tolist()
            other = self.dataset.get_cat_ids(int(self._donors[task][idx]))
            return other if error['type'] == PERMUTED else sorted({*own, *other})
        return own

    def _draw(self, task: str, values: list, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return, for every instance, whose annotation it gets a part of, and whether its own is wrong; both (I,)."""
        error, fraction = self.errors[task], self.fractions[task]
        if error['type'] in (PERMUTED, 'half'):
            donors = draw_donors(values, fraction, task=task, seed=self.seed)
            # An annotation swapped for an equal one, such as the same class, is still right.
            return donors, np.array([not np.array_equal(values[i], values[j]) for i, j in enumerate(donors)], bool)
        if error['type'] == 'swapped':
            values = [
                value if self._has(error['classes'], i) else None for i, value in zip(first, values, strict=True)
            ]
        wrong = np.zeros(len(values), bool)
        wrong[draw_instances(values, fraction, task=task, seed=self.seed)] = True
        return np.arange(len(values)), wrong

    def _has(self, classes: Sequence[int], position: int) -> bool:
        """Return whether an item has one of two classes; true where the data set cannot tell."""
        # The innermost data set: mmengine's wrappers do not all hand `get_cat_ids` on.
        source = self._positions.sources[self._positions.source[position]]
        try:
            return not set(classes).isdisjoint(source.get_cat_ids(int(self._positions.index[position])))
        except NotImplementedError:
            return True

    def _make_wrong(self, info: dict, task: str, donor: dict) -> None:
        """Make the annotation of a task wrong, in place."""
        error, names = self.errors[task], self.fields[task]
        if error['type'] == PERMUTED:
            info.update({field: donor.get(field) for field in names})
        elif task == 'label':
            swapped = swap_classes(np.asarray(info[names[0]]), error['classes'])
            info[names[0]] = swapped.item() if swapped.ndim == 0 else swapped
        else:
            # The transform that loads the map makes it wrong.
            error = (
                error | dict(donor={field: donor.get(field) for field in names}) if error['type'] == 'half' else error
            )
            info[FIELD] = info.get(FIELD, {}) | {task: error}

    def _check_loaders(self) -> None:
        """Raise an error if no transform makes the maps of a task wrong."""
        for task, error in self.errors.items():
            if error['type'] == PERMUTED or task == 'label' or not self.fractions[task]:
                continue
            for source in self._positions.sources:
                steps = getattr(source.pipeline, 'transforms', ())
                if steps and not any(isinstance(step, MapLoader) and task in step.error_tasks for step in steps):
                    raise ValueError(
                        f"`kinds` of the task {task!r} must be 'permuted' unless a transform of mmfct loads its "
                        f'maps, got {error["type"]!r} and {[type(step).__name__ for step in steps]}'
                    )

    def _read_annotations(self, first: np.ndarray) -> dict[str, list]:
        """Return the annotations, by task, of the instances at the positions ``first`` of shape (I,)."""
        annotations: dict[str, list] = {task: [] for task in self.fractions}
        for position in first:
            info = self.dataset.get_data_info(int(position))
            for task, values in annotations.items():
                values.append(info.get(self.fields[task][0]))
        return annotations


def _check_source(source: Any) -> None:
    """Raise an error if a data set does anything but run its pipeline on an annotation."""
    kind = type(source)
    methods = ('__getitem__', 'prepare_data')
    if not isinstance(source, BaseDataset) or any(getattr(kind, m) is not getattr(BaseDataset, m) for m in methods):
        raise TypeError(
            '`dataset` must be made of data sets that run a pipeline on an annotation as '
            f'mmengine.dataset.BaseDataset does, got {kind}'
        )


@inner_positions.register(CorruptLabels)
def _(dataset: CorruptLabels) -> np.ndarray:
    return np.arange(len(dataset))
