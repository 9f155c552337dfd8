"""Learn a transformation from stored embeddings of two models, and choose it by held-out pairs."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import print_log
from torch import Tensor

from mmfct.apis.learn_transform.candidates import MIXTURE, candidate_names, fit_candidate
from mmfct.apis.learn_transform.curve import learning_curve
from mmfct.apis.learn_transform.judge import Fold, Scores, bounds, make_folds, pooled, score
from mmfct.apis.learn_transform.mixture import mix, mixture_weights
from mmfct.apis.learn_transform.outputs import report_folder
from mmfct.apis.learn_transform.pairs import Pairs
from mmfct.apis.learn_transform.problem import Problem
from mmfct.apis.learn_transform.report import write_report
from mmfct.apis.learn_transform.result import Candidate, Learned
from mmfct.apis.learn_transform.settings import LearnSettings
from mmfct.retrieval.transform.file import TransformDescription, write_network
from mmfct.retrieval.transform.learned_from import LearnedFrom
from mmfct.retrieval.transform.network import TransformNetwork
from mmfct.retrieval.transform.profile import InputProfile
from mmfct.utils.progress import Progress

DIRECTIONS = ('gallery', 'query')
# A candidate this far behind the best one in the first fold is not judged in the others.
_HOPELESS = 0.05


def learn_transform(
    pairs: Pairs,
    out: str | Path,
    *,
    method: str | None = None,
    direction: str = 'gallery',
    input_normalised: bool = False,
    settings: LearnSettings | None = None,
    report: str | Path | None = None,
) -> Learned:
    """Compare candidates on held-out pairs, fit the chosen one on all pairs, and write it as a transform file.

    Candidates are chosen by recall@10 of the new model's own neighbours, which needs no labels: each held-out item is
    searched by its new embedding in a gallery of the transformed held-out ones.

    Args:
        pairs: Result of `join_pairs`.
        out: The transform file.
        method: Name of the candidate to take; ``None`` for the best one.
        direction: ``'gallery'`` to map old embeddings into the new space, ``'query'`` to map new queries into the old
            space until the gallery is upgraded (Drift-Adapter, EMNLP 2025).
        input_normalised: Whether lengths of the inputs are ignored; with the cosine distance they always are.
        settings: Knobs of the candidates.
        report: Folder of ``learn.md``, ``learn.json`` and ``learn.png``; ``None`` for ``<out without suffix>_report``.

    Returns:
        What was learned.

    Raises:
        ValueError: If the method or the direction is unknown, or the method does not fit the pairs.
    """
    settings = settings or LearnSettings()
    if direction not in DIRECTIONS:
        raise ValueError(f'`direction` must be one of {", ".join(DIRECTIONS)}, got {direction!r}')
    started = time.perf_counter()
    task = pairs if direction == 'gallery' else pairs.reversed()
    problem = Problem.of(task, input_normalised=input_normalised)
    names = candidate_names(problem)
    if method not in (None, MIXTURE, *names):
        raise ValueError(f'`method` must be one of {", ".join([*names, MIXTURE])}, got {method!r}')
    folds = make_folds(
        pairs.items,
        folds=settings.folds,
        one_fold_from=settings.one_fold_from,
        max_held_out=settings.max_held_out,
        seed=settings.seed,
    )
    comparison = _Comparison(pairs, problem, folds, settings, direction)
    candidates = comparison.run(names, method)
    chosen = method or max(candidates, key=lambda name: candidates[name].rank)
    print_log(f'fitting {chosen} to all {len(pairs)} pairs', 'current')
    network = comparison.fit(chosen, problem)
    learned = Learned(
        chosen=chosen,
        asked=method is not None,
        direction=direction,
        pairs=pairs,
        candidates=candidates,
        bounds=bounds(pairs, folds),
        curve=learning_curve(chosen, comparison, folds[0]),
        held_out=[len(fold.held_out) for fold in folds],
        seconds=time.perf_counter() - started,
    )
    side = task.side if network.uses_side else None
    description = TransformDescription(
        old=task.models['old'],
        new=task.models['new'],
        side=None if side is None else task.models['side'],
        old_dims=task.old.shape[1],
        side_dims=(task.old if side is None else side).shape[1],
        new_dims=task.new.shape[1],
        training=dict(
            method=chosen,
            direction=direction,
            pairs=len(pairs),
            settings=asdict(settings),
            learned_from=LearnedFrom.of(np.unique(pairs.ids)).to_json(),
        ),
        quality=candidates[chosen].scores.means(),
        distance=pairs.distance,
    )
    profiles = dict(old=InputProfile.of(task.old, unit=network.unit_inputs))
    if side is not None:
        profiles['side'] = InputProfile.of(side, unit=network.unit_inputs)
    write_network(out, network, description, profiles)
    write_report(learned, report_folder(out, report))
    print_log(f'Transform {out}: {description.old} -> {description.new}, {chosen}', 'current')
    return learned


class _Comparison:
    """Fits candidates to the pairs of each fold, and scores what they make of those held out."""

    def __init__(
        self, pairs: Pairs, problem: Problem, folds: list[Fold], settings: LearnSettings, direction: str
    ) -> None:
        self.pairs, self.problem, self.folds, self.settings = pairs, problem, folds, settings
        self._is_query = direction == 'query'
        self._weights: dict[str, float] = {}

    def run(self, names: list[str], method: str | None) -> dict[str, Candidate]:
        """Judge all candidates, and the mixture of the best ones; ``method`` in all folds in any case."""
        progress = Progress(len(names) * len(self.folds), 'fits')
        predictions: dict[str, list[Tensor]] = {name: [] for name in names}
        seconds = dict.fromkeys(names, 0.0)
        scores: dict[str, list] = {name: [] for name in names}
        kept = list(names)
        for number, fold in enumerate(self.folds):
            part = self.problem.take(fold.train)
            for name in kept:
                started = time.perf_counter()
                network = fit_candidate(name, part, self.settings)
                seconds[name] += time.perf_counter() - started
                predictions[name].append(self.apply(network, fold))
                scores[name].append(self.score(predictions[name][-1], fold))
                progress.advance(1)
            if number == 0:
                best = max(scores[name][0].choice for name in names)
                kept = [name for name in names if name == method or scores[name][0].choice >= best - _HOPELESS]
                progress.advance((len(names) - len(kept)) * (len(self.folds) - 1))
        found = {
            name: Candidate(pooled(scores[name]), seconds[name] / len(scores[name]), complete=name in kept)
            for name in names
        }
        return found | self._mixture(found, {name: predictions[name] for name in kept if name != 'identity'})

    def _mixture(self, found: dict[str, Candidate], predictions: dict[str, list[Tensor]]) -> dict[str, Candidate]:
        if len(predictions) < 2:
            return {}
        held_out = torch.cat([fold.held_out for fold in self.folds])
        joined = {name: torch.cat(parts) for name, parts in predictions.items()}
        weights = mixture_weights(joined, self.problem.new[held_out])
        if len(weights) < 2:
            return {}
        self._weights = weights
        scores = []
        for number, fold in enumerate(self.folds):
            parts = [weight * predictions[name][number] for name, weight in self._weights.items()]
            # What each candidate makes of the pairs that it was fitted to has the mean of their new embeddings.
            shift = (1 - sum(weights.values())) * self.problem.new[fold.train].mean(0)
            scores.append(self.score(torch.stack(parts).sum(dim=0) + shift, fold))
        seconds = sum(found[name].seconds for name in self._weights)
        return {MIXTURE: Candidate(pooled(scores), seconds, complete=True, parts=self._weights)}

    def fit(self, name: str, problem: Problem) -> TransformNetwork:
        """Fit a candidate, or the mixture that :meth:`run` has found."""
        if name != MIXTURE:
            return fit_candidate(name, problem, self.settings)
        if not self._weights:
            raise ValueError(f'`method` must not be {MIXTURE!r} where no two candidates complement one another')
        networks = [(weight, fit_candidate(part, problem, self.settings)) for part, weight in self._weights.items()]
        side = problem.old if problem.side is None else problem.side
        mixed = mix(networks, torch.zeros(problem.new.shape[1]))
        total = torch.cat([mixed(*rows) for rows in zip(problem.old.split(4096), side.split(4096), strict=True)])
        return mix([(1.0, mixed)], problem.new.mean(0) - total.mean(0))

    def apply(self, network: TransformNetwork, fold: Fold) -> Tensor:
        """Transform the held-out inputs."""
        held_out = self.problem.take(fold.held_out)
        return network(held_out.old, held_out.side)

    def score(self, predicted: Tensor, fold: Fold) -> Scores:
        """Score transformed embeddings: as a gallery, or as queries of the old gallery."""
        part = self.pairs.take(fold.held_out)
        return score(part, part.old, predicted) if self._is_query else score(part, predicted)
