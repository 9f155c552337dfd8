"""Transforms applied one after the other, checked against the gallery that they upgrade."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance, check_same_preprocessing
from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.transform.apply import Transform

_DTYPES = dict(float32=torch.float32, float16=torch.float16, bfloat16=torch.bfloat16)


class TransformChain:
    """Apply transforms v1 -> v2 -> v3 ... in one pass, all with the side-information that was computed at v1.

    Args:
        transforms: Transforms, in order.
        gallery: The gallery that they upgrade.

    Attributes:
        provenance: Provenance of the upgraded gallery; its distance is that which the last transform was learned for,
            or else the gallery's.
        width: Width of the upgraded embeddings.

    Raises:
        ValueError: If there is no transform, or one is an adapter of queries, or needs other embeddings or
            side-information than the gallery, or the transform before it, provides: of another model, another
            preprocessing or another width.
    """

    def __init__(self, transforms: Sequence[Transform], gallery: GallerySource) -> None:
        if not transforms:
            raise ValueError('`transforms` must name at least one transform, got none')
        self.transforms = list(transforms)
        given = Provenance.from_metadata(gallery.metadata)
        current, width = given.embedding, gallery.width('embedding')
        for transform in self.transforms:
            wanted = transform.description
            if wanted.maps_queries:
                raise ValueError(
                    f'a transform must upgrade galleries, got {transform.path}, which maps queries of {wanted.old} '
                    f'into the space of {wanted.new}; learn one with `mmfct learn` without `--direction query`'
                )
            _check(f'{transform.path} upgrades embeddings', wanted.old, current)
            check_same_preprocessing('embeddings', current, wanted.old, f'transform {transform.path}')
            if width != wanted.old_dims:
                raise ValueError(f'{transform.path} needs embeddings of width {wanted.old_dims}, got {width}')
            if wanted.side is not None:
                side = _check(f'{transform.path} needs side-information', wanted.side, given.side_info)
                check_same_preprocessing('side-information', side, wanted.side, f'transform {transform.path}')
            current, width = wanted.new, wanted.new_dims
        upgrades = (*given.upgrades, *(transform.to_json() for transform in self.transforms))
        distance = self.transforms[-1].description.distance or given.distance
        self.provenance = replace(given, embedding=current, upgrades=upgrades, distance=distance)
        self.width = width

    @property
    def needs_side_info(self) -> bool:
        """Whether any transform takes side-information."""
        return any(transform.description.side is not None for transform in self.transforms)

    def __call__(self, embedding: Tensor, side_info: Tensor | None) -> Tensor:
        """Transform embeddings (B, D), with side-information (B, S) if any is needed, to (B, D'), float32."""
        for transform in self.transforms:
            embedding = transform(embedding, None if transform.description.side is None else side_info)
        return embedding

    def check_inputs(self, old: Tensor, side: Tensor | None, where: str) -> None:
        """Refuse vectors that the transforms were not learned for; see `Transform.check_inputs`.

        What the second transform and later ones get is made by the transform before them; their side-information is
        the gallery's.
        """
        for place, transform in enumerate(self.transforms):
            takes_side = transform.description.side is not None
            transform.check_inputs(old if place == 0 else None, side if takes_side else None, where)

    def log_variance(self, upgraded: Tensor) -> Tensor | None:
        """Predict the log-variance (B,) of upgraded embeddings (B, D'); ``None`` if the last transform cannot."""
        last = self.transforms[-1]
        return last.log_variance(upgraded) if last.predicts_uncertainty else None


def load_chain(
    paths: Sequence[str], gallery: GallerySource, *, device: str = 'cpu', dtype: str = 'float32'
) -> TransformChain:
    """Load transforms from their files; errors as of `Transform` and `TransformChain`.

    Raises:
        ValueError: If ``dtype`` is unknown.
    """
    if dtype not in _DTYPES:
        raise ValueError(f"`dtype` must be 'float32', 'float16' or 'bfloat16', got {dtype!r}")
    transforms = [Transform(path, device=device, dtype=_DTYPES[dtype]) for path in paths]
    return TransformChain(transforms, gallery)


def _check(what: str, wanted: ModelIdentity, got: ModelIdentity | None) -> ModelIdentity:
    if got is None or got.fingerprint != wanted.fingerprint:
        found = 'none: name its source with `--side`' if got is None else f'those of {got}'
        raise ValueError(f'{what} of {wanted}, got a gallery with {found}')
    return got
