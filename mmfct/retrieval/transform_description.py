"""What the file of a transform says about itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .gallery_column import check_count
from .provenance import ModelIdentity

KIND = 'mmfct transform'
FORMAT_VERSION = 1
_PARTS = ('old_branch', 'side_branch', 'mixer')


@dataclass(frozen=True)
class TransformDescription:
    """A transform h(old embedding, side-information) -> new embedding: between which models, and how it is built.

    Args:
        name: What people call it, such as the name of its config.
        fingerprint: `fingerprint_state_dict` of its weights.
        old: The model whose embeddings it takes.
        new: The model in whose space its outputs are.
        side: The model of the side-information; ``None`` if the old embedding feeds both branches.
        layers: Widths from input to output of ``old_branch``, ``side_branch`` and ``mixer``. Each step is Linear
            without bias, BN and ReLU, but the last of the mixer, which is a Linear with bias. The mixer's input is
            the outputs of both branches, side by side.
        norm_eps: What BN adds to variances.
        with_uncertainty: Whether a last Linear predicts the log-variance of an upgraded embedding (FastFill).
        training_data: On which data it was trained, as plain JSON.
        quality: What was measured with it, as plain JSON; ``None`` if nothing was.
        backfill: What the new model costs instead: ``macs`` (multiplications) for an image of ``input_shape``;
            ``None`` if unknown.

    Raises:
        ValueError: If the layers do not fit together.
    """

    name: str
    fingerprint: str
    old: ModelIdentity
    new: ModelIdentity
    side: ModelIdentity | None
    layers: Mapping[str, list[int]]
    norm_eps: float = 1e-5
    with_uncertainty: bool = False
    training_data: Mapping[str, Any] = field(default_factory=dict)
    quality: Mapping[str, Any] | None = None
    backfill: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.layers.keys() != set(_PARTS) or not all(len(self.layers[part]) > 1 for part in _PARTS):
            raise ValueError(f'`layers` must give the widths of {", ".join(_PARTS)}, got {self.layers!r}')
        for part in _PARTS:
            for width in self.layers[part]:
                check_count(width, f'layers of {part}')
        branches = self.layers['old_branch'][-1] + self.layers['side_branch'][-1]
        if self.layers['mixer'][0] != branches:
            raise ValueError(
                f'the mixer must take the {branches} outputs of both branches, got {self.layers["mixer"][0]}'
            )

    @property
    def widths(self) -> dict[str, int]:
        """Widths D of the old embedding, S of the side-information and D' of the new embedding, by role."""
        layers = self.layers
        return dict(old=layers['old_branch'][0], side=layers['side_branch'][0], new=layers['mixer'][-1])

    @property
    def macs(self) -> int:
        """Multiplications for one item."""
        layers = self.layers.values()
        return sum(a * b for widths in layers for a, b in zip(widths[:-1], widths[1:], strict=True))

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor by name; names are those of `torch.nn.Sequential` parts."""
        shapes: dict[str, tuple[int, ...]] = {}
        for part, widths in self.layers.items():
            for step, (fan_in, fan_out) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
                shapes[f'{part}.{3 * step}.weight'] = (fan_out, fan_in)
                if part == 'mixer' and step == len(widths) - 2:
                    shapes[f'{part}.{3 * step}.bias'] = (fan_out,)
                    continue
                for name in ('weight', 'bias', 'running_mean', 'running_var'):
                    shapes[f'{part}.{3 * step + 1}.{name}'] = (fan_out,)
        if self.with_uncertainty:
            shapes['uncertainty.weight'], shapes['uncertainty.bias'] = (1, self.widths['new']), (1,)
        return shapes

    def to_json(self) -> dict[str, Any]:
        """Return what the file says; also the entry of an upgraded gallery's `Provenance.upgrades`."""
        models = dict(old_model=self.old.to_json(), new_model=self.new.to_json())
        others = ('name', 'fingerprint', 'norm_eps', 'with_uncertainty', 'training_data', 'quality', 'backfill')
        return dict(
            kind=KIND,
            format_version=FORMAT_VERSION,
            side_model=self.side and self.side.to_json(),
            layers={part: list(self.layers[part]) for part in _PARTS},
            widths=self.widths,
            **models,
            **{name: getattr(self, name) for name in others},
        )

    @classmethod
    def from_json(cls, entries: Mapping[str, Any]) -> TransformDescription:
        """Read what :meth:`to_json` returned.

        Raises:
            ValueError: If it is something else, or of another format version.
        """
        if not isinstance(entries, dict) or entries.get('kind') != KIND:
            raise ValueError(f'a transform must say that it is a {KIND!r}, got {entries!r:.80}')
        if entries.get('format_version') != FORMAT_VERSION:
            raise ValueError(
                f'a transform must have `format_version` {FORMAT_VERSION}, got {entries.get("format_version")!r}'
            )
        try:
            side = entries['side_model']
            others = ('name', 'fingerprint', 'layers', 'norm_eps', 'with_uncertainty', 'training_data', 'quality')
            return cls(
                old=ModelIdentity.from_json(entries['old_model']),
                new=ModelIdentity.from_json(entries['new_model']),
                side=side and ModelIdentity.from_json(side),
                backfill=entries['backfill'],
                **{name: entries[name] for name in others},
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f'the description of a transform must be complete, got {error!r}') from error
