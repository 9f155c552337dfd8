"""The transformation h: (old embedding, side-information) -> new embedding."""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmfct.functional.uncertainty import heteroscedastic_loss
from mmfct.models.reference_keys import rename_transformation_keys
from mmfct.registry import MODELS
from mmfct.retrieval.transform.layers import build_perceptron


@MODELS.register_module()
class TransformationHead(BaseModule):
    """The transformation of FCT (arXiv 2112.02805): a branch per input and a mixer.

    Branches are ``d -> 2 d -> 2 D'`` and the mixer is ``4 D' -> hidden -> hidden -> D'``. Every layer is
    Linear-BN-ReLU except the last, which is a Linear with bias. The reference writes the same layers as 1x1
    convolutions on 1x1 maps; its state dicts load as they are.

    Args:
        old_dims: Width D of the old embedding.
        side_dims: Width S of the side-information. Without side-information, pass the old embedding to both branches
            and its width here, as the reference does, so that the ablation has the layers of both branches.
        new_dims: Width D' of the new embedding.
        hidden_dims: Width of the two hidden layers of the mixer.
        loss: Config of a per-instance loss ``(prediction (B, D'), target (B, D')) -> (B,)``.
        class_loss: Config of an additional per-instance loss ``(prediction (B, D'), labels (B,)) -> (B,)``, such as
            `FrozenClassifierLoss`, the discriminative term of FastFill (arXiv 2303.04766).
        with_uncertainty: Whether to predict a log-variance per item and weight the losses by it (FastFill,
            equation 5).
        init_cfg: Initialisation config.

    Attributes:
        query_map: What embeddings by the new model go through before they search upgraded items; ``None`` if they
            search as they are, and only then can the transformation be exported.
        uncertainty: Layer that predicts the log-variance of an upgraded embedding; ``None`` without uncertainty.
    """

    query_map: nn.Module | None
    uncertainty: nn.Linear | None

    def __init__(
        self,
        old_dims: int,
        side_dims: int,
        new_dims: int,
        *,
        hidden_dims: int = 2048,
        loss: dict | nn.Module | None = None,
        class_loss: dict | nn.Module | None = None,
        with_uncertainty: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.query_map = None
        self.old_dims, self.side_dims, self.new_dims = old_dims, side_dims, new_dims
        # Their names and layers are those that a transform file keeps, see `mmfct.retrieval.transform.layers`.
        self.old_branch = build_perceptron(old_dims, 2 * old_dims, 2 * new_dims)
        self.side_branch = build_perceptron(side_dims, 2 * side_dims, 2 * new_dims)
        self.mixer = build_perceptron(4 * new_dims, hidden_dims, hidden_dims, out=new_dims)
        self.uncertainty = nn.Linear(new_dims, 1) if with_uncertainty else None
        loss = loss or dict(type='mmfct.EmbeddingRegressionLoss')
        self.loss_module = loss if isinstance(loss, nn.Module) else MODELS.build(loss)
        self.class_loss_module: nn.Module | None = None
        if class_loss is not None:
            self.class_loss_module = class_loss if isinstance(class_loss, nn.Module) else MODELS.build(class_loss)
        self.register_load_state_dict_pre_hook(rename_transformation_keys)

    def forward(self, old: Tensor, side: Tensor) -> Tensor:
        """Transform old embeddings (B, D) with side-information (B, S) to upgraded embeddings (B, D')."""
        self.check_widths(old=old, side=side)
        return self.mixer(torch.cat([self.old_branch(old), self.side_branch(side)], dim=1))

    def check_widths(self, **embeddings: Tensor | None) -> None:
        """Check the shape (B, D) of embeddings by role, ``old``, ``side`` or ``new``; ``None`` passes.

        Raises:
            ValueError: If one is no matrix, or has another width than the head was built for.
        """
        for role, embedding in embeddings.items():
            width = getattr(self, f'{role}_dims')
            if embedding is not None and (embedding.dim() != 2 or embedding.shape[1] != width):
                raise ValueError(
                    f'the {role} embedding must have shape (B, {width}) as `{role}_dims={width}` of the head says, '
                    f'got {tuple(embedding.shape)}'
                )

    def map_queries(self, new: Tensor) -> Tensor:
        """Return embeddings (B, D') by the new model as queries of upgraded items."""
        return new if self.query_map is None else self.query_map(new)

    def log_variance(self, upgraded: Tensor) -> Tensor:
        """Predict the log-variance (B,) of upgraded embeddings (B, D').

        Raises:
            ValueError: If the head was built without ``with_uncertainty``.
        """
        if self.uncertainty is None:
            raise ValueError('`with_uncertainty` must be True for a log-variance, got False')
        return self.uncertainty(upgraded).squeeze(1)

    def loss(self, old: Tensor, side: Tensor, new: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """Compare the transformation of ``old`` (B, D) and ``side`` (B, S) with the target ``new`` (B, D').

        Args:
            old: Old embeddings.
            side: Side-information.
            new: New embeddings.
            labels: Classes (B,), for ``class_loss``.

        Raises:
            ValueError: If a width is wrong, or there is a ``class_loss`` without labels.
        """
        self.check_widths(new=new)
        upgraded = self._upgrade(old, side)
        losses = self.loss_module(upgraded, new)  # (B,)
        if self.class_loss_module is not None:
            if labels is None:
                raise ValueError('`class_loss` needs the label of every image, got None')
            losses = losses + self.class_loss_module(upgraded, labels)
        if self.uncertainty is not None:
            losses = heteroscedastic_loss(losses, self.log_variance(upgraded))
        return dict(loss=losses.mean())

    def _upgrade(self, old: Tensor, side: Tensor) -> Tensor:
        """Transform a batch in training; a single row, as in a last batch, has no statistics for BN."""
        if len(old) > 1 or not self.training:
            return self(old, side)
        self.eval()
        upgraded = self(old, side)
        self.train()
        return upgraded
