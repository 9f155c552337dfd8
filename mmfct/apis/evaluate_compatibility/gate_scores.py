"""Bring together what a gate compares: the scores of the same queries in both systems, by the evidence there is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor

from mmfct.apis.evaluate_compatibility.agreement import Agreement
from mmfct.apis.evaluate_compatibility.gate import GateDecision, decide
from mmfct.apis.evaluate_compatibility.gate_rule import AGREEMENT, LABELS, GateRule, evidence_of
from mmfct.apis.evaluate_compatibility.pairs import known_pairs
from mmfct.apis.evaluate_compatibility.stored_set import StoredSet
from mmfct.evaluation.pair import Pair
from mmfct.evaluation.scores import SCORES, scores_by_name
from mmfct.functional import QueryScores
from mmfct.retrieval.gallery.provenance import check_same_model

_OTHER_QUERIES = 'both pairs must have the queries of the set `new`'


def check_gate(
    rule: GateRule,
    pairs: Sequence[Pair],
    queries: Mapping[str, StoredSet],
    galleries: Mapping[str, StoredSet],
    *,
    labelled: Collection[Pair],
    agreed: Collection[Pair],
    obstacle: str,
) -> None:
    """Refuse a gate that cannot be decided, before anything is scored.

    Args:
        rule: What is asked.
        pairs: Pairs that will be scored.
        queries: Sets of queries by name.
        galleries: Galleries by name.
        labelled: Those of the pairs that have labels.
        agreed: Those whose agreement with the new model can be measured.
        obstacle: Why agreement cannot be measured, if it cannot.

    Raises:
        ValueError: If a pair is not scored, or there is no evidence of the kind that the rule needs.
    """
    for pair in rule.pairs:
        if pair in pairs:
            continue
        if pair in known_pairs(queries, galleries):
            check_same_model(queries[pair.query].provenance.embedding, galleries[pair.gallery].provenance)
        raise ValueError(
            f'a gate needs the scores of {rule.baseline} and {rule.candidate}, got those of '
            f'{", ".join(map(str, pairs))}: choose its `baseline` and `candidate` (`--baseline`, `--candidate`) among '
            'these'
        )
    known = {
        kind: all(pair in having for pair in rule.pairs) for kind, having in ((LABELS, labelled), (AGREEMENT, agreed))
    }
    for name in rule.metrics:
        if not known[evidence_of(name)]:
            other = AGREEMENT if evidence_of(name) == LABELS else LABELS
            needed = (
                'labels of the queries and galleries (column label)'
                if evidence_of(name) == LABELS
                else f'agreement with the new model ({obstacle or _OTHER_QUERIES})'
            )
            instead = ' or leave the scores out to decide by what there is' if known[other] else ''
            raise ValueError(
                f'a gate on {name} of {rule.baseline} and {rule.candidate} needs {needed}; provide them{instead}'
            )
    if not any(known.values()):
        raise ValueError(
            f'a gate needs labels of the queries and galleries of {rule.baseline} and {rule.candidate} (column '
            f'label), or agreement with the new model; {obstacle or _OTHER_QUERIES}'
        )


def decide_gate(
    rule: GateRule,
    scores: Mapping[Pair, QueryScores | None],
    agreement: Agreement | None,
    queries: Mapping[str, StoredSet],
    galleries: Mapping[str, StoredSet],
) -> GateDecision:
    """Decide from the same queries on galleries of the same items; anything else would compare the data.

    Args:
        rule: What is asked.
        scores: Pair -> scores of its queries by labels, ``None`` where they could not be measured.
        agreement: Agreement with the new model, if it was measured.
        queries: Sets of queries by name.
        galleries: Galleries by name.

    Raises:
        ValueError: If the sets hold other items, a pair could not be measured, too few queries count, or today's
            system agrees with the new model by chance alone, where that decides.
    """
    before, after = rule.pairs
    columns: tuple[dict[str, Tensor], dict[str, Tensor]] = ({}, {})
    kinds = set(map(evidence_of, rule.metrics))
    by_labels = before in scores and after in scores
    if by_labels and kinds != {AGREEMENT}:
        baseline, candidate = scores[before], scores[after]
        if baseline is None or candidate is None:
            measured = [str(pair) for pair in scores if scores[pair] is not None]
            raise ValueError(
                f'a gate needs the scores of {rule.baseline} and {rule.candidate}, got those of {", ".join(measured)}'
            )
        galleries[before.gallery].order_of(galleries[after.gallery])
        order = torch.from_numpy(queries[before.query].order_of(queries[after.query]))
        baseline = QueryScores(*(column[order] for column in baseline))
        for column, found in zip(columns, (baseline, candidate), strict=True):
            column.update({name: scores_by_name(found, name) for name in SCORES})
    if agreement and before in agreement.recalls and after in agreement.recalls:
        for column, pair in zip(columns, rule.pairs, strict=True):
            column.update(agreement.recalls[pair])
    decision = decide(*columns, rule)
    if agreement and AGREEMENT in decision.evidence and agreement.is_by_chance(before):
        raise ValueError(
            f'a gate without labels needs a system of today that finds more of the neighbours of the new model than '
            f'chance, got {rule.baseline}: do the same ids name the same items in all sets?'
        )
    return decision
