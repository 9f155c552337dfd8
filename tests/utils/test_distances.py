"""The names of distances."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import mmfct
from mmfct.utils.distances import DISTANCES, check_distance


@pytest.mark.parametrize('distance', DISTANCES)
def test_known_distances_pass(distance):
    check_distance(distance)


def test_an_unknown_distance_lists_the_choices():
    with pytest.raises(ValueError, match="`distance` must be one of l2, cosine, inner, got 'l1'"):
        check_distance('l1')


def test_galleries_are_read_without_torch():
    code = 'import sys, mmfct.retrieval, mmfct.retrieval.index.exact; sys.exit("torch" in sys.modules)'
    folder = Path(mmfct.__file__).parents[1]
    assert subprocess.run([sys.executable, '-c', code], cwd=folder).returncode == 0
