"""Text files of ids."""

from __future__ import annotations

import pytest

from mmfct.utils.id_list import read_id_list


def test_lines_in_their_order_whatever_their_bytes(tmp_path):
    (tmp_path / 'ids.txt').write_bytes(b'b.jpg\n\n a \xff\nb.jpg\n')
    assert read_id_list(tmp_path / 'ids.txt', 'have') == ['b.jpg', ' a \udcff', 'b.jpg']
    with pytest.raises(FileNotFoundError, match='`remove` must be a text file of ids, one a line, got '):
        read_id_list(tmp_path / 'none.txt', 'remove')
