"""Every knob of the candidates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from mmfct.functional.linear_fits import PENALTIES

# BN needs two pairs a step.
_LEAST = dict(seed=0, weight_decay=0, dropout=0, inflation=0, folds=2, batch_size=2)


@dataclass(frozen=True)
class LearnSettings:
    """How candidates are fitted and compared; the entry ``learn`` of a config changes any of these.

    Args:
        penalties: Penalties that ridge regression chooses from, relative to the mean variance of an input dimension.
        inflation: Share of the spread that an inflated ridge regression gives back, see `RidgeFit`.
        rank: Rank of the low-rank map; 64 is Drift-Adapter's.
        hidden_dims: Largest hidden width of a network; fewer pairs make it narrower.
        pairs_per_unit: Pairs for each hidden unit of a network, at least.
        epochs: Most epochs of a network.
        patience: Epochs without a smaller error on held-out pairs after which a network stops.
        flops: Most floating-point operations of training a network; of many pairs, fewer epochs fit in.
        batch_size: Pairs per step of a network.
        lr: Largest learning rate of a network, of AdamW.
        weight_decay: Weight decay of AdamW.
        dropout: Dropout of the hidden layer of the residual network.
        folds: Parts into which up to ``one_fold_from`` pairs are cut, to judge each with what the others teach.
        one_fold_from: Number of pairs from which one held-out part is judged.
        max_held_out: Most pairs of that part.
        seed: Seed of everything drawn.

    Raises:
        ValueError: If a number is out of range.
    """

    penalties: tuple[float, ...] = PENALTIES
    inflation: float = 0.4
    rank: int = 64
    hidden_dims: int = 512
    pairs_per_unit: float = 4.0
    epochs: int = 60
    patience: int = 8
    flops: float = 1.0e12
    batch_size: int = 256
    lr: float = 1e-3
    weight_decay: float = 1e-2
    dropout: float = 0.3
    folds: int = 5
    one_fold_from: int = 10_000
    max_held_out: int = 5_000
    seed: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            least = _LEAST.get(field.name, 1 if field.type == 'int' else 1e-12)
            kind = int if field.type == 'int' else (int, float)
            values = value if isinstance(value, (tuple, list)) else [value]
            numbers = all(isinstance(one, kind) and not isinstance(one, bool) for one in values)
            if not values or not numbers or not min(values) >= least or (field.name == 'dropout' and value >= 1):
                what = 'a whole number' if field.type == 'int' else 'a number'
                raise ValueError(f'`{field.name}` of the settings must be {what} in range, got {value!r}')

    @classmethod
    def from_config(cls, entries: Mapping[str, Any]) -> LearnSettings:
        """Read settings from the entries of a config.

        Raises:
            ValueError: If there is no such setting, or one is out of range.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(entries.keys() - known)
        if unknown:
            raise ValueError(
                f'`learn` of the config must have settings among {", ".join(sorted(known))}, got {unknown}'
            )
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in entries.items()
        }
        return cls(**values)
