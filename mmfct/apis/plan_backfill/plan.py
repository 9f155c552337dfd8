"""Decide which items of an upgraded gallery to recompute first, and measure what that gains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmfct.apis.evaluate_compatibility.caveats import set_caveats
from mmfct.apis.evaluate_compatibility.common_labels import with_common_labels
from mmfct.apis.evaluate_compatibility.joined_labels import with_joined_labels
from mmfct.apis.evaluate_compatibility.stored_set import StoredSet
from mmfct.apis.plan_backfill.causes import find_causes
from mmfct.apis.plan_backfill.measured import Backfill, deepest_dip, find_dips
from mmfct.apis.plan_backfill.orders import is_recomputed, order_rows
from mmfct.apis.plan_backfill.report import write_backfill
from mmfct.evaluation.backfill_curves import Curves, backfill_points
from mmfct.evaluation.embedding_set import count_unlabelled
from mmfct.evaluation.pair import Pair
from mmfct.evaluation.report import unlabelled_notes
from mmfct.functional.retrieval_metrics import check_exclude
from mmfct.retrieval.gallery.provenance import check_same_distance, check_same_model
from mmfct.retrieval.gallery.same_items import MOST_COMPARED, check_same_items
from mmfct.retrieval.stores.loaded import open_checked
from mmfct.retrieval.stores.options import SourceOptions
from mmfct.retrieval.transform.same_space import spread_rows
from mmfct.utils.files import write_atomically
from mmfct.utils.tables import csv_table


def plan_backfill(
    upgraded: str | Path,
    out: str | Path,
    *,
    orders: Sequence[str] = ('random',),
    new: str | Path | None = None,
    query: str | Path | None = None,
    uncertainty: str | Path | None = None,
    seed: int = 0,
    groups: str | None = None,
    exclude: str = 'matches',
    options: SourceOptions | None = None,
) -> Curves:
    """Write which rows to recompute first and, given the new gallery and queries, the accuracy on the way.

    Files: ``order_<name>.csv`` with columns ``row`` and ``id``, the most urgent first, without the rows of a mixed
    gallery that are recomputed already; with ``new`` and ``query`` ``backfill.md``, ``backfill.json`` and
    ``backfill.png``: the score at 22 fractions of the gallery, from what is recomputed already to all, and their mean.
    If a curve of CMC-1 or mAP falls by more than the noise of the queries, they say so first, and why: other lengths,
    and another spread, of the upgraded vectors are learned on half of the items and tried on the others, and one that
    helps is written to ``correction.npz``.

    The ids are held in memory, for ``class_mean`` also the gallery, and with ``new`` both galleries; a curve takes
    about five times the gallery.

    Args:
        upgraded: Folder of the upgraded gallery; or anything else that `open_source` opens, which is read into memory.
        out: Folder of the files.
        orders: Some of ``uncertainty`` (FastFill's log-variance), ``class_mean`` (distance to the mean of the class),
            ``random`` and ``oracle`` (distance to the new embedding).
        new: The same items embedded by the new model, likewise.
        query: Labelled queries embedded by the new model, likewise.
        uncertainty: ``.npy`` file of log-variances, a row for each of the gallery; ``None`` for its column
            ``log_variance``.
        seed: Seed of ``random``.
        groups: Retrieval across groups, such as cameras, see `evaluate_compatibility`.
        exclude: See there.
        options: How to read vectors of another program, of all three.

    Returns:
        What ``backfill.json`` holds as ``curves``; empty without ``new`` or ``query``.

    Raises:
        FileNotFoundError: If a file or folder is missing.
        ValueError: If the sets do not fit together, such as new embeddings of another model or of other items than
            those with the same ids in the gallery, or something that an order needs is missing.
    """
    if query is not None and new is None:
        raise ValueError('a curve needs `new`, the gallery of the new model, got None')
    gallery = open_checked(upgraded, options)
    check_exclude(exclude)
    sets = None if new is None else _read_sets(dict(upgraded=upgraded, new=new, query=query), groups, options)
    after = None if sets is None else sets['new'].items.take(sets['new'].order_of(sets['upgraded']))
    embeddings = None if after is None else after.embeddings
    if sets is not None and embeddings is not None:
        rows = torch.from_numpy(spread_rows(len(embeddings), MOST_COMPARED))
        check_same_items(sets['upgraded'].items.embeddings[rows].float(), embeddings[rows].float(), str(new))
    ordered = order_rows(orders, gallery, new=embeddings, uncertainty=uncertainty, seed=seed)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    recomputed = is_recomputed(gallery)
    left = {name: rows[~recomputed[rows]] for name, rows in ordered.items()}
    for name, rows in left.items():
        _write_order(rows, gallery.column('id'), folder / f'order_{name}.csv')
    if sets is None or after is None or query is None:
        return {}
    before, queries = sets['upgraded'], sets['query']
    words: dict[str, Any] = dict(distance=before.provenance.distance, exclude=exclude)
    points = backfill_points(queries.items, before.items, after, left, **words)
    dips = find_dips(points)
    causes = None
    if deepest := deepest_dip(dips):
        order, score = deepest
        causes = find_causes(
            queries.items, before.items, after, left[order], dips[order][score], order=order, score=score, **words
        )
    notes = unlabelled_notes(count_unlabelled({'queries': queries.items, 'items of the gallery': before.items}))
    caveats = set_caveats([Pair('query', 'upgraded'), Pair('query', 'new')], sets, sets)
    last = before.provenance.upgrades[-1:]
    transform = last[0].get('transform') if last else None
    measured = Backfill(points, float(recomputed.mean()), dips, causes, notes, caveats, transform)
    write_backfill(measured, folder)
    return measured.curves


def _read_sets(
    paths: Mapping[str, str | Path | None], groups: str | None, options: SourceOptions | None
) -> dict[str, StoredSet]:
    """Read both galleries, and the queries if there are any; all of one model and distance, with labels alike.

    Sets without labels take those of the same ids in another one.
    """
    sets = {
        name: StoredSet.read(name, path, groups, need_labels=False, options=options)
        for name, path in paths.items()
        if path is not None
    }
    wanted = sets['upgraded'].provenance
    for name, what in (('new', 'new embeddings'), ('query', 'queries')):
        if name in sets:
            check_same_model(sets[name].provenance.embedding, wanted)
            check_same_distance(what, sets[name].provenance, wanted)
    sets = with_common_labels(with_joined_labels(sets))
    bare = [name for name, stored in sets.items() if not stored.items.is_labelled]
    if bare and 'query' in sets:
        raise ValueError(
            f'a curve needs labels (column label) of the queries and of the gallery, got none of {", ".join(bare)}'
        )
    return sets


def _write_order(rows: np.ndarray, ids: np.ndarray, path: Path) -> None:
    cells = zip(rows.tolist(), ids[rows].tolist(), strict=True)
    write_atomically(path, csv_table([('row', 'id'), *cells]))
