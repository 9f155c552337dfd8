"""Choose which queries search which gallery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmfct.apis.evaluate_compatibility.stored_set import StoredSet
from mmfct.evaluation.pair import ADAPTED_OLD, DEFAULT_PAIRS, Pair
from mmfct.retrieval.gallery.provenance import check_same_distance, check_same_preprocessing


def choose_pairs(
    queries: Mapping[str, StoredSet], galleries: Mapping[str, StoredSet], also: Sequence[Pair] = ()
) -> list[Pair]:
    """List the pairs whose queries and gallery come from one model, and those asked for.

    Args:
        queries: Sets of queries by name.
        galleries: Galleries by name.
        also: Further pairs. Distances between embeddings of two models mean nothing, unless one was trained to be
            compatible with the other. The distance is the gallery's, whatever that of the queries.

    Raises:
        ValueError: If a pair is of unknown sets, there is none, or a pair of one model differs in preprocessing,
            distance or width.
    """
    known = known_pairs(queries, galleries)
    for pair in also:
        if pair not in known:
            raise ValueError(f"`also` must be among {', '.join(map(str, known))}, got '{pair}'")
    pairs = [pair for pair in known if pair in also or of_one_model(queries, galleries, pair)]
    for pair in pairs:
        if pair not in also:
            query, gallery = queries[pair.query], galleries[pair.gallery]
            made_by, wanted = query.provenance.embedding, gallery.provenance.embedding
            check_same_preprocessing(f'queries {pair.query!r}', made_by, wanted, f'gallery {pair.gallery!r}')
            check_same_distance(f'queries {pair.query!r}', query.provenance, gallery.provenance)
            if query.items.width != gallery.items.width:
                raise ValueError(
                    f'queries and gallery of one model must have one width, got {query.title} with '
                    f'{query.items.width} and {gallery.title} with {gallery.items.width}, both of {wanted}: name '
                    'another file or model for one of them'
                )
    if not pairs:
        models = [str(stored.provenance.embedding) for stored in (*queries.values(), *galleries.values())]
        raise ValueError(f'queries and galleries must share a model, got {", ".join(models)}')
    # The usual ones in the usual order.
    usual = [*DEFAULT_PAIRS[:2], ADAPTED_OLD, *DEFAULT_PAIRS[2:]]
    return [pair for pair in usual if pair in pairs] + [pair for pair in pairs if pair not in usual]


def known_pairs(queries: Mapping[str, StoredSet], galleries: Mapping[str, StoredSet]) -> list[Pair]:
    """List every pair of queries and gallery, whatever their models."""
    return [Pair(query, gallery) for query in queries for gallery in galleries]


def of_one_model(queries: Mapping[str, StoredSet], galleries: Mapping[str, StoredSet], pair: Pair) -> bool:
    """Whether the queries and the gallery of a pair come from one model."""
    models = (queries[pair.query].provenance.embedding, galleries[pair.gallery].provenance.embedding)
    return models[0].fingerprint == models[1].fingerprint
