"""Candidates that are trained: a network on top of a linear map, and h of the paper."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from mmfct.apis.learn_transform.problem import Problem
from mmfct.apis.learn_transform.settings import LearnSettings
from mmfct.retrieval.transform.layers import (
    MIXER,
    OLD_BRANCH,
    PARTS,
    SIDE_BRANCH,
    Layer,
    build_perceptron,
    fold_perceptron,
)
from mmfct.retrieval.transform.network import Stack, Term, TransformNetwork

_HELD_OUT = 0.1  # of the pairs, which say when to stop


def hidden_width(pairs: int, settings: LearnSettings) -> int:
    """Return the hidden width that a number of pairs can teach: a multiple of 16."""
    return max(16, min(settings.hidden_dims, round(pairs / settings.pairs_per_unit) // 16 * 16))


def fit_residual_network(
    problem: Problem, linear: TransformNetwork, rest: Tensor, settings: LearnSettings, *, use_side: bool
) -> TransformNetwork:
    """Train one hidden layer on what a linear map leaves; where it learns nothing, the linear map remains.

    Args:
        problem: Inputs and targets.
        linear: The linear map.
        rest: Its leave-one-out errors of shape (N, D'); those of rows that it has seen would be smaller, and would
            not tell the network when to stop.
        settings: How to train.
        use_side: Whether the network takes side-information.
    """
    inputs = problem.inputs(use_side=use_side)
    width = hidden_width(len(problem), settings)
    # Inputs and targets of about unit variance; the scales become part of the layers.
    scale, spread = 1 / _rms(inputs), _rms(rest)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        first, last = nn.Linear(inputs.shape[1], width), nn.Linear(width, rest.shape[1])
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        network = nn.Sequential(first, nn.ReLU(), nn.Dropout(settings.dropout), last)
        _train(network, lambda rows: network(inputs[rows] * scale), rest / spread, settings)
    mixer = Stack([Layer(first.weight * scale, first.bias, True), Layer(last.weight * spread, last.bias * spread)])
    term = Term(None, Stack() if use_side else None, mixer)
    return TransformNetwork([*linear.summands, term], unit_inputs=problem.unit_inputs)


def fit_paper_network(problem: Problem, settings: LearnSettings, *, use_side: bool) -> TransformNetwork:
    """Train h of the paper (FCT, arXiv 2112.02805) on stored embeddings, as wide as the pairs can teach.

    Args:
        problem: Inputs and targets.
        settings: How to train.
        use_side: Whether the second branch takes side-information; otherwise the old embedding feeds both.
    """
    side = problem.side if use_side and problem.side is not None else problem.old
    scales = 1 / _rms(problem.old), 1 / _rms(side)
    spread = _rms(problem.new)
    width = hidden_width(len(problem), settings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        perceptrons = nn.ModuleDict(
            {
                OLD_BRANCH: build_perceptron(problem.old.shape[1], width, width),
                SIDE_BRANCH: build_perceptron(side.shape[1], width, width),
                MIXER: build_perceptron(2 * width, width, width, out=problem.new.shape[1]),
            }
        )

        def forward(rows: Tensor) -> Tensor:
            branches = [
                perceptrons[OLD_BRANCH](problem.old[rows] * scales[0]),
                perceptrons[SIDE_BRANCH](side[rows] * scales[1]),
            ]
            return perceptrons[MIXER](torch.cat(branches, dim=1))

        _train(perceptrons, forward, problem.new / spread, settings)
    weights = perceptrons.state_dict()
    old_layers, side_layers, mixer = (fold_perceptron(weights, part) for part in PARTS)
    old_layers[0] = old_layers[0]._replace(weight=old_layers[0].weight * scales[0])
    side_layers[0] = side_layers[0]._replace(weight=side_layers[0].weight * scales[1])
    mixer[-1] = Layer(mixer[-1].weight * spread, mixer[-1].bias * spread)
    if use_side:
        term = Term(Stack(old_layers), Stack(side_layers), Stack(mixer))
    else:
        term = Term(Stack(_from_one_input(old_layers, side_layers)), None, Stack(mixer))
    return TransformNetwork([term], unit_inputs=problem.unit_inputs)


def _from_one_input(first: Sequence[Layer], second: Sequence[Layer]) -> list[Layer]:
    """Put two branches that the old embedding feeds into one, so that the network needs no other input."""
    layers = []
    for number, (one, other) in enumerate(zip(first, second, strict=True)):
        join = torch.block_diag if number else _stacked
        layers.append(Layer(join(one.weight, other.weight), _stacked(one.bias, other.bias), one.relu))
    return layers


def _stacked(first: Tensor, second: Tensor) -> Tensor:
    return torch.cat([first, second])


def _train(network: nn.Module, forward: Callable[[Tensor], Tensor], targets: Tensor, settings: LearnSettings) -> None:
    """Minimise the squared error, and leave the weights with the smallest error on held-out pairs, in place."""
    size = len(targets)
    order = torch.randperm(size)
    held_out, train = order[: max(20, round(_HELD_OUT * size))], order[max(20, round(_HELD_OUT * size)) :]
    batch = min(settings.batch_size, max(16, len(train) // 4))
    steps = max(1, len(train) // batch)
    weights = sum(parameter.numel() for parameter in network.parameters())
    epochs = max(2, min(settings.epochs, math.floor(settings.flops / (6 * weights * len(train)))))
    optimizer = torch.optim.AdamW(network.parameters(), settings.lr, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.lr, total_steps=epochs * steps)

    def error() -> float:
        network.eval()
        with torch.no_grad():
            return (forward(held_out) - targets[held_out]).square().mean().item()

    best, state, waited = error(), copy.deepcopy(network.state_dict()), 0
    for _ in range(epochs):
        network.train()
        for rows in train[torch.randperm(len(train))].split(batch)[:steps]:
            optimizer.zero_grad(set_to_none=True)
            (forward(rows) - targets[rows]).square().mean().backward()
            optimizer.step()
            schedule.step()
        now = error()
        waited += 1
        if now < best:
            best, state, waited = now, copy.deepcopy(network.state_dict()), 0
        elif waited >= settings.patience:
            break
    network.load_state_dict(state)
    network.eval()


def _rms(rows: Tensor) -> float:
    return max(rows.square().mean().sqrt().item(), 1e-12)
