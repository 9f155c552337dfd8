"""Say what makes scores too good, or worth nothing, where the sets themselves show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmfct.apis.evaluate_compatibility.agreement import NEIGHBOURS, Agreement
from mmfct.apis.evaluate_compatibility.stored_set import StoredSet
from mmfct.evaluation.embedding_set import rows_of
from mmfct.evaluation.pair import Pair
from mmfct.functional.own_rank import LEAST_PAIRS, MOST_OWN_RANK, median_own_rank
from mmfct.functional.twins import twin_rows
from mmfct.retrieval.transform.learned_from import LearnedFrom
from mmfct.retrieval.transform.same_space import other_space, spread_rows
from mmfct.utils.tables import percent

_MOST_QUERIES = 1000  # that are compared with every item
_MOST_SHARED = 500  # ids whose items are compared


def set_caveats(
    pairs: Sequence[Pair], queries: Mapping[str, StoredSet], galleries: Mapping[str, StoredSet]
) -> list[str]:
    """Look at the sets of each pair of one model and width.

    Args:
        pairs: Pairs that are scored.
        queries: Sets of queries by name.
        galleries: Galleries by name.

    Returns:
        Sentences: about rows that are all zero, queries that a transform was learned from, queries that equal items
        with other ids or are other items than those with their ids, and queries that are of another model than their
        gallery.
    """
    found: dict[str, None] = {}
    for pair in pairs:
        query, gallery = queries[pair.query], galleries[pair.gallery]
        zeros = [_zeros(query), _zeros(gallery)]
        ids = _other_items(pair, query, gallery), _twins(pair, query, gallery)
        for caveat in (*zeros, _known_to_transform(pair, query, gallery), *ids):
            found |= dict.fromkeys(caveat)
        if not gallery.provenance.upgrades and not query.provenance.upgrades:
            found |= dict.fromkeys(_other_model(pair, query, gallery))
    return list(found)


def agreement_caveats(agreement: Agreement) -> list[str]:
    """Say that a search finds no more of the new model's neighbours than chance, as with ids of other items."""
    return [
        f"**{pair} finds no more of the new model's neighbours than chance**, {percent(agreement.by_chance)} % of "
        f'{NEIGHBOURS[-1]}: do the same ids name the same items in all sets?'
        for pair in agreement.recalls
        if agreement.is_by_chance(pair)
    ]


def _zeros(stored: StoredSet) -> list[str]:
    """Say that rows are all zero: every search ranks them, or by them, in one arbitrary order, and seems to agree."""
    zeros = int((~stored.items.embeddings.any(dim=1)).sum())
    if not zeros:
        return []
    return [
        f'**{zeros} of {len(stored.items)} rows of {stored.title} are all zero**, which no model makes, and their '
        'scores mean nothing. Leave these items out of all sets, or embed them.'
    ]


def _known_to_transform(pair: Pair, query: StoredSet, gallery: StoredSet) -> list[str]:
    """Say that queries are among the items that a transform of one of the sets was learned from."""
    caveats = []
    for upgrade in (*query.provenance.upgrades, *gallery.provenance.upgrades):
        if upgrade.get('learned_from') is None:
            continue
        known, told = LearnedFrom.from_json(upgrade['learned_from']).count(query.items.ids.tolist())
        if known:
            share = 'all' if known == told else f'about {100 * known / told:.0f} %'
            caveats.append(
                f'**Scores of {pair} are too good**: {share} of the {query.title} are items that the transformation '
                'was learned from, which it fits better than others. Ask other queries.'
            )
    return caveats


def _other_items(pair: Pair, query: StoredSet, gallery: StoredSet) -> list[str]:
    """Say that the ids of queries name other items in the gallery, as numbers of rows do."""
    models = {one.provenance.embedding.fingerprint for one in (query, gallery)}
    if len(models) > 1 or query.items.width != gallery.items.width:
        return []
    own = rows_of(gallery.items.ids, query.items.ids)
    shared = (own >= 0).nonzero().squeeze(1)
    if len(shared) < LEAST_PAIRS:
        return []
    rows = shared[spread_rows(len(shared), _MOST_SHARED)]
    rank = median_own_rank(query.items.embeddings[rows], gallery.items.embeddings[own[rows]])
    if rank <= MOST_OWN_RANK:
        return []
    return [
        f'**Scores of {pair} are wrong**: {len(shared)} of {len(own)} {query.title} have ids of {gallery.title}, '
        f'but are other items, or of another model: for half of them, {rank:.0%} of the items or more are nearer than '
        'the one with their id, which searches leave out, whose label they may have got. Give items ids of their own.'
    ]


def _twins(pair: Pair, query: StoredSet, gallery: StoredSet) -> list[str]:
    """Say that queries have the vectors of items with other ids."""
    if query.items.width != gallery.items.width or query.items.groups is not None:
        return []
    rows = spread_rows(len(query.items), _MOST_QUERIES)
    asked, names = query.items.take(rows), gallery.items.ids
    own = rows_of(names, asked.ids)
    if len(names) - bool((own >= 0).any()) < 1:
        return []
    embeddings = asked.embeddings.float(), gallery.items.embeddings.float()
    twins = twin_rows(*embeddings, distance=gallery.provenance.distance, own_rows=own)
    places = (twins >= 0).nonzero().squeeze(1).tolist()
    if not places:
        return []
    return [
        f'**Scores of {pair} may be too good**: {len(places)} of {len(rows)} {query.title} have the vector of an item '
        f'of {gallery.title} with another id, such as {str(asked.ids[places[0]])!r} that of '
        f'{str(names[int(twins[places[0]])])!r}. If these are the same items, they find themselves: give an item one '
        'id in all sets.'
    ]


def _other_model(pair: Pair, query: StoredSet, gallery: StoredSet) -> list[str]:
    """Say that queries do not lie where the gallery of their model does."""
    if query.items.width != gallery.items.width:
        return []
    asked, stored = (one.items.embeddings[spread_rows(len(one.items))] for one in (query, gallery))
    fact = other_space(asked, stored, gallery.provenance.distance, f'the items of {gallery.title}')
    if fact is None:
        return []
    return [
        f'**Scores of {pair} may mean nothing**: {query.title} {fact}. Are both of one model, and of items of one '
        'kind?'
    ]
