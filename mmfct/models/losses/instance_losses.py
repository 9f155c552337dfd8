"""One value per instance from any loss of the hosts."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call

from mmfct.functional.task_weighting import mean_over_valid

_UNLABELLED = -100  # torch's cross-entropy is 0 for this class: mmpretrain's images without a label may have it


def instance_losses(
    loss: nn.Module,
    prediction: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int | None = None,
    *,
    summed: bool = False,
    keep_buffers: bool = False,
) -> tuple[Tensor, Tensor]:
    """Return the mean of a loss over the valid elements of each instance.

    Some losses count in buffers what they are called with, as ``SeesawLoss`` does the samples of each class. Only the
    call that trains may count: in evaluation mode and without gradient, where labels are compared, buffers stay.

    Weights of classes keep the scale of the loss where they do in the host: mmseg divides cross-entropy by their sum.

    Args:
        loss: Loss with the signature that mmseg's and mmpretrain's share: ``loss(prediction, target, weight=...,
            reduction_override='none')``.
        prediction: Scores of shape (B, C) or (B, C, H, W).
        target: Labels of shape (B,) or (B, H, W), or soft labels (B, C).
        weight: Weight of each element, as the hosts pass it on.
        ignore_index: Label of elements that do not count; passed on to the loss where it is given. Otherwise it is
            -100, as in torch.
        summed: Whether to return the sum over them instead, as over the classes of an image with several labels.
        keep_buffers: Whether the buffers of the loss stay as they are in any case.

    Returns:
        Losses (B,) and booleans (B,): whether the instance has a valid element.

    Raises:
        ValueError: If the loss has another signature, or does not return unreduced values.
    """
    values = unreduced(loss, prediction, target, weight, ignore_index, keep_buffers=keep_buffers)
    if values.dim() == 0 or len(values) != len(prediction):
        raise ValueError(
            f'`loss` must return one value per instance or element with `reduction_override="none"`, got shape '
            f'{tuple(values.shape)} from {type(loss).__name__} for {len(prediction)} instances; one that judges a '
            'batch as a whole, such as TverskyLoss or LovaszLoss without `per_image`, can stand unwrapped beside '
            'another'
        )
    valid = torch.ones_like(values, dtype=torch.bool)
    if ignore_index is None and target.shape == values.shape and not target.is_floating_point():
        valid = target != _UNLABELLED
    elif ignore_index is not None and target.shape == values.shape:
        valid = target != ignore_index
    elif ignore_index is not None and target.shape == values.shape[:1] + values.shape[2:]:
        valid = (target != ignore_index).unsqueeze(1).expand_as(values)  # a value per class, as sigmoids have
    elif ignore_index is not None and values.dim() == 1 and target.dim() > 1:
        valid = (target != ignore_index).flatten(1).any(dim=1)  # a value per map, as DiceLoss has
    means, annotated = mean_over_valid(values, valid)
    scales = _scales(loss, prediction, target)
    if scales is not None and not summed:
        mean_scales = mean_over_valid(scales, valid)[0]
        annotated = annotated & (mean_scales > 0)
        means = means / torch.where(annotated, mean_scales, 1.0)
    return (means * valid[..., None].flatten(1).sum(dim=1) if summed else means), annotated


def unreduced(
    loss: nn.Module,
    prediction: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int | None = None,
    *,
    keep_buffers: bool = False,
) -> Tensor:
    """Return the values of a loss per element or instance; arguments and errors as for :func:`instance_losses`."""
    options = {} if ignore_index is None else {'ignore_index': ignore_index}
    arguments = dict(weight=weight, reduction_override='none', **options)
    keep_buffers = keep_buffers or not loss.training or not torch.is_grad_enabled()
    copies = {name: buffer.clone() for name, buffer in loss.named_buffers()} if keep_buffers else {}
    try:
        return functional_call(loss, copies, (prediction, target), arguments)
    except TypeError as error:
        names = ', '.join(['weight', 'reduction_override', *options])
        raise ValueError(f'`loss` must be one that takes {names}, got {type(loss).__name__}: {error}') from error


def _scales(loss: nn.Module, prediction: Tensor, target: Tensor) -> Tensor | None:
    """Return the weight of each element (B, ...) by whose sum, and not by whose number, a loss divides; ``None`` else.

    Of the hosts' losses, mmseg's ``CrossEntropyLoss`` with softmax and ``class_weight`` does.
    """
    softmax = hasattr(loss, 'avg_non_ignore') and not loss.use_sigmoid
    if not softmax or loss.class_weight is None or target.dim() == prediction.dim():
        return None
    weights = prediction.new_tensor(loss.class_weight)
    return weights[target.clamp(0, len(weights) - 1)]
