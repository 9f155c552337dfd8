"""The model that trains the transformation h: frozen encoders and a head."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.model import BaseModel
from torch import Tensor

from mmfct.models.heads import TransformationHead
from mmfct.models.reference_keys import place_reference_transformation
from mmfct.registry import MODELS

Inputs = Tensor | list[Tensor] | dict[str, Tensor]


@MODELS.register_module()
class ForwardTransform(BaseModel):
    """Learn h(old(x), side(x)) -> new(x) (FCT, arXiv 2112.02805, equation 3).

    Inputs are either images, which go through the frozen encoders (*online*, as in the paper), or a dict of
    precomputed embeddings by role (*cached*, see `mmfct.EmbeddingTable`).

    The encoders are built when the first image arrives and are not part of the state dict: a checkpoint of this
    model holds h alone, and training from a table needs no encoder in memory. State dicts of the FCT reference load
    too: of its transformation, and of its transformed old model, from which the transformation is taken.

    Args:
        head: Config of a `TransformationHead`.
        encoders: Config of the `FrozenEncoders`; may be ``None`` if inputs are always embeddings.
        use_side: Whether to use side-information if there is any; otherwise the old embedding feeds both branches of
            the head.
        data_preprocessor: Config of mmengine's data preprocessor; encoders normalise images themselves.
        init_cfg: Initialisation config.
    """

    def __init__(
        self,
        head: dict,
        encoders: dict | None = None,
        *,
        use_side: bool = True,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.head: TransformationHead = MODELS.build(head)
        self.use_side = use_side
        self._encoders_cfg = encoders
        # In a list, so that torch does not count the encoders as submodules.
        self._encoders: list[torch.nn.Module] = []
        self.register_load_state_dict_pre_hook(place_reference_transformation)

    def forward(self, inputs: Inputs, data_samples: Sequence | None = None, mode: str = 'tensor'):
        """Run one of the three modes of mmengine's models.

        Args:
            inputs: Images (B, 3, H, W), or a dict of embeddings (B, D) by role.
            data_samples: For ``'predict'``: mmpretrain's samples, or a dict of batched ``gt_label`` and
                ``sample_idx`` as a table delivers them.
            mode: ``'tensor'`` returns upgraded embeddings (B, D'), ``'loss'`` a dict of losses, ``'predict'`` a
                list of B dicts with ``embeddings`` by role, ``gt_label`` and ``sample_idx``. There, ``new`` is a query
                of the upgraded gallery, see `TransformationHead.map_queries`.

        Raises:
            ValueError: If ``mode`` is unknown, images are given without encoders, or there is no new embedding to
                learn.
        """
        if mode not in ('tensor', 'loss', 'predict'):
            raise ValueError(f"`mode` must be 'tensor', 'loss' or 'predict', got {mode!r}")
        embeddings = self._embed(inputs)
        old = embeddings['old']
        side = embeddings.get('side', old) if self.use_side else old
        if mode == 'tensor':
            return self.head(old, side)
        if mode == 'loss':
            if 'new' not in embeddings:
                raise ValueError(f"the loss needs the embedding 'new' beside the others, got {sorted(embeddings)}")
            return self.head.loss(old, side, embeddings['new'], _labels(data_samples))
        embeddings = {**embeddings, 'upgraded': self.head(old, side)}
        if 'new' in embeddings:
            embeddings['new'] = self.head.map_queries(embeddings['new'])
        return _to_samples(embeddings, data_samples)

    def check_widths(self, embeddings: dict[str, Tensor]) -> None:
        """Check that embeddings (B, D) by role have the widths of the head; roles may be missing.

        Raises:
            ValueError: If one has not; the message names the role and its option of the head.
        """
        old = embeddings.get('old')
        side = embeddings.get('side', old) if self.use_side else old
        self.head.check_widths(old=old, side=side, new=embeddings.get('new'))

    def _embed(self, inputs: Inputs) -> dict[str, Tensor]:
        """Return embeddings by role; images go through the encoders."""
        if isinstance(inputs, dict):
            return inputs
        images = torch.stack(inputs) if isinstance(inputs, list) else inputs
        if not self._encoders:
            if self._encoders_cfg is None:
                raise ValueError('`encoders` must be given to transform images, got None')
            self._encoders.append(MODELS.build({'type': 'mmfct.FrozenEncoders', **self._encoders_cfg}))
        return self._encoders[0].to(images.device)(images)


def _labels(data_samples: Sequence | dict | None) -> Tensor | None:
    """Return the labels (B,) of a batch, or ``None`` if it has none."""
    if data_samples is None:
        return None
    if isinstance(data_samples, dict):
        return data_samples.get('gt_label')
    labels = [sample.gt_label for sample in data_samples if hasattr(sample, 'gt_label')]
    return torch.cat(labels) if len(labels) == len(data_samples) else None


def _to_samples(embeddings: dict[str, Tensor], data_samples: Sequence | dict | None) -> list[dict]:
    """Split a batch into one plain dict per item, with the label and the stable index where these are known."""
    count = len(embeddings['old'])
    if data_samples is None:
        targets: list[dict] = [{} for _ in range(count)]
    elif isinstance(data_samples, dict):
        targets = [{key: value[i] for key, value in data_samples.items()} for i in range(count)]
    else:
        targets = [dict(gt_label=sample.gt_label, sample_idx=sample.sample_idx) for sample in data_samples]
    return [
        {'embeddings': {role: embedding[i] for role, embedding in embeddings.items()}, **targets[i]}
        for i in range(count)
    ]
