"""The network of a transform file: sums of small stacks of linear layers, of which h of the paper is one kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmfct.retrieval.transform.layers import PARTS, Layer, fold_perceptron


@dataclass(frozen=True)
class TransformStructure:
    """What the weights of a network do not say about it.

    Args:
        terms: For each term by part (``old``, ``side``, ``mixer``), whether a ReLU follows each linear layer of the
            part. A part without layers passes on what it gets; a term without ``side`` does not use side-information.
        unit_inputs: Whether each input is divided by its 2-norm first.
        length: Slope and intercept of the length of the result as a function of the length of the sum; ``None`` to
            leave it.
    """

    terms: tuple[Mapping[str, tuple[bool, ...]], ...]
    unit_inputs: bool = False
    length: tuple[float, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        terms = [{part: list(relus) for part, relus in term.items()} for term in self.terms]
        return dict(terms=terms, unit_inputs=self.unit_inputs, length=self.length and list(self.length))

    @classmethod
    def from_json(cls, entries: Mapping[str, Any]) -> TransformStructure:
        """Read what :meth:`to_json` returned.

        Raises:
            KeyError: If an entry is missing.
            ValueError: If one is malformed.
        """
        terms = entries['terms']
        if not isinstance(terms, list) or not terms:
            raise ValueError(f'`terms` must be a list with an entry, got {terms!r}')
        for term in terms:
            if not {'old', 'mixer'} <= term.keys() <= {'old', 'side', 'mixer'}:
                raise ValueError(f'a term must have `old`, `mixer` and perhaps `side`, got {sorted(term)}')
        length = entries['length']
        if length is not None and len(length) != 2:
            raise ValueError(f'`length` must be a slope and an intercept, got {length!r}')
        return cls(
            tuple({part: tuple(map(bool, relus)) for part, relus in term.items()} for term in terms),
            bool(entries['unit_inputs']),
            None if length is None else (float(length[0]), float(length[1])),
        )


class Stack(nn.Sequential):
    """Linear layers, each perhaps followed by a ReLU; without a layer it passes on its input."""

    def __init__(self, layers: Sequence[Layer] = ()) -> None:
        modules: list[nn.Module] = []
        for layer in layers:
            linear = nn.utils.skip_init(nn.Linear, layer.weight.shape[1], layer.weight.shape[0])
            linear.weight.data, linear.bias.data = layer.weight.float(), layer.bias.float()
            modules += [linear, nn.ReLU()] if layer.relu else [linear]
        super().__init__(*modules)

    @property
    def layers(self) -> list[Layer]:
        """The layers, in order."""
        modules = [*self, None]
        return [
            Layer(module.weight.detach(), module.bias.detach(), isinstance(after, nn.ReLU))
            for module, after in zip(modules, modules[1:], strict=False)
            if isinstance(module, nn.Linear)
        ]


class Term(nn.Module):
    """``mixer(old(x))``, or ``mixer(concat(old(x), side(s)))`` with side-information."""

    def __init__(self, old: Stack | None, side: Stack | None, mixer: Stack) -> None:
        super().__init__()
        self.old, self.side, self.mixer = old or Stack(), side, mixer

    def forward(self, old: Tensor, side: Tensor) -> Tensor:
        """Old embeddings (B, D) and side-information (B, S) -> (B, D')."""
        values = self.old(old)
        if self.side is not None:
            values = torch.cat([values, self.side(side)], dim=1)
        return self.mixer(values)


class TransformNetwork(nn.Module):
    """The sum of some terms: old embeddings (B, D) and side-information (B, S) -> upgraded embeddings (B, D').

    Args:
        terms: The terms.
        unit_inputs: See `TransformStructure`.
        length: See there.
    """

    def __init__(
        self, terms: Sequence[Term], *, unit_inputs: bool = False, length: tuple[float, float] | None = None
    ) -> None:
        super().__init__()
        self.terms = nn.ModuleList(terms)
        self.unit_inputs = unit_inputs
        self.length = length
        self.requires_grad_(False)

    @classmethod
    def affine(cls, weight: Tensor, bias: Tensor, *, with_side: bool = False, **options: Any) -> TransformNetwork:
        """One linear layer: ``weight`` (D + S, D') maps rows from the right, ``bias`` has shape (D',)."""
        mixer = Stack([Layer(weight.T.contiguous(), bias)])
        return cls([Term(None, Stack() if with_side else None, mixer)], **options)

    @classmethod
    def from_head(cls, weights: Mapping[str, Tensor]) -> TransformNetwork:
        """Make the network of the weights of a `mmfct.TransformationHead`; BN is folded into linear layers.

        Raises:
            KeyError: If a weight is missing.
        """
        old, side, mixer = (Stack(fold_perceptron(weights, part)) for part in PARTS)
        if not (len(old) and len(side) and len(mixer)):
            raise KeyError(' or '.join(PARTS))
        return cls([Term(old, side, mixer)])

    @classmethod
    def from_weights(cls, structure: TransformStructure, weights: Mapping[str, Tensor]) -> TransformNetwork:
        """Make the network that :meth:`state_dict` and :attr:`structure` describe.

        Raises:
            KeyError: If a weight is missing.
        """

        def stack(name: str, relus: Sequence[bool]) -> Stack:
            places = [place + sum(relus[:place]) for place in range(len(relus))]
            return Stack(
                [
                    Layer(weights[f'{name}.{place}.weight'], weights[f'{name}.{place}.bias'], relu)
                    for place, relu in zip(places, relus, strict=True)
                ]
            )

        terms = []
        for number, term in enumerate(structure.terms):
            parts = {part: stack(f'terms.{number}.{part}', relus) for part, relus in term.items()}
            terms.append(Term(parts['old'], parts.get('side'), parts['mixer']))
        return cls(terms, unit_inputs=structure.unit_inputs, length=structure.length)

    @property
    def summands(self) -> list[Term]:
        """The terms, typed."""
        return [cast(Term, term) for term in self.terms]

    @property
    def structure(self) -> TransformStructure:
        """What the weights do not say."""
        terms = []
        for term in self.summands:
            parts = dict(old=term.old, side=term.side, mixer=term.mixer)
            relus = {
                name: tuple(layer.relu for layer in part.layers) for name, part in parts.items() if part is not None
            }
            terms.append(relus)
        return TransformStructure(tuple(terms), self.unit_inputs, self.length)

    @property
    def uses_side(self) -> bool:
        """Whether any term takes side-information."""
        return any(term.side is not None for term in self.summands)

    def forward(self, old: Tensor, side: Tensor | None = None) -> Tensor:
        """Return upgraded embeddings; without side-information the old embedding takes its place."""
        side = old if side is None else side
        if self.unit_inputs:
            old, side = normalize(old, dim=1), normalize(side, dim=1)
        values = self.terms[0](old, side)
        for term in self.terms[1:]:
            values = values + term(old, side)
        if self.length is not None:
            slope, intercept = self.length
            lengths = values.norm(dim=1, keepdim=True).clamp_min(1e-12)
            values = values * ((slope * lengths + intercept).clamp_min(0) / lengths)
        return values
