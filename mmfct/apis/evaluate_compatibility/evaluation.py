"""What an evaluation of galleries and queries found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmfct.apis.evaluate_compatibility.gate import GateDecision
from mmfct.apis.evaluate_compatibility.pairs import SCORES
from mmfct.evaluation.compatibility_report import UPGRADE_PAIR, pair_title, score_title
from mmfct.utils.tables import markdown_table, percent


@dataclass(frozen=True)
class Evaluation:
    """Scores, update gains and the decision of the gate.

    Args:
        pairs: ``query/gallery`` -> score -> mean over queries, and ``num_queries``.
        gains: Pair -> score -> update gain, of upgraded galleries.
        models: ``queries`` and ``galleries`` -> name -> metadata, which say what model made them.
        gate: Decision, or ``None`` where none was asked for.
    """

    pairs: Mapping[str, Mapping[str, float]]
    gains: Mapping[str, Mapping[str, float]]
    models: Mapping[str, Mapping[str, Any]]
    gate: GateDecision | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON, in which a score that could not be measured is ``None``."""
        return dict(
            pairs=_without_nan(self.pairs),
            update_gain=_without_nan(self.gains),
            gate=self.gate and self.gate.to_json(),
            **self.models,
        )

    def flat(self) -> dict[str, float]:
        """Scores as `CompatibilityMetric` names them."""
        scores = {f'{pair}_{name}': self.pairs[pair][name] for pair in self.pairs for name in SCORES}
        gains = {f'update_gain_{name}': gain for name, gain in self.gains.get(UPGRADE_PAIR, {}).items()}
        return scores | gains

    def table(self) -> str:
        """Markdown table with a row for each pair, in percent."""
        rows = [['query/gallery', *(f'{score_title(name)} (%)' for name in SCORES), 'queries']]
        rows += [
            [pair_title(pair), *(percent(scores[name]) for name in SCORES), str(scores['num_queries'])]
            for pair, scores in self.pairs.items()
        ]
        if self.gains:
            rows[0].append('mAP gap recovered (%)')
            for pair, row in zip(self.pairs, rows[1:], strict=True):
                row.append(percent(self.gains[pair]['map']) if pair in self.gains else '')
        return markdown_table(rows)


def gate_table(decision: GateDecision) -> str:
    """Markdown table of a decision."""
    rule = decision.rule
    low, high = decision.interval
    rows = [['', score_title(rule.metric)]]
    rows += [
        [f'{pair_title(rule.baseline)} (%)', percent(decision.baseline)],
        [f'{pair_title(rule.candidate)} (%)', percent(decision.candidate)],
        ['difference (points)', f'{100 * decision.difference:+.2f}'],
        [f'{100 * rule.confidence:g} % interval over queries', f'{100 * low:+.2f} to {100 * high:+.2f}'],
        ['loss that is tolerated (points)', f'{100 * rule.margin:.2f}'],
        ['queries', str(decision.num_queries)],
        ['queries that got better', str(decision.better)],
        ['queries that got worse', str(decision.worse)],
        ['queries whose nearest neighbour no longer matches', str(decision.lost)],
        ['safe to switch', 'yes' if decision.safe else 'NO'],
    ]
    return markdown_table(rows)


def _without_nan(scores: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float | None]]:
    return {
        pair: {name: None if math.isnan(value) else value for name, value in entry.items()}
        for pair, entry in scores.items()
    }
