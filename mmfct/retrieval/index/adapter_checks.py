"""Refuse an adapter of queries, or upgraded items, that do not fit the gallery."""

from __future__ import annotations

from torch import Tensor

from mmfct.functional.own_rank import LEAST_PAIRS, MOST_OWN_RANK, median_own_rank
from mmfct.retrieval.gallery.provenance import Provenance, check_same_preprocessing
from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.transform.apply import Transform


def check_maps_queries(adapter: Transform) -> None:
    """Refuse a transform that upgrades galleries as an adapter of queries.

    Raises:
        ValueError: If it is one.
    """
    described = adapter.description
    if not described.maps_queries:
        raise ValueError(
            f'an adapter must map queries, got {adapter.path}, which upgrades galleries, from {described.old} to '
            f'{described.new}; learn one with `mmfct learn --direction query`'
        )


def check_adapter(adapter: Transform, provenance: Provenance, width: int | None) -> None:
    """Refuse an adapter that does not map into the space of a gallery.

    Args:
        adapter: The adapter.
        provenance: Provenance of the gallery.
        width: Width of its embeddings.

    Raises:
        ValueError: If it upgrades galleries, maps into the space of another model, needs side-information, or was
            learned for another distance or width.
    """
    check_maps_queries(adapter)
    described = adapter.description
    if described.new.fingerprint != provenance.embedding.fingerprint:
        raise ValueError(
            f'an adapter must map queries into the space of the gallery, {provenance.embedding}, got {adapter.path} '
            f'from {described.old} to {described.new}; learn one with `mmfct learn --direction query`'
        )
    check_same_preprocessing('adapted queries', described.new, provenance.embedding)
    if described.side is not None:
        raise ValueError(f'an adapter must map queries alone, got {adapter.path}, which needs {described.side}, too')
    if described.distance not in (None, provenance.distance):
        raise ValueError(
            f'an adapter must be learned for the distance of the gallery, {provenance.distance}, got {adapter.path} '
            f'for {described.distance}; learn it with `--distance {provenance.distance}`'
        )
    if described.new_dims != width:
        raise ValueError(
            f'an adapter must map queries to the width {width} of the gallery, got {described.new_dims} of '
            f'{adapter.path}'
        )


def check_upgraded(adapter: Transform, upgraded: GallerySource) -> None:
    """Refuse upgraded items that are not in the space of the queries that an adapter maps.

    Raises:
        ValueError: If they are of another model or width.
    """
    described, provenance = adapter.description, Provenance.from_metadata(upgraded.metadata)
    if described.old.fingerprint != provenance.embedding.fingerprint:
        raise ValueError(
            f'upgraded items must be in the space of the queries that the adapter maps, {described.old}, got '
            f'{provenance.embedding} in {upgraded.path}'
        )
    check_same_preprocessing('upgraded items', provenance.embedding, described.old, 'adapter')
    if upgraded.width('embedding') != described.old_dims:
        raise ValueError(
            f'upgraded items must have the width of the queries, {described.old_dims}, got '
            f'{upgraded.width("embedding")} in {upgraded.path}'
        )


def check_same_items(
    adapter: Transform, sample: tuple[Tensor, Tensor], old: GallerySource, upgraded: GallerySource
) -> None:
    """Refuse upgraded items that are other items with the same ids, or vectors of another model.

    Args:
        adapter: The adapter.
        sample: Old and upgraded embeddings of items that both galleries have, of shapes (S, D) and (S, D').
        old: The old gallery.
        upgraded: Its upgraded part.

    Raises:
        ValueError: If they are. Fewer than fifty cannot be told apart.
    """
    before, after = sample
    if len(before) < LEAST_PAIRS:
        return
    rank = median_own_rank(adapter(after).cpu(), before)
    if rank > MOST_OWN_RANK:
        raise ValueError(
            f'ids must mean the same items in {old.path} and {upgraded.path}, and the latter be in the space of the '
            f'queries, but the adapter does not map upgraded items near their old embeddings: for half of them, '
            f'{rank:.0%} of other items or more are nearer'
        )


def check_enough_items(sample: tuple[Tensor, Tensor], upgraded: GallerySource) -> None:
    """Refuse upgraded items that are too few to compare the distances of two spaces by.

    Args:
        sample: See `check_same_items`.
        upgraded: The upgraded part.

    Raises:
        ValueError: If they are.
    """
    if len(sample[0]) < LEAST_PAIRS:
        raise ValueError(
            f'at least {LEAST_PAIRS} upgraded items must be in the old gallery to compare the distances of both '
            f'spaces, got {len(sample[0])} in {upgraded.path} that are not zero; search by the adapter alone until '
            'more is upgraded'
        )
