"""A TorchScript file as a frozen backbone."""

from __future__ import annotations

from mmengine.model import BaseModule
from torch import Tensor

from mmfct.registry import MODELS
from mmfct.utils.torchscript import load_torchscript


@MODELS.register_module()
class TorchScriptBackbone(BaseModule):
    """Run a TorchScript file that maps images to embeddings, the form in which the FCT reference publishes models.

    Args:
        checkpoint: TorchScript file with signature ``images (B, 3, H, W) -> (B, D)`` or ``(B, D, 1, 1)``.
        init_cfg: Not used; the hosts pass it.

    Raises:
        FileNotFoundError: If ``checkpoint`` does not exist.
        ValueError: If ``checkpoint`` is not a TorchScript file, or a frozen one, or its output is not an embedding per
            image.
    """

    def __init__(self, checkpoint: str, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.script = load_torchscript(checkpoint)
        if not self.script.state_dict():
            raise ValueError(
                f'`checkpoint` must have its weights as parameters, got {checkpoint!r}, a constant function: save it '
                'without `torch.jit.freeze`, which leaves nothing to tell two models apart or to move to a GPU'
            )
        self.requires_grad_(False)

    def train(self, mode: bool = True) -> TorchScriptBackbone:
        """Stay in evaluation mode whatever ``mode`` asks for: the published models are frozen."""
        return super().train(False)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Map images of shape (B, 3, H, W) to a 1-tuple of embeddings as maps of shape (B, D, 1, 1)."""
        embedding = self.script(images)
        if embedding.dim() == 2:
            embedding = embedding[:, :, None, None]
        if embedding.dim() != 4 or embedding.shape[0] != len(images) or embedding.shape[2:] != (1, 1):
            raise ValueError(
                'the TorchScript model must map images to (B, D) or (B, D, 1, 1), '
                f'got {tuple(embedding.shape)} for {len(images)} images'
            )
        return (embedding,)
