"""Overlapping windows of an image, as mmseg's segmentors predict in the mode ``slide``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class SlidingWindows:
    """Windows of one size at regular distances; the last ones end with the image.

    Args:
        crop_size: Height and width.
        stride: Distances in height and width.
    """

    crop_size: tuple[int, int]
    stride: tuple[int, int]

    def places(self, height: int, width: int) -> Iterator[tuple[slice, slice]]:
        """Yield rows and columns of each window of an image; a smaller image is one window."""
        for bottom in self._ends(height, 0):
            for right in self._ends(width, 1):
                yield (
                    slice(max(bottom - self.crop_size[0], 0), bottom),
                    slice(max(right - self.crop_size[1], 0), right),
                )

    def mean_outputs(self, inputs: Tensor, outputs_of: Callable[[Tensor], Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """Return maps (B, C, H, W) by task, each pixel the mean over the windows that it is in.

        Args:
            inputs: Images (B, 3, H, W).
            outputs_of: Function that returns the maps of a window by task.

        Raises:
            ValueError: If a task has a vector per image.
        """
        totals: dict[str, Tensor] = {}
        counts = inputs.new_zeros(1, 1, *inputs.shape[2:])
        for rows, columns in self.places(*inputs.shape[2:]):
            counts[..., rows, columns] += 1
            for name, output in outputs_of(inputs[..., rows, columns]).items():
                if output.dim() == 2:
                    raise ValueError(
                        f"`test_cfg` must have the mode 'whole' for tasks with a vector per image, got 'slide' and "
                        f'the task {name!r}'
                    )
                if name not in totals:
                    totals[name] = output.new_zeros(len(inputs), output.shape[1], *inputs.shape[2:])
                totals[name][..., rows, columns] += output
        return {name: total / counts for name, total in totals.items()}

    def _ends(self, size: int, axis: int) -> list[int]:
        crop, stride = self.crop_size[axis], self.stride[axis]
        steps = -(-max(size - crop, 0) // stride)
        return [min(step * stride + crop, size) for step in range(steps + 1)]


def sliding_windows(test_cfg: Mapping[str, Any]) -> SlidingWindows | None:
    """Return the windows that a ``test_cfg`` of mmseg asks for; ``None`` for whole images.

    Raises:
        ValueError: If the mode is unknown, or ``crop_size`` and ``stride`` are missing or leave gaps.
    """
    mode = test_cfg.get('mode', 'whole')
    if mode == 'whole':
        return None
    if mode != 'slide':
        raise ValueError(f"`mode` of `test_cfg` must be 'whole' or 'slide', got {mode!r}")
    crop_size, stride = (tuple(test_cfg.get(name) or ()) for name in ('crop_size', 'stride'))
    if len(crop_size) != 2 or len(stride) != 2 or not all(0 < s <= c for s, c in zip(stride, crop_size, strict=True)):
        raise ValueError(
            '`test_cfg` must have `crop_size` and `stride`, each (height, width), with strides from 1 to the size of '
            f"the crop where the mode is 'slide', got {dict(test_cfg)!r}"
        )
    return SlidingWindows(crop_size, stride)
