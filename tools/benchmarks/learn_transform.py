"""Time of learning a transformation from stored vectors: every candidate, in proportion to its bare matrix products.

The products are what no ridge regression can do without: inputs times inputs and inputs times targets. They are timed
in the same run. The vectors are made: 64 hidden dimensions, turned by two models, with noise. Prints JSON: seconds of
the products, times of each candidate in proportion to them (``ridge_ratio`` ...), of the closed forms together
(``closed_forms_ratio``), and with --whole of the comparison with choice, learning curve and report (``whole_ratio``).

Example:
    python tools/benchmarks/learn_transform.py --pairs 50000 --old-dims 768 --new-dims 1024
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmfct.apis.learn_transform import LearnSettings, learn_transform
from mmfct.apis.learn_transform.candidates import SIDE, candidate_names, fit_candidate
from mmfct.apis.learn_transform.pairs import Pairs
from mmfct.apis.learn_transform.problem import Problem
from mmfct.retrieval.gallery.provenance import ModelIdentity

_HIDDEN = 64
_TRAINED = ('residual', 'fct')


def make_pairs(arguments: argparse.Namespace) -> Pairs:
    """Make vectors of two models and side-information."""
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(arguments.pairs, _HIDDEN, generator=generator)

    def see(width: int) -> Tensor:
        turn = torch.randn(_HIDDEN, width, generator=generator) / _HIDDEN**0.5
        return (hidden @ turn).relu() + 0.3 * torch.randn(arguments.pairs, width, generator=generator)

    return Pairs(
        ids=np.arange(arguments.pairs).astype(str),
        old=see(arguments.old_dims),
        new=see(arguments.new_dims),
        side=see(arguments.side_dims) if arguments.side_dims else None,
        labels=None,
        models={role: ModelIdentity.named(role) for role in ('old', 'new', 'side')},
        distance='cosine',
    )


def main() -> None:
    """Time everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--pairs', type=int, default=50_000, help='number of pairs (default: 50000)')
    parser.add_argument('--old-dims', type=int, default=768, help='width of old vectors (default: 768)')
    parser.add_argument('--side-dims', type=int, default=0, help='width of side-information (default: 0, none)')
    parser.add_argument('--new-dims', type=int, default=1024, help='width of new vectors (default: 1024)')
    parser.add_argument('--whole', action='store_true', help='also time the comparison, the choice and the report')
    arguments = parser.parse_args()
    pairs = make_pairs(arguments)
    problem = Problem.of(pairs)
    joined = problem.inputs(use_side=True)
    started = time.perf_counter()
    joined.T @ joined, joined.T @ problem.new
    bare = time.perf_counter() - started
    result: dict[str, float | str] = dict(products_seconds=bare)
    closed = 0.0
    for name in candidate_names(problem):
        started = time.perf_counter()
        fit_candidate(name, problem, LearnSettings())
        seconds = time.perf_counter() - started
        closed += 0 if name.removesuffix(SIDE) in _TRAINED else seconds
        result[f'{name}_ratio'] = seconds / bare
    result |= dict(closed_forms_seconds=closed, closed_forms_ratio=closed / bare)
    if arguments.whole:
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            learned = learn_transform(pairs, Path(folder) / 'h.safetensors')
        result |= dict(chosen=learned.chosen, whole_seconds=learned.seconds, whole_ratio=learned.seconds / bare)
    print(json.dumps(result, indent=1))


if __name__ == '__main__':
    main()
