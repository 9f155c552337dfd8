"""Evaluate any set of galleries and queries, and decide whether a switch is safe."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from mmengine.logging import print_log

from mmfct.apis.evaluate_compatibility.embedded_set import EmbeddedSet
from mmfct.apis.evaluate_compatibility.evaluation import Evaluation
from mmfct.apis.evaluate_compatibility.gate import GateDecision, GateRule, decide
from mmfct.apis.evaluate_compatibility.pairs import choose_pairs, mean_scores, of_one_model, score_pair, update_gains
from mmfct.apis.evaluate_compatibility.report import write_evaluation, write_gate
from mmfct.functional import QueryScores
from mmfct.retrieval.gallery.provenance import check_same_model

_NAME = re.compile(r'[\w.-]+')


def evaluate_compatibility(
    queries: Mapping[str, str | Path],
    galleries: Mapping[str, str | Path],
    out: str | Path,
    *,
    also: Sequence[str] = (),
    gate: GateRule | None = None,
) -> Evaluation:
    """Score every pair of queries and gallery that share a model; write tables and pictures.

    An item never finds itself: the gallery's row with the query's id is left out. With the names ``old``, ``new`` and
    anything else for upgraded galleries the update gain of each upgraded gallery is reported.

    Memory holds every set; while a pair is scored, its gallery about twice more (its rows sorted by label, ids as
    integers) and a block of distances, 160 MB or what one query needs, 40 bytes for each of its rows. Without numba,
    or with fewer than 20 million pairs, a copy of the gallery in float64 comes on top.

    Files: ``compatibility.md``, ``compatibility.json``, ``compatibility.png``; ``embeddings.png`` for galleries
    ``old``, ``upgraded`` and ``new`` of the same items; ``gate.md`` and ``gate.png`` with a gate.

    Args:
        queries: Folders of embedded and labelled queries by name, in the format of a gallery.
        galleries: Folders of labelled galleries by name.
        out: Folder of the files.
        also: Pairs, ``query/gallery``, to score although their models differ, such as ``new/old``: what a switch
            without an upgrade would do.
        gate: Decide by this rule whether its candidate is as good as its baseline.

    Returns:
        What ``compatibility.json`` holds.

    Raises:
        FileNotFoundError: If a folder is no gallery.
        ValueError: If a gallery is damaged or lacks a column, no two models agree, or the gate cannot be decided.
    """
    for name in (*queries, *galleries):
        if not _NAME.fullmatch(name):
            raise ValueError(f'a name must be made of letters, digits, `_`, `.` and `-`, got {name!r}')
    query_sets = {name: EmbeddedSet.read(name, path) for name, path in queries.items()}
    gallery_sets = {name: EmbeddedSet.read(name, path) for name, path in galleries.items()}
    pairs = choose_pairs(query_sets, gallery_sets, also)
    if gate is not None:
        _check_gate(gate, pairs, query_sets, gallery_sets)
    scores = {}
    for number, pair in enumerate(pairs, 1):
        print_log(f'scoring {pair}, {number} of {len(pairs)}', 'current')
        scores[pair] = score_pair(*_sets(pair, query_sets, gallery_sets))
    known = [f'{query}/{gallery}' for query in queries for gallery in galleries]
    left_out = [pair for pair in known if pair not in pairs]
    if left_out:
        print_log(f'not scored, because the models differ: {", ".join(left_out)}', 'current')
    means = {pair: mean_scores(scores[pair]) for pair in pairs}
    gains = update_gains(means, [pair for pair in pairs if of_one_model(query_sets, gallery_sets, pair)])
    models = dict(queries=_models(query_sets), galleries=_models(gallery_sets))
    evaluation = Evaluation(means, gains, models)
    write_evaluation(evaluation, gallery_sets, Path(out))
    if gate is None:
        return evaluation
    decision = _decide(gate, scores, query_sets, gallery_sets)  # after the scores are safe
    evaluation = replace(evaluation, gate=decision)
    write_gate(evaluation, decision, Path(out))
    return evaluation


def _check_gate(
    rule: GateRule, pairs: Sequence[str], queries: Mapping[str, EmbeddedSet], galleries: Mapping[str, EmbeddedSet]
) -> None:
    """Refuse a gate of pairs that will not be scored, before anything is."""
    for pair in (rule.baseline, rule.candidate):
        query, _, gallery = pair.partition('/')
        if query in queries and gallery in galleries and pair not in pairs:
            check_same_model(queries[query].provenance.embedding, galleries[gallery].provenance)
        if pair not in pairs:
            raise ValueError(
                f'a gate needs the scores of {rule.baseline} and {rule.candidate}, got those of {", ".join(pairs)}: '
                'choose its `baseline` and `candidate` (`--baseline`, `--candidate`) among these'
            )


def _decide(
    rule: GateRule,
    scores: Mapping[str, QueryScores | None],
    queries: Mapping[str, EmbeddedSet],
    galleries: Mapping[str, EmbeddedSet],
) -> GateDecision:
    """Decide from the same queries on galleries of the same items; anything else would compare the data."""
    baseline, candidate = (scores.get(pair) for pair in (rule.baseline, rule.candidate))
    if baseline is None or candidate is None:
        measured = [pair for pair in scores if scores[pair] is not None]
        raise ValueError(
            f'a gate needs the scores of {rule.baseline} and {rule.candidate}, got those of {", ".join(measured)}'
        )
    (old_query, old_gallery), (new_query, new_gallery) = (
        _sets(pair, queries, galleries) for pair in (rule.baseline, rule.candidate)
    )
    old_gallery.order_of(new_gallery)
    order = torch.from_numpy(old_query.order_of(new_query))
    return decide(QueryScores(*(column[order] for column in baseline)), candidate, rule)


def _sets(
    pair: str, queries: Mapping[str, EmbeddedSet], galleries: Mapping[str, EmbeddedSet]
) -> tuple[EmbeddedSet, EmbeddedSet]:
    query, gallery = pair.split('/')
    return queries[query], galleries[gallery]


def _models(sets: Mapping[str, EmbeddedSet]) -> dict[str, Mapping]:
    return {name: items.provenance.to_metadata() for name, items in sets.items()}
