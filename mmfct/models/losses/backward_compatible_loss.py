"""The influence loss of backward compatible training."""

from __future__ import annotations

from mmfct.models.losses.frozen_classifier_loss import FrozenClassifierLoss
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
        key: Name of the classifier's weight, see `FrozenClassifierLoss`, which says what is raised, too.
        loss_weight: Factor of the loss.
    """

    def __init__(
        self, checkpoint: str, num_classes: int, *, key: str = 'head.fc.weight', loss_weight: float = 1.0
    ) -> None:
        super().__init__(checkpoint, num_classes=num_classes, key=key, loss_weight=loss_weight)
