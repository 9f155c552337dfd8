"""Score queries on galleries, and decide whether it is safe to switch models."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log

from mmfct.apis.evaluate_compatibility.adapted import adapt_queries
from mmfct.apis.evaluate_compatibility.agreement import agreement_obstacle, measure_agreement, measured_pairs
from mmfct.apis.evaluate_compatibility.caveats import agreement_caveats, set_caveats
from mmfct.apis.evaluate_compatibility.evaluation import Evaluation
from mmfct.apis.evaluate_compatibility.gate_rule import GateRule
from mmfct.apis.evaluate_compatibility.gate_scores import check_gate, decide_gate
from mmfct.apis.evaluate_compatibility.pairs import choose_pairs, known_pairs, of_one_model
from mmfct.apis.evaluate_compatibility.read_sets import read_sets
from mmfct.apis.evaluate_compatibility.report import write_evaluation, write_gate
from mmfct.apis.evaluate_compatibility.stored_set import StoredSet
from mmfct.evaluation.embedding_set import EmbeddingSet
from mmfct.evaluation.pair import NEW_NEW, OLD_OLD, Pair
from mmfct.evaluation.scores import Scores, mean_scores, score_pair
from mmfct.functional import QueryScores
from mmfct.functional.retrieval_metrics import check_exclude
from mmfct.retrieval.stores.options import SourceOptions

_NAME = re.compile(r'[\w.-]+')


def evaluate_compatibility(
    queries: Mapping[str, str | Path],
    galleries: Mapping[str, str | Path],
    out: str | Path,
    *,
    also: Sequence[str] = (),
    gate: GateRule | None = None,
    groups: str | None = None,
    exclude: str = 'matches',
    options: Mapping[str, SourceOptions] | None = None,
    adapter: str | Path | None = None,
) -> Evaluation:
    r"""Score every pair of queries and gallery that share a model; write tables and pictures.

    An item never finds itself: the gallery's row with the query's id is left out. If sets are named ``old`` and
    ``new``, the update gain of every other gallery of the new model is reported, unless the new model is no better
    than the old one, which the report then says first. Items without a class (label -1) do not count.

    Without labels, or beside them: if there are queries and a gallery named ``new``, of all items or a sample, the
    report has the agreement of every other pair with the new model, which is the share of its own 1 and 10 nearest
    neighbours that the pair finds.

    Every set is held in memory. While a pair is scored, its gallery takes about twice more (its rows sorted by label,
    ids as integers), plus a block of distances: 160 MB, or 40 bytes for each gallery row if that is more. Without
    numba, or with fewer than 20 million pairs, there is also a copy of the gallery in float64.

    Files: ``compatibility.md``, ``compatibility.json``, ``compatibility.png``; ``embeddings.png`` for galleries
    ``old``, ``upgraded`` and ``new`` of the same labelled items; ``gate.md`` and ``gate.png`` with a gate. Without
    labels ``compatibility.png`` shows the agreement.

    Args:
        queries: Embedded queries by name: folders in the format of a gallery, or anything else that `open_source`
            opens, with a column ``label`` or without.
        galleries: Galleries by name, likewise.
        out: Folder of the files.
        also: Pairs, ``query/gallery``, to score although their models differ, such as ``new/old``: what a switch
            without an upgrade would do.
        gate: Decide by this rule whether its candidate is as good as its baseline.
        groups: Retrieval across groups, such as cameras: a column of every set, or a regular expression whose
            parenthesis finds the group in an id, such as ``_c(\d+)``; ``None`` for none.
        exclude: What groups leave out for a query: ``matches``, the items of its label *and* group, as person
            re-identification does, or ``all`` items of its group.
        options: How to read sets of other programs, by name, which queries and gallery of one name share, or by
            ``query:NAME`` and ``gallery:NAME``, which count more. Labels that are texts are compared as such. A set
            without labels takes those of the same ids in another set, unless its column of labels has an empty name.
        adapter: Transform file from ``mmfct learn --direction query``: queries of the new model search
            the old gallery through it, too, as the set ``adapted_new``.

    Returns:
        What ``compatibility.json`` holds.

    Raises:
        FileNotFoundError: If a folder is no gallery.
        NotADirectoryError: If ``out`` is a file.
        ValueError: If a gallery is damaged or lacks a column, no two models agree, there are neither labels nor
            neighbours of the new model, the adapter does not fit, or the gate cannot be decided.
    """
    for name in (*queries, *galleries):
        if not _NAME.fullmatch(name):
            raise ValueError(f'a name must be made of letters, digits, `_`, `.` and `-`, got {name!r}')
    if Path(out).exists() and not Path(out).is_dir():
        raise NotADirectoryError(f'`out` must be a folder, got the file {str(out)!r}; name another one')
    check_exclude(exclude)
    query_sets, gallery_sets = read_sets(queries, galleries, groups, options or {})
    if adapter is not None:
        name, adapted = adapt_queries(adapter, query_sets, gallery_sets)
        query_sets[name] = adapted
    pairs = choose_pairs(query_sets, gallery_sets, [Pair.parse(pair) for pair in also])
    labelled = [pair for pair in pairs if query_sets[pair.query].items.is_labelled]
    labelled = [pair for pair in labelled if gallery_sets[pair.gallery].items.is_labelled]
    obstacle = agreement_obstacle(pairs, query_sets, gallery_sets)
    if obstacle and not labelled:
        raise ValueError(
            'nothing can be measured: no queries have labels (column label) on a gallery that has them, too, and '
            f'{obstacle}'
        )
    comparable = measured_pairs(pairs, query_sets, gallery_sets)
    if gate is not None:
        agreed = [] if obstacle else comparable
        check_gate(gate, pairs, query_sets, gallery_sets, labelled=labelled, agreed=agreed, obstacle=obstacle)
    scores = {}
    for number, pair in enumerate(labelled, 1):
        print_log(f'scoring {pair}, {number} of {len(labelled)}', 'current')
        query, gallery = query_sets[pair.query], gallery_sets[pair.gallery]
        scores[pair] = score_pair(query.items, gallery.items, distance=gallery.provenance.distance, exclude=exclude)
    left_out = [str(pair) for pair in known_pairs(query_sets, gallery_sets) if pair not in pairs]
    if left_out:
        print_log(f'not scored, because the models differ: {", ".join(left_out)}', 'current')
    agreement = None if obstacle else measure_agreement(pairs, query_sets, gallery_sets)
    evaluation = Evaluation(
        Scores.of(
            {pair: mean_scores(scores[pair]) for pair in labelled},
            _upgraded(labelled, query_sets, gallery_sets),
            **_bounds(scores, query_sets),
            sets=_labelled_sets(query_sets, gallery_sets),
        ),
        dict(queries=_models(query_sets), galleries=_models(gallery_sets)),
        agreement,
        not_labelled=[str(pair) for pair in pairs if pair not in labelled],
        not_agreed=obstacle if comparable else '',
        caveats=[
            *set_caveats(pairs, query_sets, gallery_sets),
            *(agreement_caveats(agreement) if agreement else []),
        ],
    )
    write_evaluation(evaluation, gallery_sets, Path(out))
    if gate is None:
        return evaluation
    decision = decide_gate(gate, scores, agreement, query_sets, gallery_sets)  # after the scores are safe
    evaluation = replace(evaluation, gate=decision)
    write_gate(evaluation, decision, Path(out))
    return evaluation


def _labelled_sets(queries: Mapping[str, StoredSet], galleries: Mapping[str, StoredSet]) -> dict[str, EmbeddingSet]:
    """Return the sets that have labels, by what a note on those without calls them."""
    sets = {f'queries of {name}': stored.items for name, stored in queries.items()}
    sets |= {f'items of gallery {name}': stored.items for name, stored in galleries.items()}
    return {name: items for name, items in sets.items() if items.is_labelled}


def _upgraded(
    pairs: Sequence[Pair], queries: Mapping[str, StoredSet], galleries: Mapping[str, StoredSet]
) -> list[Pair]:
    """List the pairs of queries ``new`` and an upgraded gallery; none if there is no gap that they could recover."""
    if OLD_OLD not in pairs or NEW_NEW not in pairs:
        return []
    others = [pair for pair in pairs if pair.query == NEW_NEW.query and pair != NEW_NEW]
    return [pair for pair in others if of_one_model(queries, galleries, pair)]


def _bounds(scores: Mapping[Pair, QueryScores | None], queries: Mapping[str, StoredSet]) -> dict[str, Any]:
    """Return the scores of the queries in old/old and new/new, in one order if they are the same queries."""
    old, new = scores.get(OLD_OLD), scores.get(NEW_NEW)
    if old is None or new is None:
        return {}
    try:
        order = torch.from_numpy(queries[OLD_OLD.query].order_of(queries[NEW_NEW.query]))
    except ValueError:
        return dict(bounds=(old, new), paired=False)
    return dict(bounds=(QueryScores(*(column[order] for column in old)), new), paired=True)


def _models(sets: Mapping[str, StoredSet]) -> dict[str, Mapping]:
    return {name: stored.provenance.to_metadata() for name, stored in sets.items()}
