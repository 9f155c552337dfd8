"""Orders in which a gallery can be recomputed, by name."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import print_log
from torch import Tensor

from mmfct.apis.upgrade_gallery.rows import LOG_VARIANCE
from mmfct.evaluation.embedding_set import column_tensor
from mmfct.functional.backfill import order_at_random, order_by_class_mean, order_by_error, order_by_uncertainty
from mmfct.functional.retrieval_scores import UNKNOWN
from mmfct.retrieval.gallery.mixed import ORIGIN, RECOMPUTED
from mmfct.retrieval.gallery.provenance import Provenance
from mmfct.retrieval.gallery.reader import GallerySource

ORDERS = ('uncertainty', 'class_mean', 'random', 'oracle')


def order_rows(
    names: Sequence[str],
    upgraded: GallerySource,
    *,
    new: Tensor | None = None,
    uncertainty: str | Path | None = None,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Order the rows of a gallery, the most urgent first; those of a mixed gallery that are recomputed already last.

    Args:
        names: Some of ``ORDERS``.
        upgraded: The gallery, in the space of the new model.
        new: Embeddings of the same rows by the new model, of shape (G, D), for ``oracle``.
        uncertainty: ``.npy`` file of log-variances of shape (G,), for ``uncertainty``; ``None`` for the column
            ``log_variance`` of the gallery.
        seed: Seed of ``random``.

    Returns:
        Name -> rows, int64 of shape (G,).

    Raises:
        ValueError: If a name is unknown, or something that an order needs is missing.
    """
    for name in names:
        if name not in ORDERS:
            raise ValueError(f'`orders` must be among {", ".join(ORDERS)}, got {name!r}')
    if 'oracle' in names and new is None:
        raise ValueError('the order `oracle` needs `new`, the gallery of the new model, got None')
    if 'class_mean' in names and 'label' not in upgraded.columns:
        raise ValueError(f'the order `class_mean` needs the column label, got {", ".join(upgraded.columns)}')
    # Read only if needed: the embeddings may not fit into memory.
    compared = {'class_mean', 'oracle'}.intersection(names)
    embeddings = _comparable(column_tensor(upgraded, 'embedding'), upgraded) if compared else torch.empty(0)
    orders = {}
    for name in names:
        if name == 'random':
            order = order_at_random(len(upgraded), seed)
        elif name == 'uncertainty':
            order = order_by_uncertainty(_log_variance(upgraded, uncertainty))
        elif name == 'class_mean':
            labels = column_tensor(upgraded, 'label')
            if number := int((labels == UNKNOWN).sum()):
                print_log(
                    f'class_mean: {number} of {len(labels)} rows have no class (label -1) and come last',
                    'current',
                    logging.WARNING,
                )
            order = order_by_class_mean(embeddings, labels)
        elif new is not None:
            order = order_by_error(embeddings, _comparable(new, upgraded))
        done = is_recomputed(upgraded)[order.numpy()]
        orders[name] = np.concatenate([order.numpy()[~done], order.numpy()[done]])
    return orders


def is_recomputed(gallery: GallerySource) -> np.ndarray:
    """Whether each row was computed from its image by the new model already, boolean of shape (G,)."""
    if ORIGIN not in gallery.columns:
        return np.zeros(len(gallery), dtype=bool)
    return np.asarray(gallery.column(ORIGIN)) == RECOMPUTED


def _log_variance(gallery: GallerySource, file: str | Path | None) -> Tensor:
    if file is None:
        if LOG_VARIANCE not in gallery.columns:
            raise ValueError(
                f'the order `uncertainty` needs the column {LOG_VARIANCE} or `uncertainty`, a file of log-variances, '
                f'got the columns {", ".join(gallery.columns)}'
            )
        return column_tensor(gallery, LOG_VARIANCE)
    try:
        values = np.load(file, allow_pickle=False)
    except (EOFError, ValueError) as error:
        raise ValueError(f'`uncertainty` must be a .npy file of floats, got {file} ({error})') from error
    if values.shape != (len(gallery),) or values.dtype.kind != 'f':
        raise ValueError(
            f'`uncertainty` must hold floats of shape ({len(gallery)},), got {values.dtype} of shape {values.shape}'
        )
    return torch.from_numpy(values)


def _comparable(embeddings: Tensor, gallery: GallerySource) -> Tensor:
    """Divide by the norms if the gallery compares by cosine, where lengths have no meaning."""
    if Provenance.from_metadata(gallery.metadata).distance != 'cosine':
        return embeddings
    return torch.nn.functional.normalize(embeddings.double(), dim=1)
