"""Keys of training instances: stable from run to run, however the data set is wrapped."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mmfct.instances.positions import find_positions, number_instances
from mmfct.instances.sample_tasks import instance_name
from mmfct.instances.shared_images import SharedImages


class InstanceKeys:
    """The instances of a data set: a key for each, and its row in a table.

    With the default field, an instance is an image file; its key is the path relative to the folder that all images
    have in common, so moving the data does not change it. An image that comes with several annotations (of two people,
    of its tiles, of frames under one path) is several instances: `of` finds what tells them apart and adds it to their
    keys, as in ``a.png#3``. Rows follow the order of first appearance.

    Args:
        values: ``img_path`` or ``sample_idx`` of every instance; a value that comes again is the same instance.
        field: ``'img_path'`` or ``'sample_idx'``.
        contents: Hash of what the instances are, for the fingerprint: numbers alone do not tell two data sets apart.
        shared: What tells the instances of one image apart, if any image has several.

    Raises:
        ValueError: If ``field`` is another one.
    """

    def __init__(
        self,
        values: Iterable[str | int],
        *,
        field: str = 'img_path',
        contents: str = '',
        shared: SharedImages | None = None,
    ) -> None:
        if field not in ('img_path', 'sample_idx'):
            raise ValueError(f"`field` must be 'img_path' or 'sample_idx', got {field!r}")
        self.field = field
        self._contents = contents
        self._shared = shared
        self._folder = ''
        names = [self._normalize(value) for value in values]
        if field == 'img_path' and names:
            # A prefix of the first and the last in alphabetical order is one of all.
            common = os.path.commonprefix([min(names), max(names)])
            self._folder = common[: common.rfind('/') + 1]
        self._rows = {key: row for row, key in enumerate(dict.fromkeys(name[len(self._folder) :] for name in names))}

    @classmethod
    def of(cls, dataset: Any, field: str = 'img_path') -> InstanceKeys:
        """Find the instances of a data set, through all wrappers, without running a pipeline.

        Args:
            dataset: A data set, wrapped by those of mmengine, torch and this project as often as you like.
            field: ``'img_path'``, or ``'sample_idx'`` for a data set without file names.

        Raises:
            ValueError: If an image has no such field; several data sets are concatenated and the field is
                ``'sample_idx'``, which each of them counts from 0; or nothing tells two annotations of an image apart.
            TypeError: If an innermost data set gives no annotations.
        """
        positions = find_positions(dataset)
        if field == 'sample_idx' and len(positions.sources) > 1:
            raise ValueError(
                f"`field` must be 'img_path' for concatenated data sets, each of which counts its own images: give "
                f'the images file names; got {field!r} and {len(positions.sources)} data sets'
            )
        values = []
        contents = hashlib.sha256()
        chosen = number_instances(positions)[1]
        for position in chosen:
            info = positions.annotation(position)
            if info.get(field) is None:
                raise ValueError(
                    f"`field` must be in the annotation of every image ('sample_idx' always is), got {field!r} and an "
                    f'annotation with {sorted(info)}'
                )
            values.append(info[field])
            if field == 'sample_idx':
                add_numbers(contents, info)
        if field == 'sample_idx':
            return cls(values, field=field, contents=contents.hexdigest())
        counts = Counter(values)
        again = [positions.annotation(i) for i, value in zip(chosen, values, strict=True) if counts[value] > 1]
        shared = SharedImages.of(again)
        if shared is not None:
            infos = iter(again)
            pairs = [(value, next(infos) if counts[value] > 1 else None) for value in values]
            values = [shared.name(info) if info and value in shared.paths else value for value, info in pairs]
        return cls(values, field=field, shared=shared)

    @property
    def keys(self) -> list[str]:
        """Key of every row."""
        return list(self._rows)

    @property
    def fingerprint(self) -> str:
        """Hash of the keys and their order; without file names, also of labels and of images held in memory."""
        return keys_fingerprint([*self.keys, self._contents] if self._contents else self.keys)

    def __len__(self) -> int:
        return len(self._rows)

    def name_of(self, sample: Any) -> Any:
        """Return what identifies the instance of a data sample; ``None`` for a multi-task sample without annotation.

        Args:
            sample: A data sample of a host.

        Raises:
            ValueError: If its meta information lacks it.
        """
        name = instance_name(sample, self.field)
        if name is None or self._shared is None or name not in self._shared.paths:
            return name
        fields = {field: instance_name(sample, field) for field in self._shared.fields}
        return self._shared.name(dict(fields, img_path=name))

    def name(self, annotation: Mapping[str, Any]) -> str | int:
        """Return what identifies the instance of an annotation."""
        name = annotation[self.field]
        return self._shared.name(annotation) if self._shared is not None and name in self._shared.paths else name

    def row(self, value: str | int) -> int:
        """Row of an instance.

        Args:
            value: What `name` or `name_of` returns.

        Raises:
            ValueError: If the data set has no such instance.
        """
        name = self._normalize(value)
        row = self._rows.get(name[len(self._folder) :]) if name.startswith(self._folder) else None
        if row is None:
            raise ValueError(
                f'`{self.field}` must be that of one of the {len(self)} training instances in {self._folder!r}, '
                f'got {value!r}'
            )
        return row

    def _normalize(self, value: str | int) -> str:
        """Return the absolute path with slashes, or the number as text."""
        if self.field == 'sample_idx':
            return str(value)
        return os.path.abspath(str(value)).replace(os.sep, '/')


def keys_fingerprint(keys: Sequence[str]) -> str:
    """Hash keys and their order.

    Args:
        keys: Keys of instances.

    Returns:
        ``'sha256:'`` and 64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for key in keys:
        digest.update(key.encode('utf-8', 'surrogateescape') + b'\0')  # no file name contains this byte
    return f'sha256:{digest.hexdigest()}'


def add_numbers(digest: Any, annotation: Mapping[str, Any]) -> None:
    """Add the numbers of an annotation to a hash: its label, and its image where it is held in memory."""
    for name, value in sorted(annotation.items()):
        if isinstance(value, (int, float, np.ndarray)):
            digest.update(f'{name} {np.shape(value)} '.encode() + np.asarray(value).tobytes())
