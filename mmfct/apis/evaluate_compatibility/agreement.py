"""Agreement with the new model: how many of the neighbours that it finds itself does another search find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmfct.apis.evaluate_compatibility.stored_set import StoredSet
from mmfct.evaluation.embedding_set import rows_of
from mmfct.evaluation.pair import NEW_NEW, Pair
from mmfct.functional.bootstrap import affordable_resamples, bootstrap_interval
from mmfct.functional.neighbour_recall import nearest_rows, neighbour_recall

NEIGHBOURS = (1, 10)
RECALLS = tuple(f'recall{k}' for k in NEIGHBOURS)
CONFIDENCE = 0.95
# Of fewer items, ten neighbours are found by chance too often to tell searches apart.
_LEAST_ITEMS = 50


@dataclass(frozen=True)
class Agreement:
    """How many of the new model's own nearest neighbours the searches of other pairs find; needs no labels.

    Args:
        recalls: Pair -> ``recall1``, ``recall10`` -> share of so many neighbours of new/new that it finds, of each
            query of the set ``new``, in its order, float64 of shape (Q,).
        num_items: Number of items among which all pairs search: those that all galleries have.
        notes: Sentences that a reader must know.
        intervals: Pair -> name -> confidence interval of the mean over queries.
    """

    recalls: Mapping[Pair, Mapping[str, Tensor]]
    num_items: int
    notes: Sequence[str] = ()
    intervals: Mapping[Pair, Mapping[str, tuple[float, float]]] = field(init=False)

    def __post_init__(self) -> None:
        intervals = {
            pair: {name: _interval(values) for name, values in recalls.items()}
            for pair, recalls in self.recalls.items()
        }
        object.__setattr__(self, 'intervals', intervals)

    @property
    def num_queries(self) -> int:
        """Number of queries, each of which counts."""
        return len(next(iter(next(iter(self.recalls.values())).values())))

    @property
    def by_chance(self) -> float:
        """Recall@10 of a search that finds any ten items."""
        return NEIGHBOURS[-1] / self.num_items

    def is_by_chance(self, pair: Pair) -> bool:
        """Whether a pair finds no more than that, for certain or possibly."""
        return self.intervals[pair][RECALLS[-1]][0] <= self.by_chance

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON, without the single queries."""
        pairs = {
            str(pair): {name: values.mean().item() for name, values in recalls.items()}
            | {f'{name}_interval': list(self.intervals[pair][name]) for name in recalls}
            for pair, recalls in self.recalls.items()
        }
        return dict(pairs=pairs, num_queries=self.num_queries, num_items=self.num_items)


def agreement_obstacle(
    pairs: Sequence[Pair], queries: Mapping[str, StoredSet], galleries: Mapping[str, StoredSet]
) -> str:
    """Say why agreement cannot be measured; nothing if it can.

    Args:
        pairs: Pairs that are scored.
        queries: Sets of queries by name.
        galleries: Galleries by name.
    """
    if NEW_NEW not in pairs:
        return (
            'agreement with the new model needs queries and a gallery of it that are both named `new`; a sample of '
            'the items is enough for the gallery'
        )
    chosen = measured_pairs(pairs, queries, galleries)
    if not chosen:
        return (
            'agreement with the new model needs another pair beside new/new that the same queries search, such as '
            f'old/old or new/upgraded, got {", ".join(map(str, pairs))}'
        )
    names = _galleries_of(chosen)
    used = [*(galleries[name] for name in names), queries[NEW_NEW.query]]
    if any(stored.items.groups is not None for stored in used):
        return 'agreement with the new model is not measured across groups'
    for stored in used:
        if len(np.unique(stored.items.ids)) < len(stored.items):
            return f'agreement with the new model needs unique ids, got repeated ones in {stored.title}'
    items = len(_common_ids([galleries[name] for name in names]))
    if items < _LEAST_ITEMS:
        sizes = ', '.join(f'{name} {len(galleries[name].items)}' for name in names)
        return (
            f'agreement with the new model needs at least {_LEAST_ITEMS} items that all galleries have, got {items} '
            f'({sizes})'
        )
    return ''


def measured_pairs(
    pairs: Sequence[Pair], queries: Mapping[str, StoredSet], galleries: Mapping[str, StoredSet]
) -> list[Pair]:
    """List the pairs that can be compared with new/new: those of the same queries, and of one width."""
    if NEW_NEW not in pairs:
        return []
    wanted = np.sort(queries[NEW_NEW.query].items.ids)
    return [
        pair
        for pair in pairs
        if pair != NEW_NEW
        and queries[pair.query].items.width == galleries[pair.gallery].items.width
        and np.array_equal(np.sort(queries[pair.query].items.ids), wanted)
    ]


def measure_agreement(
    pairs: Sequence[Pair], queries: Mapping[str, StoredSet], galleries: Mapping[str, StoredSet]
) -> Agreement:
    """Compare the neighbours that each pair finds with those of new/new, among the items that all galleries have.

    An item never finds itself.

    Args:
        pairs: See `agreement_obstacle`, which must find none.
        queries: See there.
        galleries: See there.
    """
    chosen = measured_pairs(pairs, queries, galleries)
    names = _galleries_of(chosen)
    ids = _common_ids([galleries[name] for name in names])
    asked = queries[NEW_NEW.query]

    def search(pair: Pair) -> Tensor:
        query, gallery = queries[pair.query], galleries[pair.gallery]
        order = query.order_of(asked, same_labels=False)
        return nearest_rows(
            _floats(query.items.embeddings[torch.from_numpy(order)]),
            _floats(gallery.items.embeddings[rows_of(gallery.items.ids, ids)]),
            max(NEIGHBOURS),
            distance=gallery.provenance.distance,
            own_rows=rows_of(ids, asked.items.ids),
        )

    right = search(NEW_NEW)
    found = {pair: search(pair) for pair in chosen}
    recalls = {
        pair: {name: neighbour_recall(rows, right, k) for name, k in zip(RECALLS, NEIGHBOURS, strict=True)}
        for pair, rows in found.items()
    }
    return Agreement(recalls, len(ids), _notes(pairs, chosen, names, galleries, len(ids)))


def _notes(
    pairs: Sequence[Pair], chosen: Sequence[Pair], names: Sequence[str], galleries: Mapping[str, StoredSet], items: int
) -> list[str]:
    """Say that items or pairs are left out."""
    notes = []
    sizes = {name: len(galleries[name].items) for name in names}
    if max(sizes.values()) > items:
        counts = ', '.join(f'{name} {size}' for name, size in sizes.items())
        notes.append(
            f'Agreement is measured among the {items} items that all galleries have (of {counts}). In more items the '
            'neighbours are nearer to one another, and agreement is lower.'
        )
    left_out = [str(pair) for pair in pairs if pair not in chosen and pair != NEW_NEW]
    if left_out:
        notes.append(
            f'Agreement is not measured for {", ".join(left_out)}: of other queries than those named new, or of '
            'different widths.'
        )
    return notes


def _galleries_of(pairs: Sequence[Pair]) -> list[str]:
    return list(dict.fromkeys([pair.gallery for pair in pairs] + [NEW_NEW.gallery]))


def _common_ids(galleries: Sequence[StoredSet]) -> np.ndarray:
    """Sorted ids that all galleries have."""
    return reduce(np.intersect1d, [np.asarray(stored.items.ids) for stored in galleries])


def _floats(rows: Tensor) -> Tensor:
    return rows if rows.dtype == torch.float64 else rows.float()


def _interval(values: Tensor) -> tuple[float, float]:
    return bootstrap_interval(values, confidence=CONFIDENCE, resamples=affordable_resamples(len(values)))
