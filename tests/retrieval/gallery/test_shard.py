import numpy as np
import pytest

from mmfct.retrieval.gallery.description import Column
from mmfct.retrieval.gallery.shard import count_bad_rows, open_rows


@pytest.mark.parametrize('values_per_block', [1, 5, 6, 2**20])
def test_bad_rows_are_counted_across_blocks(values_per_block, monkeypatch):
    monkeypatch.setattr('mmfct.retrieval.gallery.shard._VALUES_PER_BLOCK', values_per_block)
    array = np.zeros((7, 3), np.float16)
    array[[0, 2, 6], [1, 0, 2]] = np.nan, np.inf, -np.inf
    array[2, 1] = np.nan  # the second one in its row
    assert count_bad_rows(array) == 3
    assert count_bad_rows(array[:, 2]) == 1
    assert count_bad_rows(np.arange(7)) == 0
    assert count_bad_rows(np.array(['nan'])) == 0


def test_damaged_headers_are_named(tmp_path):
    column = Column('a', 'float32', 3)
    np.save(tmp_path / 'a.npy', np.zeros((4, 3), np.float32))
    whole = (tmp_path / 'a.npy').read_bytes()
    for place in range(10, 70):
        for value in (0, ord('('), ord("'"), 255):
            (tmp_path / 'a.npy').write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
            try:
                open_rows(tmp_path / 'a.npy', column, 4)
            except ValueError as error:
                assert 'a.npy must ho' in str(error) or 'a.npy must be a .npy file' in str(error)
