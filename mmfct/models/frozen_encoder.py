"""The encoder of a trained model, frozen."""

from __future__ import annotations

import torch
from mmengine.model import BaseModule, PretrainedInit
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from mmfct.models.necks.last_output import describe_shapes
from mmfct.models.reference_keys import place_reference_backbone
from mmfct.registry import MODELS
from mmfct.utils.checkpoint import load_state_dict, only_weights, unwrapped


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
            if the weights come with the backbone (`TorchScriptBackbone`, or an ``init_cfg`` of type ``Pretrained``,
            which must fit as completely as a ``checkpoint``). ``FILE::ENTRY`` takes another entry of a file than its
            ``state_dict``, such as an average of the weights.

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
        neck = neck or dict(type='mmfct.LastOutput')
        self.neck = MODELS.build(neck)
        if checkpoint is not None:
            _load(self, checkpoint)
        else:
            _load_pretrained(self)
            self._refuse_random_weights(backbone, neck)
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

    def _refuse_random_weights(self, backbone: dict, neck: dict) -> None:
        """Raise a ``ValueError`` if weights are random: those that differ when the parts are built a second time."""
        with torch.random.fork_rng(devices=[]):
            again = nn.ModuleDict(dict(backbone=MODELS.build(backbone), neck=MODELS.build(neck)))
        _load_pretrained(again)
        ours = self.state_dict()
        random = [name for name, value in again.state_dict().items() if not torch.equal(value, ours[name])]
        if random:
            raise ValueError(
                f'`checkpoint` must be given for {type(self.backbone).__name__}: {len(random)} of {len(ours)} weights '
                f'of the encoder would be random, such as {random[0]!r}'
            )


def _load_pretrained(encoder: nn.Module) -> None:
    """Load the weights that an ``init_cfg`` of type ``Pretrained`` names, in the whole encoder or in parts of it."""
    loaded: list[str] = []
    for name, module in encoder.named_modules():
        entries = getattr(module, 'init_cfg', None) or []
        for entry in [entries] if isinstance(entries, dict) else entries:
            inside = any(name.startswith(f'{parent}.') for parent in loaded)  # mmengine stops there, too
            if entry['type'] in ('Pretrained', PretrainedInit) and not inside:
                _fit(module, entry['checkpoint'], entry.get('prefix'))
                loaded.append(name)


def _fit(module: nn.Module, checkpoint: str, prefix: str | None) -> None:
    """Load a checkpoint completely, where mmengine only logs what does not fit and leaves it random."""
    if '://' in checkpoint:
        with only_weights():
            read = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')
        state_dict = unwrapped(read.get('state_dict', read))
    else:
        state_dict = load_state_dict(checkpoint)
    own = module.state_dict()
    given = state_dict
    if prefix:
        prefix = f'{prefix.removesuffix(".")}.'
        given = {name.removeprefix(prefix): value for name, value in state_dict.items() if name.startswith(prefix)}
    where = f'checkpoint {checkpoint!r} of `init_cfg`' + (f' with the prefix {prefix!r}' if prefix else '')
    try:
        result = module.load_state_dict(given, strict=False)
    except RuntimeError as error:
        raise ValueError(f'{where} has another width: {str(error).splitlines()[1].strip()}') from None
    # The rest of the training model may be in the file, such as a classifier, but no more layers of this one.
    parts = {name.partition('.')[0] for name in own}
    unexpected = [name for name in result.unexpected_keys if name.partition('.')[0] in parts]
    if result.missing_keys or unexpected:
        first = next(iter(own))
        prefixes = sorted({name.removesuffix(first) for name in state_dict if name.endswith(f'.{first}')})
        repair = f'; `prefix` of `init_cfg` may be {prefixes[0]!r}' if prefixes and prefixes != [prefix] else ''
        raise ValueError(
            f'{where} is of another model: {len(result.missing_keys)} of {len(own)} weights are missing '
            f'{result.missing_keys[:2]} and {len(unexpected)} are not expected {unexpected[:2]}{repair}'
        )


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
            f'{missing[:2]} and {len(result.unexpected_keys)} are not expected {result.unexpected_keys[:2]}; '
            '`backbone` and `neck` of the encoder must be those of the checkpoint'
        )
