"""The transformations that are compared, from the identity to h of the paper."""

from __future__ import annotations

from collections.abc import Callable

import torch

from mmfct.apis.learn_transform.networks import fit_paper_network, fit_residual_network
from mmfct.apis.learn_transform.problem import Problem
from mmfct.apis.learn_transform.settings import LearnSettings
from mmfct.functional.linear_fits import fit_procrustes, reduce_rank
from mmfct.retrieval.transform.layers import Layer
from mmfct.retrieval.transform.network import Stack, Term, TransformNetwork

SIDE = '+side'
MIXTURE = 'mixture'


def identity(problem: Problem, settings: LearnSettings, *, use_side: bool) -> TransformNetwork:
    """Leave old embeddings as they are."""
    return TransformNetwork([Term(None, None, Stack())])


def procrustes(problem: Problem, settings: LearnSettings, *, use_side: bool) -> TransformNetwork:
    """Rotate, scale and shift."""
    weight, bias = fit_procrustes(problem.moments(use_side=False))
    return TransformNetwork.affine(weight, bias, unit_inputs=problem.unit_inputs)


def ridge(problem: Problem, settings: LearnSettings, *, use_side: bool) -> TransformNetwork:
    """Regress linearly."""
    weight, bias = problem.ridge(settings.penalties, use_side=use_side).map
    return TransformNetwork.affine(weight, bias, with_side=use_side, unit_inputs=problem.unit_inputs)


def inflated(problem: Problem, settings: LearnSettings, *, use_side: bool) -> TransformNetwork:
    """Regress linearly, and give back a part of the spread that regression takes."""
    weight, bias = problem.ridge(settings.penalties, use_side=use_side).inflated(settings.inflation)
    return TransformNetwork.affine(weight, bias, with_side=use_side, unit_inputs=problem.unit_inputs)


def low_rank(problem: Problem, settings: LearnSettings, *, use_side: bool) -> TransformNetwork:
    """Reduce the rank of the ridge regression."""
    moments = problem.moments(use_side=use_side)
    rank = min(settings.rank, *moments.cross.shape)
    first, second = reduce_rank(problem.ridge(settings.penalties, use_side=use_side).map, moments, rank)
    mixer = Stack([Layer(first.T.contiguous(), torch.zeros(rank)), Layer(second.weight.T.contiguous(), second.bias)])
    term = Term(None, Stack() if use_side else None, mixer)
    return TransformNetwork([term], unit_inputs=problem.unit_inputs)


def residual(problem: Problem, settings: LearnSettings, *, use_side: bool) -> TransformNetwork:
    """Learn by a small network what the ridge regression leaves."""
    fit = problem.ridge(settings.penalties, use_side=use_side)
    rest = fit.left_out_errors(problem.inputs(use_side=use_side), problem.new)
    linear = ridge(problem, settings, use_side=use_side)
    return fit_residual_network(problem, linear, rest, settings, use_side=use_side)


def paper(problem: Problem, settings: LearnSettings, *, use_side: bool) -> TransformNetwork:
    """Train h of the paper."""
    return fit_paper_network(problem, settings, use_side=use_side)


FITS: dict[str, Callable[..., TransformNetwork]] = {
    'identity': identity,
    'procrustes': procrustes,
    'low-rank': low_rank,
    'ridge': ridge,
    'inflated': inflated,
    'residual': residual,
    'fct': paper,
}
_WITHOUT_SIDE_ALONE = ('identity', 'procrustes')


def candidate_names(problem: Problem) -> list[str]:
    """List the candidates that fit a problem: those with ``+side`` use side-information."""
    names = [name for name in FITS if name != 'identity' or problem.old.shape[1] == problem.new.shape[1]]
    if problem.side is not None:
        names += [f'{name}{SIDE}' for name in FITS if name not in _WITHOUT_SIDE_ALONE]
    return names


def fit_candidate(name: str, problem: Problem, settings: LearnSettings) -> TransformNetwork:
    """Fit one of `candidate_names`."""
    return FITS[name.removesuffix(SIDE)](problem, settings, use_side=name.endswith(SIDE))
