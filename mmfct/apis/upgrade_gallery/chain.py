"""Several transforms in a row, checked against the gallery that they are for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance
from mmfct.retrieval.source import GallerySource
from mmfct.retrieval.transform.apply import Transform


class TransformChain:
    """Transforms v1 -> v2 -> v3 ... in one pass; side-information, computed once at v1, is carried along.

    Args:
        transforms: Transforms, in order.
        gallery: The gallery they are applied to.

    Attributes:
        provenance: That of the upgraded gallery.

    Raises:
        ValueError: If there is no transform, a transform is for another model than the one before it makes, or the
            gallery has other embeddings or side-information than it needs.
    """

    def __init__(self, transforms: Sequence[Transform], gallery: GallerySource) -> None:
        if not transforms:
            raise ValueError('`transforms` must name at least one transform, got none')
        self.transforms = list(transforms)
        given = Provenance.from_metadata(gallery.metadata)
        current, width = given.embedding, gallery.width('embedding')
        for transform in self.transforms:
            wanted = transform.description
            _check(f'{transform.path} upgrades embeddings', wanted.old, current)
            if width != wanted.old_dims:
                raise ValueError(f'{transform.path} needs embeddings of width {wanted.old_dims}, got {width}')
            if wanted.side is not None:
                _check(f'{transform.path} needs side-information', wanted.side, given.side_info)
            current, width = wanted.new, wanted.new_dims
        upgrades = (*given.upgrades, *(transform.to_json() for transform in self.transforms))
        self.provenance = replace(given, embedding=current, upgrades=upgrades)
        self.width = width

    @property
    def needs_side_info(self) -> bool:
        """Whether a transform takes side-information."""
        return any(transform.description.side is not None for transform in self.transforms)

    def __call__(self, embedding: Tensor, side_info: Tensor | None) -> Tensor:
        """Transform embeddings (B, D), with side-information (B, S) where one takes it, to (B, D'), float32."""
        for transform in self.transforms:
            embedding = transform(embedding, None if transform.description.side is None else side_info)
        return embedding

    def log_variance(self, upgraded: Tensor) -> Tensor | None:
        """Predict the log-variance (B,) of upgraded embeddings, where the last transform does; FastFill's order."""
        last = self.transforms[-1]
        return last.log_variance(upgraded) if last.predicts_uncertainty else None


def load_chain(
    paths: Sequence[str], gallery: GallerySource, *, device: str = 'cpu', dtype: str = 'float32'
) -> TransformChain:
    """Load transforms from their files.

    Raises:
        ValueError: If ``dtype`` is unknown, and see `Transform` and `TransformChain`.
    """
    if dtype not in ('float32', 'float16', 'bfloat16'):
        raise ValueError(f"`dtype` must be 'float32', 'float16' or 'bfloat16', got {dtype!r}")
    transforms = [Transform(path, device=device, dtype=getattr(torch, dtype)) for path in paths]
    return TransformChain(transforms, gallery)


def _check(what: str, wanted: ModelIdentity, got: ModelIdentity | None) -> None:
    if got is None or got.fingerprint != wanted.fingerprint:
        raise ValueError(f'{what} of {wanted}, got a gallery with {"none" if got is None else f"those of {got}"}')
