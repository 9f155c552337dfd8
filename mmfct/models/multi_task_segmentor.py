"""One encoder, a decode head per task, and one objective."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from mmengine.model import BaseModel, ModuleDict
from torch import Tensor, nn
from torch.nn import functional as F

from mmfct.instances.comparison import Comparison
from mmfct.models.current_epoch import current_epoch
from mmfct.models.original_maps import flipped_back, without_padding
from mmfct.models.sliding_windows import sliding_windows
from mmfct.models.task_weightings.task_weighting import TaskWeighting
from mmfct.models.tasks.task import Task
from mmfct.registry import MODELS


@MODELS.register_module()
class MultiTaskSegmentor(BaseModel):
    """Multi-task model made of mmseg's backbones, necks and decode heads, and of heads with a vector per image.

    The loss of an instance in a task is that of the head plus, in training, those of the auxiliary heads of the task
    with the ``loss_weight`` of each. They are losses of one label: a weight of the instance multiplies them all, and
    whether a label agrees with its image is judged by the head alone.

    Args:
        backbone: Config of the encoder.
        tasks: Config of each `Task` by name, such as `SegmentationTask`, `DepthTask` and `BodyPoseTask`; one is a
            single-task model.
        weighting: Config of the `TaskWeighting`: `AgreementWeighting` (with its hook), `EqualWeighting`, ...
        neck: Config of the neck between encoder and heads.
        data_preprocessor: Config of mmseg's ``SegDataPreProcessor``.
        align_corners: How maps are resized, as in mmseg.
        pretrained: Accepted since mmseg's ``init_model`` sets it; must be left out.
        train_cfg: As `pretrained`.
        test_cfg: How mmseg's segmentors predict: ``dict(mode='whole')``, or ``dict(mode='slide', crop_size=(h, w),
            stride=(h, w))`` for overlapping windows, whose outputs are averaged. In evaluation mode, losses are those
            of these predictions; in training always of whole images.
        init_cfg: Initialisation config.

    Attributes:
        task_names: Names of the tasks, in the order of columns (B, T).

    Raises:
        ValueError: If there is no task, ``mode`` is unknown, an option is out of range or has no meaning here, the
            labels of a batch differ in size, or windows slide over images of which a task predicts vectors.
    """

    def __init__(
        self,
        backbone: dict,
        tasks: dict[str, dict],
        weighting: dict,
        neck: dict | None = None,
        data_preprocessor: dict | None = None,
        align_corners: bool = False,
        pretrained: str | None = None,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        unused = dict(pretrained=pretrained, train_cfg=train_cfg)
        if any(unused.values()):
            raise ValueError(f'`pretrained` and `train_cfg` have no meaning here, got {unused}')
        self.windows = sliding_windows(test_cfg or {})
        if not tasks:
            raise ValueError('`tasks` must name at least one task, got none')
        self.align_corners = align_corners
        self.backbone = MODELS.build(backbone)
        self.neck = nn.Identity() if neck is None else MODELS.build(neck)
        # mmengine's, not torch's: that one has no `init_weights`, and heads would stay as they were made.
        self.tasks: Any = ModuleDict({name: MODELS.build(task) for name, task in tasks.items()})
        self.task_names = tuple(tasks)
        forms = {name: task.form for name, task in self.tasks.items()}
        self.weighting: TaskWeighting = MODELS.build(dict(weighting, forms=forms))

    def forward(self, inputs: Tensor, data_samples: Sequence[Any] | None = None, mode: str = 'tensor'):
        """Run one of the three modes of mmengine's models.

        Args:
            inputs: Images (B, 3, H, W).
            data_samples: mmseg's data samples, with ``gt_sem_seg``, ``gt_depth_map`` ...
            mode: ``'tensor'`` returns outputs (B, C, H, W), or (B, C), by task; ``'loss'`` the objective, and for the
                log the mean loss and weight of each task; ``'predict'`` the data samples with predictions of the
                original size.
        """
        if mode == 'tensor':
            return self._outputs(inputs)
        if mode == 'loss':
            return self._loss(inputs, data_samples or ())
        if mode == 'predict':
            return self._predict(inputs, data_samples)
        raise ValueError(f"`mode` must be 'tensor', 'loss' or 'predict', got {mode!r}")

    def has_label(self, task: str, data_sample: Any) -> bool:
        """Return whether a data sample has a label of a task, by its name, that counts in the loss."""
        return self.tasks[task].has_label(data_sample)

    def original_outputs(self, inputs: Tensor, data_samples: Sequence[Any]) -> Iterator[dict[str, Tensor]]:
        """Yield the outputs (C, H, W), or (C,), of each image by task, as of the original image.

        What the transforms have noted in the meta information is undone: padding, a flip, another size, and for depth
        a zoom.

        Args:
            inputs: Images (B, 3, H, W).
            data_samples: Their data samples.

        Raises:
            ValueError: If an image was flipped of which a task predicts a vector.
        """
        outputs = self._predicted(inputs)
        for i, sample in enumerate(data_samples):
            of_image = {name: output[i : i + 1] for name, output in outputs.items()}
            yield {name: self._original(of_image[name], task, sample.metainfo) for name, task in self.tasks.items()}

    def _original(self, output: Tensor, task: Task, meta: Mapping[str, Any]) -> Tensor:
        """Return an output (1, C, H, W), or (1, C), as of the original image, without the first dimension."""
        if output.dim() == 4:
            output = flipped_back(without_padding(output, meta), meta)
            output = self._resize(output, meta.get('ori_shape', output.shape[2:]))
        elif meta.get('flip'):
            raise ValueError(
                f'the pipeline must not flip images of which a task predicts a vector, such as {task.label_kind!r}, '
                f'got a flip of {meta.get("img_path", "an image")}'
            )
        return task.undo_zoom(output[0], meta)

    def _losses(
        self, outputs: Mapping[str, Tensor], data_samples: Sequence[Any]
    ) -> tuple[Tensor, Tensor, list[Comparison]]:
        """Return losses (B, T), booleans (B, T), and what they compare, for a weighting that needs it."""
        losses, annotated, comparisons = [], [], []
        for name, task in self.tasks.items():
            output = self._as_labels(outputs[name], task, data_samples)
            targets = task.targets(output, data_samples)
            values, has_label = task.compare(output, targets)
            losses.append(values)
            annotated.append(has_label)
            if self.weighting.needs_comparisons:
                comparisons.append(Comparison.of(task.compare, output, targets))
        return torch.stack(losses, dim=1), torch.stack(annotated, dim=1), comparisons

    def _auxiliary_losses(
        self, features: Sequence[Tensor], size: Sequence[int], data_samples: Sequence[Any]
    ) -> Tensor:
        """Return the sums of the losses of each task's auxiliary heads, (B, T), for images of this size."""
        sums = []
        for task in self.tasks.values():
            total = torch.zeros(len(data_samples), device=features[0].device)
            for auxiliary in task.auxiliary:
                output = self._as_labels(self._resize(auxiliary(features), size), auxiliary, data_samples)
                total = total + auxiliary.compare(output, auxiliary.targets(output, data_samples))[0]
            sums.append(total)
        return torch.stack(sums, dim=1)

    def _features(self, inputs: Tensor) -> Sequence[Tensor]:
        return self.neck(self.backbone(inputs))

    def _of_features(self, features: Sequence[Tensor], size: Sequence[int]) -> dict[str, Tensor]:
        return {name: self._resize(task(features), size) for name, task in self.tasks.items()}

    def _outputs(self, inputs: Tensor) -> dict[str, Tensor]:
        return self._of_features(self._features(inputs), inputs.shape[2:])

    def _predicted(self, inputs: Tensor) -> dict[str, Tensor]:
        """Return outputs (B, C, H, W), or (B, C), by task, of whole images or of windows."""
        return self._outputs(inputs) if self.windows is None else self.windows.mean_outputs(inputs, self._outputs)

    def _as_labels(self, maps: Tensor, task: Task, data_samples: Sequence[Any]) -> Tensor:
        """Return maps of the size of their labels, which in mmseg's validation have that of the original image."""
        if maps.dim() == 2:
            return maps
        sizes = {size for sample in data_samples if (size := task.label_size(sample)) is not None}
        if sizes <= {tuple(maps.shape[2:])}:
            return maps
        if len(sizes) > 1:
            raise ValueError(f'labels of a batch must be of one size, got {sorted(sizes)}; use a batch size of 1')
        (size,) = sizes
        parts = zip(maps.split(1), data_samples, strict=True)
        return torch.cat([self._resize(without_padding(part, sample.metainfo), size) for part, sample in parts])

    def _resize(self, maps: Tensor, size: Sequence[int]) -> Tensor:
        if maps.dim() == 2:  # vectors
            return maps
        if tuple(maps.shape[2:]) == tuple(size):
            return maps
        return F.interpolate(maps, tuple(size), mode='bilinear', align_corners=self.align_corners)

    def _loss(self, inputs: Tensor, data_samples: Sequence[Any]) -> dict[str, Tensor]:
        if self.training:
            features, size = self._features(inputs), inputs.shape[2:]
            losses, annotated, comparisons = self._losses(self._of_features(features, size), data_samples)
            losses = losses + self._auxiliary_losses(features, size, data_samples)
        else:
            losses, annotated, comparisons = self._losses(self._predicted(inputs), data_samples)
        if self.training and (epoch := current_epoch(self.weighting)) is not None:
            self.weighting.set_epoch(epoch)
        needed = dict(comparisons=comparisons) if self.weighting.needs_comparisons else {}
        objective, weights = self.weighting(losses, annotated, **needed)
        log = {'loss': objective}
        counts = annotated.sum(dim=0).clamp(min=1)
        for column, name in enumerate(self.task_names):
            # Only keys with "loss" in them are part of mmengine's sum.
            log[f'{name}_error'] = losses[:, column].detach().sum() / counts[column]
            log[f'{name}_weight'] = weights[column].detach()
        return log

    def _predict(self, inputs: Tensor, data_samples: Sequence[Any] | None) -> list[Any]:
        if data_samples is None:
            from mmseg.structures import SegDataSample

            data_samples = [SegDataSample() for _ in inputs]
        for sample, outputs in zip(data_samples, self.original_outputs(inputs, data_samples), strict=True):
            for name, task in self.tasks.items():
                task.add_prediction(outputs[name], sample)
        return list(data_samples)
