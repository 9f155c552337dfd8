"""The command that repairs an index of vectors of another program."""

from __future__ import annotations

import re
import shlex

import pytest

from mmfct.cli import main
from mmfct.retrieval.index.file import read_index
from mmfct.retrieval.stores.loaded import open_checked
from mmfct.retrieval.stores.options import SourceOptions


@pytest.mark.parametrize('fingerprint', [None, 'a' * 64])
def test_the_command_that_a_missing_index_names_builds_it(store, tmp_path, fingerprint):
    pytest.importorskip('faiss')
    index = tmp_path / 'index.faiss'
    gallery = open_checked(store, SourceOptions(model='my encoder', fingerprint=fingerprint, distance='cosine'))
    with pytest.raises(FileNotFoundError, match='build it with') as caught:
        read_index(index, gallery)
    program, *words = shlex.split(re.search('`(.*)`', str(caught.value))[1])
    assert program == 'mmfct'
    main([*words, '--num-queries', '0'])
    assert read_index(index, gallery).ntotal == len(gallery)
