"""Absolute and relative depth error over the valid pixels of a data set."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from mmfct.functional.measured_depth import measured_depth
from mmfct.registry import METRICS


@METRICS.register_module()
class DepthErrorMetric(BaseMetric):
    """Mean absolute and relative error of predicted depth maps, in the unit of the target.

    A pixel is valid where its target y is a measurement (`measured_depth`): positive, finite, and not the largest
    number of a 16-bit file. With predictions f, ``abs_error`` is the mean of ``|f - y|`` and ``rel_error`` that of
    ``|f - y| / y``, a fraction and not a percentage; both are means *over all valid pixels of the data set*, so
    neither the batch size nor the number of ranks changes them. The published CityScapes numbers (code of MTAN, which
    the CAGrad, Nash-MTL and FAMO tables go back to) use the same quotients, the relative one without a factor 100, but
    average the means of the batches of 8 images, which weights a pixel by how few valid ones its batch has.

    Images without a valid pixel do not count.

    Args:
        rmse: Whether to also report ``rmse``, the root of the mean squared error.
        signed: Whether targets may be 0 and below, such as depth relative to a point: then all finite ones are valid,
            and there is no ``rel_error``.
        collect_device: Where the sums of the ranks are exchanged: ``cpu`` or ``gpu``.
        prefix: First part of the names of the results; ``None`` for ``depth``.
    """

    default_prefix = 'depth'

    def __init__(
        self, *, rmse: bool = False, signed: bool = False, collect_device: str = 'cpu', prefix: str | None = None
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.rmse = rmse
        self.signed = signed

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Add up the errors of each image of a batch.

        Args:
            data_batch: Not used.
            data_samples: B samples, of which ``gt_depth_map`` and ``pred_depth_map`` have ``data`` of shape
                (1, H, W) or (H, W).

        Raises:
            KeyError: A sample has no target or no prediction.
            ValueError: The two maps of a sample differ in size, or a prediction is not finite at a valid pixel.
        """
        for sample in data_samples:
            target, prediction = (_map(sample, name) for name in ('gt_depth_map', 'pred_depth_map'))
            path = sample.get('img_path', 'unknown')
            if prediction.shape != target.shape:
                raise ValueError(
                    f'`pred_depth_map` must have the shape {tuple(target.shape)!r} of `gt_depth_map`, '
                    f'got {tuple(prediction.shape)!r} for {path!r}: predictions have the size of the original image, '
                    'so the pipeline must load the map after it has resized the image'
                )
            valid = measured_depth(target, signed=self.signed, rescale=sample.get('depth_rescale_factor', 1.0))
            truth = target[valid].double()  # (N,)
            errors = (prediction.to(target.device)[valid].double() - truth).abs()
            if not torch.isfinite(errors).all():
                raise ValueError(f'`pred_depth_map` must be finite at valid pixels, got NaN or infinity for {path!r}')
            relative = errors.new_zeros(()) if self.signed else (errors / truth).sum()
            sums = torch.stack([errors.sum(), relative, errors.square().sum()])
            # An image without valid pixels is kept, as zeros: mmengine counts results to tell those that the
            # sampler repeated.
            self.results.append((len(truth), *sums.tolist()))

    def compute_metrics(self, results: list[tuple[float, ...]]) -> dict[str, float]:
        """Divide the sums by the number of valid pixels.

        Args:
            results: For each image the number of valid pixels, and over these the sums of the absolute, relative
                and squared errors.

        Raises:
            ValueError: No image has a valid pixel.
        """
        pixels, *sums = (math.fsum(column) for column in zip(*results, strict=True)) if results else (0.0,)
        if not pixels:
            raise ValueError(
                f'`gt_depth_map` must have a valid pixel, {"" if self.signed else "positive and "}finite, in at least '
                f'one image, '
                f'got none in {len(results)} images'
            )
        absolute, relative, squared = (total / pixels for total in sums)
        metrics = dict(abs_error=absolute) if self.signed else dict(abs_error=absolute, rel_error=relative)
        return metrics | dict(rmse=math.sqrt(squared)) if self.rmse else metrics


def _map(sample: Mapping[str, Any], name: str) -> Tensor:
    """Return a depth map of a sample, of shape (H, W)."""
    if name not in sample:
        raise KeyError(f'a data sample must have {name!r}, got {sorted(sample)!r}')
    data = sample[name]['data']
    return data[0] if data.ndim == 3 and len(data) == 1 else data
