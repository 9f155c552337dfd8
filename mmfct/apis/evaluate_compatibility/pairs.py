"""Scores of pairs of queries and gallery."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch

from mmfct.apis.evaluate_compatibility.embedded_set import EmbeddedSet
from mmfct.evaluation.compatibility_report import DEFAULT_PAIRS
from mmfct.functional import QueryScores, query_scores, update_gain
from mmfct.retrieval.gallery.provenance import check_same_distance

TOPK = (1, 5)
SCORES = ('cmc1', 'cmc5', 'map')
BASELINE, GOAL = 'old/old', 'new/new'


def choose_pairs(
    queries: Mapping[str, EmbeddedSet], galleries: Mapping[str, EmbeddedSet], also: Sequence[str] = ()
) -> list[str]:
    """List the pairs whose queries and gallery come from one model, and those asked for.

    Args:
        queries: Sets of queries by name.
        galleries: Galleries by name.
        also: Further pairs, each written ``query/gallery``: with another model distances mean nothing, unless it was
            trained to be compatible. The distance is the gallery's, whatever that of the queries.

    Raises:
        ValueError: If a pair is of unknown sets, there is none, or a pair of one model differs in its distance.
    """
    known = [f'{query}/{gallery}' for query in queries for gallery in galleries]
    for pair in also:
        if pair not in known:
            raise ValueError(f'`also` must be among {", ".join(known)}, got {pair!r}')
    pairs = [pair for pair in known if pair in also or of_one_model(queries, galleries, pair)]
    for query, gallery in (pair.split('/') for pair in pairs if pair not in also):
        check_same_distance(f'queries {query!r}', queries[query].provenance, galleries[gallery].provenance)
    if not pairs:
        models = [str(items.provenance.embedding) for items in (*queries.values(), *galleries.values())]
        raise ValueError(f'queries and galleries must share a model, got {", ".join(models)}')
    # The usual ones in the usual order.
    return [pair for pair in DEFAULT_PAIRS if pair in pairs] + [pair for pair in pairs if pair not in DEFAULT_PAIRS]


def score_pair(query: EmbeddedSet, gallery: EmbeddedSet) -> QueryScores | None:
    """Score each query with the distance of the gallery; an item never finds itself.

    Returns:
        The scores, or ``None`` where the embeddings differ in width.
    """
    if query.embeddings.shape[1] != gallery.embeddings.shape[1]:
        return None
    return query_scores(
        query.embeddings,
        gallery.embeddings,
        query.labels,
        gallery.labels,
        topk=TOPK,
        distance=gallery.provenance.distance,
        query_ids=query.ids,
        gallery_ids=gallery.ids,
    )


def score_of_queries(scores: QueryScores, name: str) -> torch.Tensor:
    """Score of each query, of shape (Q,), by name, one of ``SCORES``; NaN where the query does not count.

    Raises:
        ValueError: If the name is another one.
    """
    if name not in SCORES:
        raise ValueError(f'`metric` must be one of {", ".join(SCORES)}, got {name!r}')
    return scores.average_precision if name == 'map' else scores.cmc[:, SCORES.index(name)]


def mean_scores(scores: QueryScores | None) -> dict[str, float]:
    """Mean of each score over the queries that count, and ``num_queries``, their number."""
    if scores is None:
        return dict.fromkeys(SCORES, math.nan) | dict(num_queries=0)
    means = {name: score_of_queries(scores, name)[scores.counted].mean().item() for name in SCORES}
    return means | dict(num_queries=int(scores.counted.sum()))


def update_gains(means: Mapping[str, Mapping[str, float]], pairs: Sequence[str]) -> dict[str, dict[str, float]]:
    """Share of the gap between old/old and new/new that queries ``new`` recover in each other gallery of ``pairs``.

    Returns:
        Pair -> name of the score -> gain; empty where one of the two ends was not measured.
    """
    if BASELINE not in means or GOAL not in means:
        return {}
    low, high = means[BASELINE], means[GOAL]
    upgraded = [pair for pair in pairs if pair.startswith('new/') and pair != GOAL]
    return {
        pair: {name: update_gain(means[pair][name], low[name], high[name]) for name in SCORES} for pair in upgraded
    }


def of_one_model(queries: Mapping[str, EmbeddedSet], galleries: Mapping[str, EmbeddedSet], pair: str) -> bool:
    """Whether the queries and the gallery of a pair come from one model."""
    query, gallery = pair.split('/')
    models = (queries[query].provenance.embedding, galleries[gallery].provenance.embedding)
    return models[0].fingerprint == models[1].fingerprint
