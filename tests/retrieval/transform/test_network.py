"""Networks of transform files: what they compute, and that their structure and weights say all of it."""

from __future__ import annotations

import json

import pytest
import torch
from torch.nn.functional import normalize

from mmfct.retrieval.transform.layers import Layer
from mmfct.retrieval.transform.network import Stack, Term, TransformNetwork, TransformStructure


def layer(fan_in: int, fan_out: int, relu: bool = False) -> Layer:
    return Layer(torch.randn(fan_out, fan_in), torch.randn(fan_out), relu)


def network(**options) -> TransformNetwork:
    """An affine map of old and side, a perceptron of old alone, and h's two branches."""
    terms = [
        Term(None, Stack(), Stack([layer(10, 5)])),
        Term(None, None, Stack([layer(6, 8, True), layer(8, 5)])),
        Term(Stack([layer(6, 3, True)]), Stack([layer(4, 3, True), layer(3, 2)]), Stack([layer(5, 5)])),
    ]
    return TransformNetwork(terms, **options)


def plainly(network: TransformNetwork, old: torch.Tensor, side: torch.Tensor) -> torch.Tensor:
    """The same by a plain loop over rows."""

    def run(stack, values):
        for weight, bias, relu in [] if stack is None else stack.layers:
            values = weight @ values + bias
            values = values.clamp(min=0) if relu else values
        return values

    rows = []
    for one, other in zip(old, side, strict=True):
        if network.unit_inputs:
            one, other = one / one.norm(), other / other.norm()
        total = 0
        for term in network.terms:
            parts = [run(term.old, one)] + ([] if term.side is None else [run(term.side, other)])
            total = total + run(term.mixer, torch.cat(parts))
        if network.length is not None:
            slope, intercept = network.length
            total = total / total.norm() * max(slope * total.norm() + intercept, 0)
        rows.append(total)
    return torch.stack(rows)


@pytest.mark.parametrize('options', [{}, dict(unit_inputs=True), dict(length=(0.5, 0.25)), dict(length=(1.0, -1e9))])
def test_a_plain_loop_and_the_file_agree(options):
    torch.manual_seed(0)
    made = network(**options)
    old, side = torch.randn(7, 6), torch.randn(7, 4)
    torch.testing.assert_close(made(old, side), plainly(made, old, side), rtol=1e-4, atol=1e-4)
    structure = TransformStructure.from_json(json.loads(json.dumps(made.structure.to_json())))
    again = TransformNetwork.from_weights(structure, made.state_dict())
    assert torch.equal(again(old, side), made(old, side)) and again.structure == made.structure and again.uses_side


def test_an_affine_map_and_the_identity():
    old, side = torch.randn(3, 4), torch.randn(3, 2)
    weight, bias = torch.randn(6, 5), torch.randn(5)
    affine = TransformNetwork.affine(weight, bias, with_side=True)
    torch.testing.assert_close(affine(old, side), torch.cat([old, side], 1) @ weight + bias)
    alone = TransformNetwork.affine(weight[:4], bias, unit_inputs=True)
    torch.testing.assert_close(alone(old), normalize(old, dim=1) @ weight[:4] + bias)
    assert not alone.uses_side
    identity = TransformNetwork([Term(None, None, Stack())])
    assert torch.equal(identity(old), old)


def test_rows_of_zeros_stay_finite():
    assert torch.isfinite(network(unit_inputs=True, length=(1.0, 0.0))(torch.zeros(2, 6), torch.zeros(2, 4))).all()


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(terms=[]), '`terms` must be a list with an entry'),
        (dict(terms=[dict(old=[True])]), r"a term must have `old`, `mixer` and perhaps `side`, got \['old'\]"),
        (dict(length=[1]), '`length` must be a slope and an intercept'),
    ],
)
def test_malformed_structures(changes, message):
    with pytest.raises(ValueError, match=message):
        TransformStructure.from_json(network().structure.to_json() | changes)
