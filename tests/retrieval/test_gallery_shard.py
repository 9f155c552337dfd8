import numpy as np
import pytest

from mmfct.retrieval.gallery_shard import count_bad_rows


@pytest.mark.parametrize('values_per_block', [1, 5, 6, 2**20])
def test_bad_rows_are_counted_across_blocks(values_per_block, monkeypatch):
    monkeypatch.setattr('mmfct.retrieval.gallery_shard._VALUES_PER_BLOCK', values_per_block)
    array = np.zeros((7, 3), np.float16)
    array[[0, 2, 6], [1, 0, 2]] = np.nan, np.inf, -np.inf
    array[2, 1] = np.nan  # the second one in its row
    assert count_bad_rows(array) == 3
    assert count_bad_rows(array[:, 2]) == 1
    assert count_bad_rows(np.arange(7)) == 0
    assert count_bad_rows(np.array(['nan'])) == 0
