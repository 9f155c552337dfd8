"""How well the label of every training instance agrees with its image, and the weights that follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mmfct.functional.label_agreement import agreement_weights
from mmfct.instances.keys import InstanceKeys
from mmfct.instances.module import InstanceModule
from mmfct.instances.store import InstanceStore

# Share of a mean contrast that stays at the next visit: the network learns, and what it said ten epochs ago is stale.
_MEMORY = 0.8


def mean_contrasts(sums: Tensor, counts: Tensor) -> Tensor:
    """Return the means in [-1, 1] of decayed sums and counts of contrasts, (I, T); NaN where nothing was compared."""
    return (sums / counts).clamp(-1, 1)


class AgreementStore(InstanceStore):
    """A running mean of contrasts per training instance and task, and weights that are refitted after every epoch.

    The contrasts come from the modules, see `mmfct.functional.label_agreement`. Under several ranks they are put
    together, so that every rank holds the same means and fits the same weights. A checkpoint has 16 bytes per
    instance and task, and 4 more in a second pass.

    Args:
        modules: Modules that use the weights and report contrasts, such as `mmfct.AgreementWeighting`.
        keys: Keys of the training instances; row i belongs to the i-th.
        track_losses: Whether to keep the mean loss of every instance too.
        device: Where the state lives.
        prior: Weights above 0 that an earlier training has found, of shape (I, T), or ``None``. They are the weights
            of the first epoch, and multiply all later ones.

    Attributes:
        shares: Estimated share of wrong labels by task, of shape (T,); NaN before the first fit.

    Raises:
        ValueError: If two modules have a task of one name.
    """

    def __init__(
        self,
        modules: Sequence[InstanceModule],
        keys: InstanceKeys,
        *,
        track_losses: bool,
        device: torch.device | str,
        prior: Tensor | None = None,
    ) -> None:
        super().__init__(modules, keys, track_losses=track_losses, device=device)
        size = len(keys), len(self.tasks)
        self._sums = torch.zeros(size, device=device)
        self._counts = torch.zeros(size, device=device)
        self._second_pass = prior is not None
        self._prior = torch.ones(size, device=device) if prior is None else prior.to(device)
        self._rows = self._prior.clone()
        self.shares = torch.full((len(self.tasks),), torch.nan, device=device)

    @property
    def rows(self) -> Tensor:
        """The weights of all instances, (I, T)."""
        return self._rows

    def step(self) -> None:
        """Add the contrasts collected since the last step, of all ranks, to the means of their instances."""
        rows, report = self._exchange.take_reports()
        known = report.annotated & report.values.isfinite()
        unique, inverse = rows.unique(return_inverse=True)
        zeros = self._sums.new_zeros(len(unique), len(self.tasks))
        total = zeros.index_add(0, inverse, torch.where(known, report.values, 0.0))
        visits = zeros.index_add(0, inverse, known.to(zeros.dtype))
        seen = visits > 0
        for state, new in ((self._sums, total / visits.clamp(min=1)), (self._counts, torch.ones_like(total))):
            before = state[unique]
            state[unique] = torch.where(seen, _MEMORY * before + (1 - _MEMORY) * new, before)

    def end_epoch(self) -> None:
        """Fit the weights of each task to the mean contrasts; instances without any keep theirs."""
        contrasts = self.contrasts()
        for column, known in enumerate((self._counts > 0).unbind(dim=1)):
            if known.any():
                values, prior = (table[known, column].double().cpu().numpy() for table in (contrasts, self._prior))
                weights, share = agreement_weights(values, prior)
                self._rows[known, column] = torch.from_numpy(weights).to(self._rows)
                self.shares[column] = share

    def contrasts(self) -> Tensor:
        """Return the mean contrasts (I, T), in [-1, 1]; NaN where an instance was never compared."""
        return mean_contrasts(self._sums, self._counts)

    def learned_state(self) -> dict[str, Any]:
        """Return contrasts, weights and shares."""
        state = dict(contrast_sum=self._sums, contrast_count=self._counts, instance_weight=self._rows)
        if self._second_pass:
            state['prior'] = self._prior
        return state | dict(share=self.shares, weight=self.weights())

    def load_learned_state(self, state: dict[str, Any]) -> None:
        """Restore contrasts, weights and shares.

        Raises:
            ValueError: If the state has weights that are learned by gradient descent, or only one of the two
                trainings is a second pass.
        """
        if 'contrast_sum' not in state:
            raise ValueError('the checkpoint has weights learned by gradient descent, the model weights by agreement')
        if ('prior' in state) != self._second_pass:
            saved, current = ('first', 'second') if self._second_pass else ('second', 'first')
            raise ValueError(
                f'the checkpoint is of a {saved} pass, this training is a {current} one: resume with the same '
                '`suspects`'
            )
        if self._second_pass:
            self._prior.copy_(state['prior'])
        for own, name in (
            (self._sums, 'contrast_sum'),
            (self._counts, 'contrast_count'),
            (self._rows, 'instance_weight'),
            (self.shares, 'share'),
        ):
            own.copy_(state[name])
