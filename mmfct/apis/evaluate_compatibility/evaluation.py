"""The result of an evaluation of galleries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmfct.apis.evaluate_compatibility.agreement import Agreement
from mmfct.apis.evaluate_compatibility.gate import GateDecision
from mmfct.apis.evaluate_compatibility.gate_rule import AGREEMENT, LABELS
from mmfct.evaluation.report import gap_notes, unlabelled_notes
from mmfct.evaluation.scores import Scores

_UNKNOWN_GAP = (
    'Whether the new model itself is better than the old one was not measured: without labels its own neighbours '
    'count as the right ones.'
)


@dataclass(frozen=True)
class Evaluation:
    """Scores, update gains and the decision of the gate.

    Args:
        scores: Scores of every pair with labels, and update gains of upgraded galleries; without pairs if there are no
            labels.
        models: ``queries`` and ``galleries`` -> name -> metadata, which say what model made them.
        agreement: Agreement with the new model, or ``None`` if it could not be measured.
        gate: Decision, or ``None`` if none was asked for.
        not_labelled: Pairs that were not scored, because a set has no labels.
        not_agreed: Why agreement was not measured, where one would expect it.
        caveats: Sentences about scores that are too good or mean nothing.
    """

    scores: Scores
    models: Mapping[str, Mapping[str, Any]]
    agreement: Agreement | None = None
    gate: GateDecision | None = None
    not_labelled: Sequence[str] = ()
    not_agreed: str = ''
    caveats: Sequence[str] = ()

    @property
    def evidence(self) -> list[str]:
        """Kinds of evidence that were found."""
        return [*([LABELS] if self.scores.pairs else []), *([AGREEMENT] if self.agreement else [])]

    @property
    def first_notes(self) -> list[str]:
        """Sentences for above the tables: what the scores are worth, and whether the new model itself is better."""
        gaps = gap_notes(self.scores.gaps, self.scores.upgraded) if self.scores.pairs else [_UNKNOWN_GAP]
        return [*self.caveats, *gaps]

    @property
    def notes(self) -> list[str]:
        """Sentences for below the tables: what does not count."""
        notes = unlabelled_notes(self.scores.unlabelled)
        if self.not_labelled:
            notes.append(
                f'CMC and mAP are not measured for {", ".join(self.not_labelled)}: the queries or the gallery have no '
                'labels.'
            )
        unmatched = [str(pair) for pair, scores in self.scores.pairs.items() if not scores.num_queries]
        if unmatched:
            notes.append(
                f'No query counts for {", ".join(unmatched)}: no other item of the gallery has the class of a query, '
                'or the widths differ.'
            )
        if self.not_agreed:
            notes.append(f'{self.not_agreed[0].upper()}{self.not_agreed[1:]}.')
        return [*notes, *(self.agreement.notes if self.agreement else ())]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON, in which a score that could not be measured, or a gain without a gap, is ``None``."""
        return dict(
            **self.scores.to_json(),
            agreement=self.agreement and self.agreement.to_json(),
            evidence=self.evidence,
            notes=[*self.first_notes, *self.notes],
            gate=self.gate and self.gate.to_json(),
            **self.models,
        )
