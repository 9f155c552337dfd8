"""Queries of the new model in the space of the old gallery: what searches find until the gallery is upgraded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mmengine.logging import print_log

from mmfct.apis.evaluate_compatibility.stored_set import StoredSet
from mmfct.evaluation.pair import NEW_NEW
from mmfct.retrieval.gallery.provenance import check_same_preprocessing
from mmfct.retrieval.index.adapter_checks import check_adapter, check_maps_queries
from mmfct.retrieval.transform.apply import Transform

PREFIX = 'adapted_'


def adapt_queries(
    path: str | Path, queries: Mapping[str, StoredSet], galleries: Mapping[str, StoredSet]
) -> tuple[str, StoredSet]:
    """Map queries by an adapter from ``mmfct learn --direction query``.

    Args:
        path: The adapter.
        queries: Sets of queries by name. Those of the adapter's model are mapped; of several, those named ``new``.
        galleries: Galleries by name.

    Returns:
        Name of the new set, ``adapted_`` and that of the queries, and the set.

    Raises:
        FileNotFoundError: If there is no adapter.
        ValueError: If it upgrades galleries, or there is no gallery, or not one set of queries, that fits it.
    """
    adapter = Transform(path)
    check_maps_queries(adapter)
    described = adapter.description
    fitting = [
        name
        for name, stored in queries.items()
        if stored.provenance.embedding.fingerprint == described.old.fingerprint
    ]
    if NEW_NEW.query in fitting:
        fitting = [NEW_NEW.query]
    if len(fitting) != 1:
        got = ' and '.join(fitting) or ', '.join(
            f'{name} of {one.provenance.embedding}' for name, one in queries.items()
        )
        raise ValueError(f'one set of queries must be of the model that {path} maps, {described.old}, got {got}')
    (name,) = fitting
    searched = [one for one in galleries.values() if one.provenance.embedding.fingerprint == described.new.fingerprint]
    for gallery in searched or galleries.values():
        check_adapter(adapter, gallery.provenance, gallery.items.width)
    given = queries[name]
    check_same_preprocessing(f'queries {name!r}', given.provenance.embedding, described.old, 'adapter')
    if given.items.width != described.old_dims:
        raise ValueError(
            f'queries {name!r} must have the width {described.old_dims} that {path} maps, got {given.items.width}'
        )
    rows = given.items.embeddings.float()
    adapter.check_inputs(rows, None, f'the queries {name!r}')
    adapted = PREFIX + name
    if adapted in queries:
        raise ValueError(f'queries must not be called {adapted!r} with an adapter, whose queries are called so')
    print_log(f'queries {name!r} are mapped from {described.old} to {described.new} by {path}', 'current')
    provenance = replace(
        given.provenance,
        embedding=described.new,
        distance=searched[0].provenance.distance,
        upgrades=(*given.provenance.upgrades, adapter.to_json()),
    )
    return adapted, replace(
        given, name=adapted, provenance=provenance, items=replace(given.items, embeddings=adapter(rows).cpu())
    )
