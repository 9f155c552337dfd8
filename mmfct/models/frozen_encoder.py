"""The encoder of a trained model, frozen."""

from __future__ import annotations

from mmengine.model import BaseModule, PretrainedInit
from torch import Tensor, nn

from mmfct.models.necks.last_output import describe_shapes
from mmfct.models.reference_keys import place_reference_backbone
from mmfct.registry import MODELS
from mmfct.utils.checkpoint import load_state_dict


@MODELS.register_module()
class FrozenEncoder(BaseModule):
    """Backbone, neck and data preprocessor of a trained model, frozen, with the weights of its checkpoint.

    Args:
        backbone: Config of the backbone as in the training config.
        neck: Config of the neck, whose last output is the embedding; ``None`` for `LastOutput`, that of
            the backbone: vectors as they are, such as class tokens, and maps averaged over their pixels.
        data_preprocessor: Config of the data preprocessor as in the training config: every encoder normalises images
            in its own way.
        checkpoint: Checkpoint of the whole training model, of which ``backbone.*`` and ``neck.*`` are used; or a
            backbone of the FCT reference, as its TorchScript file or state dict, for `EmbeddingResNet`; or ``None``
            if the weights come with the backbone (`TorchScriptBackbone`, or an ``init_cfg`` of type ``Pretrained``).

    Raises:
        FileNotFoundError: If ``checkpoint`` does not exist.
        ValueError: If it cannot be read or is of another model or width; or if it is ``None`` and weights would be
            random.
    """

    def __init__(
        self,
        backbone: dict,
        *,
        neck: dict | None = None,
        data_preprocessor: dict | None = None,
        checkpoint: str | None = None,
    ) -> None:
        super().__init__()
        self.data_preprocessor = MODELS.build(data_preprocessor or dict(type='BaseDataPreprocessor'))
        self.backbone = MODELS.build(backbone)
        self.neck = MODELS.build(neck or dict(type='mmfct.LastOutput'))
        if checkpoint is not None:
            _load(self, checkpoint)
        elif getattr(self.backbone, 'init_cfg', None):
            if not _is_pretrained(self.backbone):
                name = type(self.backbone).__name__
                raise ValueError(f'`checkpoint` must be given for {name}, whose `init_cfg` draws random weights')
            self.backbone.init_weights()
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> FrozenEncoder:
        """Stay in evaluation mode whatever ``mode`` asks for."""
        return super().train(False)

    def features(self, images: Tensor) -> tuple[Tensor, ...]:
        """Normalise images (B, 3, H, W) and return the maps of the backbone."""
        device = next(self.parameters(), images[0]).device
        if self.data_preprocessor.device != device:  # only a `BaseModel` of mmengine moves it along
            self.data_preprocessor.to(device)
        # Some preprocessors of the hosts expect exactly these two entries.
        images = self.data_preprocessor(dict(inputs=images, data_samples=None))['inputs']
        return self.backbone(images)

    def forward(self, images: Tensor) -> Tensor:
        """Return embeddings (B, D) of raw images (B, 3, H, W)."""
        return self.embed(self.features(images))

    def embed(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Return embeddings (B, D) of the outputs of the backbone that `features` returned.

        Raises:
            ValueError: If they are not one vector per image.
        """
        output = self.neck(feats)
        embedding = output[-1] if isinstance(output, (tuple, list)) else output
        if not isinstance(embedding, Tensor) or embedding.dim() != 2:
            raise ValueError(
                f'`neck` must end in a vector per image, (B, D), got {describe_shapes(embedding)} of '
                f'{type(self.neck).__name__} after {type(self.backbone).__name__}'
            )
        return embedding


def _is_pretrained(backbone: nn.Module) -> bool:
    """Whether an ``init_cfg`` of the backbone or of a part of it names a checkpoint."""
    for module in backbone.modules():
        entries = getattr(module, 'init_cfg', None) or []
        for entry in [entries] if isinstance(entries, dict) else entries:
            if entry['type'] in ('Pretrained', PretrainedInit):
                return True
    return False


def _load(encoder: nn.Module, checkpoint: str) -> None:
    """Load the encoder's part of ``checkpoint``; unlike mmengine's loader, refuse weights that do not fit."""
    state_dict = place_reference_backbone(load_state_dict(checkpoint))
    # Heads and projectors of the training model are not part of an encoder; its backbone must fit completely.
    own = encoder.state_dict()
    given = {name: value for name, value in state_dict.items() if name in own or name.startswith('backbone.')}
    try:
        result = encoder.load_state_dict(given, strict=False)
    except RuntimeError as error:
        reasons = [line.strip() for line in str(error).splitlines()[1:]]
        raise ValueError(f'checkpoint {checkpoint!r} has another width: {reasons[0]}') from None
    missing = [name for name in result.missing_keys if not name.startswith('data_preprocessor.')]
    if missing or result.unexpected_keys:
        raise ValueError(
            f'checkpoint {checkpoint!r} is of another model: {len(missing)} of {len(own)} weights are missing '
            f'{missing[:2]} and {len(result.unexpected_keys)} are not expected {result.unexpected_keys[:2]}'
        )
