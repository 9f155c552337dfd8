"""The command line of the search."""

from __future__ import annotations

import json
from functools import partial

import cv2
import numpy as np
import pytest

from mmfct.apis.build_index import index_gallery


@pytest.fixture
def run(run_tool):
    """Run the tool and return its exit status."""
    return partial(run_tool, 'search_gallery.py')


def test_embedded_queries(run, switch, tmp_path, capsys):
    for row in range(3):
        cv2.imwrite(str(tmp_path / f'{row:03d}.png'), np.full((8, 8, 3), 80 * row, np.uint8))
    words = [switch.upgraded, '--query', switch.new, '--k', '2', '--image-root', tmp_path]
    assert run(*words, '--out', tmp_path / 'out') == 0
    assert '| 000.png |    1 | 000.png' in capsys.readouterr().out
    assert sorted(file.name for file in (tmp_path / 'out').iterdir()) == ['neighbours.json', 'neighbours.png']
    numbers = json.loads((tmp_path / 'out/neighbours.json').read_text())
    assert [entry['query'] for entry in numbers] == [f'{row:03d}.png' for row in range(60)]
    assert all(len(entry['ids']) == 2 for entry in numbers)


def test_an_index_finds_the_same(run, switch, tmp_path, capsys):
    pytest.importorskip('faiss')
    index_gallery(switch.upgraded, tmp_path / 'g.faiss')
    capsys.readouterr()
    outputs = []
    for words in ([], ['--index', tmp_path / 'g.faiss']):
        assert run(switch.upgraded, '--query', switch.new, *words, '--out', tmp_path / 'out') == 0
        numbers = json.loads((tmp_path / 'out/neighbours.json').read_text())
        outputs.append([entry['ids'] for entry in numbers])
    assert outputs[0] == outputs[1]


def test_bad_input(run, switch, tmp_path, capsys):
    assert run(switch.upgraded, '--query', switch.old) == 2
    assert 'got queries of model_v1' in capsys.readouterr().err
    assert run(switch.upgraded, '--query', switch.new, '--index', tmp_path / 'g.faiss') == 2
    assert 'an index needs its file and the notes beside it' in capsys.readouterr().err


@pytest.mark.parametrize('words', [[], ['a.png'], ['a.png', '--query', 'q', '--config', 'c', '--checkpoint', 'p']])
def test_either_images_with_their_model_or_embedded_queries(run, switch, words, capsys):
    assert run(switch.upgraded, *words) == 2
    assert 'give images with --config and --checkpoint, or --query' in capsys.readouterr().err
