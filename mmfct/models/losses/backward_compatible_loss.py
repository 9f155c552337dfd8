"""The influence loss of backward compatible training."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mmfct.models.losses.frozen_classifier_loss import CLASSIFIER, FrozenClassifierLoss
from mmfct.registry import MODELS


@MODELS.register_module()
class BackwardCompatibleLoss(FrozenClassifierLoss):
    """Cross-entropy of new embeddings under the frozen old classifier: the baseline BCT (arXiv 2003.11942).

    Added to the new model's own loss, ``CE(w_new phi_new) + weight * CE(w_old phi_new)``, it makes new queries
    comparable with the old gallery, at a cost to the new model that FCT does not have. Images of classes the old
    model was not trained on contribute nothing. `mmfct.BackwardCompatibleHead` adds it to a classifier of the host.

    Args:
        checkpoint: Checkpoint of the old classifier.
        num_classes: The old model was trained on the labels below this number.
        old_labels: The old label of every new one, where the old model was trained with other labels (coarse ones);
            -1 for a class that it does not know. ``None`` where they are the same.
        key: Name of the classifier's weight, see `FrozenClassifierLoss`.
        loss_weight: Factor of the loss.

    Raises:
        FileNotFoundError: See `FrozenClassifierLoss`.
        ValueError: See there; also if ``old_labels`` has labels that the old model does not have.
    """

    old_labels: Tensor | None

    def __init__(
        self,
        checkpoint: str,
        num_classes: int,
        *,
        old_labels: Sequence[int] | None = None,
        key: str = CLASSIFIER,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__(checkpoint, num_classes=num_classes, key=key, loss_weight=loss_weight)
        if old_labels is not None and not all(-1 <= label < num_classes for label in old_labels):
            raise ValueError(
                f'`old_labels` must be from -1 to {num_classes - 1}, got {min(old_labels)} to {max(old_labels)}'
            )
        self.register_buffer('old_labels', None if old_labels is None else torch.tensor(old_labels), persistent=False)

    def forward(self, embedding: Tensor, labels: Tensor) -> Tensor:
        """Return the loss (B,) of new embeddings (B, D) with labels (B,)."""
        if self.old_labels is not None:
            known = (labels >= 0) & (labels < len(self.old_labels))
            labels = torch.where(known, self.old_labels[torch.where(known, labels, 0)], -1)
        return super().forward(embedding, labels)
