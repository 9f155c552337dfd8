"""How far down the list of its neighbours an item finds itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmfct.functional.own_rank import LEAST_PAIRS, MOST_OWN_RANK, median_own_rank


def test_a_plain_loop():
    first, second = np.random.default_rng(0).standard_normal((2, 9, 4))
    second += first
    centred = [rows - rows.mean(axis=0) for rows in (first, second)]
    left, right = ([row / np.linalg.norm(row) for row in rows] for rows in centred)
    ranks = [sum(row @ other > row @ right[place] for other in right) / 9 for place, row in enumerate(left)]
    found = median_own_rank(*map(torch.from_numpy, (first, second)))
    assert found == pytest.approx(np.median(ranks)) and 0 < found < 0.5


def test_what_an_upgrade_changes_and_what_another_space_is():
    """Little that was learned, short vectors and a shift are no other space; a rotation and mixed ids are."""
    generator = torch.Generator().manual_seed(0)
    new = torch.randn(LEAST_PAIRS, 16, generator=generator)
    weak = 0.05 * (new + 2 * torch.randn(len(new), 16, generator=generator)) + 3
    assert median_own_rank(new, new) == 0
    assert median_own_rank(weak, new) < MOST_OWN_RANK / 2
    assert median_own_rank(weak, new.roll(1, 0)) > MOST_OWN_RANK
    assert median_own_rank(weak @ torch.linalg.qr(torch.randn(16, 16, generator=generator))[0], new) > MOST_OWN_RANK
