"""The result of an evaluation of galleries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmfct.apis.evaluate_compatibility.gate import GateDecision
from mmfct.evaluation.report import score_notes
from mmfct.evaluation.scores import Scores


@dataclass(frozen=True)
class Evaluation:
    """Scores, update gains and the decision of the gate.

    Args:
        scores: Scores of every pair, and update gains of upgraded galleries.
        models: ``queries`` and ``galleries`` -> name -> metadata, which say what model made them.
        gate: Decision, or ``None`` if none was asked for.
    """

    scores: Scores
    models: Mapping[str, Mapping[str, Any]]
    gate: GateDecision | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON, in which a score that could not be measured, or a gain without a gap, is ``None``."""
        notes = score_notes(self.scores)
        return dict(**self.scores.to_json(), notes=notes, gate=self.gate and self.gate.to_json(), **self.models)
