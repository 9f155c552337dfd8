"""lambda-Orthogonality: map old and new embeddings into a common space close to the old one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmfct.functional.orthogonality import relaxed_orthogonality
from mmfct.models.heads.transformation_head import TransformationHead
from mmfct.registry import MODELS


@MODELS.register_module()
class OrthogonalAlignmentHead(TransformationHead):
    """Upgrade a gallery into a space that new queries are rotated to: lambda-Orthogonality (arXiv 2509.16664).

    A nearly orthogonal backward map ``B(new) = W new + b`` brings new embeddings close to old ones. The forward map F,
    the transformation of `TransformationHead`, maps old embeddings to ``B(new)``::

        loss = forward_weight || F(old, side) - B(new) ||^2 + backward_weight || B(new) - old ||^2
             + contrast_weight SupCon(F(old, side); B(new), old) + relaxed_orthogonality(W)

    Squares are means over dimensions, as everywhere in this package. SupCon is the supervised contrastive loss by
    angle (Khosla et al. 2020), which attracts every F(old, side) to B(new) and old of all images of its class in the
    batch. The paper's weights, slack and pairs of SupCon are not known to us; the defaults are plain ones, and no
    others were tried. Side-information comes from FCT; the paper has none.

    Args:
        old_dims: Width D of the old embedding.
        side_dims: See `TransformationHead`.
        new_dims: Width of the new embedding; must be D.
        hidden_dims: See `TransformationHead`.
        forward_weight: Factor of the loss of F.
        backward_weight: Factor of the loss of B.
        contrast_weight: Factor of SupCon.
        slack: See `relaxed_orthogonality`; from about 1 on, W can turn from a reflection into a rotation.
        sharpness: See `relaxed_orthogonality`.
        temperature: Temperature of SupCon.
        init_cfg: Initialisation config.

    Raises:
        ImportError: If ``pytorch-metric-learning``, which has SupCon, is not installed.
        ValueError: If the widths of old and new differ.
    """

    query_map: nn.Linear

    def __init__(
        self,
        old_dims: int,
        side_dims: int,
        new_dims: int,
        *,
        hidden_dims: int = 2048,
        forward_weight: float = 1.0,
        backward_weight: float = 1.0,
        contrast_weight: float = 1.0,
        slack: float = 1.0,
        sharpness: float = 10.0,
        temperature: float = 0.1,
        init_cfg: dict | None = None,
    ) -> None:
        if old_dims != new_dims:
            raise ValueError(f'`new_dims` must be `old_dims`, {old_dims}, for an orthogonal map, got {new_dims}')
        super().__init__(old_dims, side_dims, new_dims, hidden_dims=hidden_dims, init_cfg=init_cfg)
        self.query_map = nn.Linear(new_dims, new_dims)  # B
        nn.init.orthogonal_(self.query_map.weight)
        nn.init.zeros_(self.query_map.bias)
        self.forward_weight, self.backward_weight = forward_weight, backward_weight
        self.contrast_weight = contrast_weight
        self.slack, self.sharpness = slack, sharpness
        self.contrast = _sup_con(temperature)

    def loss(self, old: Tensor, side: Tensor, new: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """Return ``loss_forward``, ``loss_backward``, ``loss_contrast`` and ``loss_orthogonality``.

        Args:
            old: Old embeddings (B, D).
            side: Side-information (B, S).
            new: New embeddings (B, D).
            labels: Classes (B,).

        Raises:
            ValueError: If a width is wrong, or there are no labels.
        """
        if labels is None or bool((labels < 0).any()):
            raise ValueError(f'the contrastive loss needs the label of every image, got {labels}')
        self.check_widths(new=new)
        upgraded, query = self._upgrade(old, side), self.map_queries(new)
        contrast = self.contrast(upgraded, labels, ref_emb=torch.cat([query, old]), ref_labels=labels.repeat(2))
        return dict(
            loss_forward=self.forward_weight * self.loss_module(upgraded, query).mean(),
            loss_backward=self.backward_weight * self.loss_module(query, old).mean(),
            loss_contrast=self.contrast_weight * contrast,
            loss_orthogonality=relaxed_orthogonality(
                self.query_map.weight, slack=self.slack, sharpness=self.sharpness
            ),
        )


def _sup_con(temperature: float) -> nn.Module:
    try:
        from pytorch_metric_learning.losses import SupConLoss
    except ImportError as error:
        raise ImportError(
            'mmfct.OrthogonalAlignmentHead needs pytorch-metric-learning; '
            "install it with `pip install 'mmfct[metric-learning]'`"
        ) from error
    return SupConLoss(temperature=temperature)
