"""Searches in vectors of other programs find what searches in galleries find."""

from __future__ import annotations

import numpy as np
import pytest

from mmfct.apis.search_gallery import search_gallery
from mmfct.retrieval import Gallery
from mmfct.retrieval.stores.options import SourceOptions

NAMES = np.array(['ant', 'bee', 'cat', 'dog', 'emu'])


def write(folder, path, rows=slice(None)):
    folder.mkdir()
    gallery = Gallery(path)
    np.save(folder / 'x.npy', gallery.column('embedding')[rows])
    np.save(folder / 'x.ids.npy', gallery.column('id')[rows])
    np.save(folder / 'x.labels.npy', NAMES[gallery.column('label')[rows]])
    return folder / 'x.npy'


def test_neighbours_and_labels(switch, tmp_path):
    rows = np.flatnonzero(np.isin(Gallery(switch.new).column('label'), [2, 4]))  # numbered 0 and 1 by themselves
    options = SourceOptions(model='m', distance='l2')
    few, all_rows = write(tmp_path / 'q', switch.new, rows), write(tmp_path / 'g', switch.new)
    found = search_gallery(all_rows, few, options=options)
    wanted = search_gallery(switch.new, switch.new)
    assert found.ids == [wanted.ids[row] for row in rows] and found.distances == [
        wanted.distances[row] for row in rows
    ]
    assert found.query_labels == Gallery(switch.new).column('label')[rows].tolist()
    assert found.class_of(found.query_labels[0]) == 'cat'
    assert search_gallery(few, all_rows, options=options).query_labels is None  # its classes are not all there


def test_command_line(switch, tmp_path, run_tool, capsys):
    path = write(tmp_path / 'g', switch.new)
    assert run_tool('search_gallery.py', path, '--query', path) == 2
    assert 'name it with `--model NAME`' in capsys.readouterr().err
    assert run_tool('search_gallery.py', path, '--query', path, '--model', 'm', '--distance', 'cosine') == 0
    with pytest.raises(ValueError, match='notes that model_v1 .* made its vectors, got'):
        search_gallery(path, switch.old, options=SourceOptions(model='m', distance='l2'))


def test_queries_of_another_model_are_suspected(tmp_path, capsys):
    """They have the name of the gallery's model, and its width."""
    options = SourceOptions(model='m', distance='cosine')
    draw = np.random.default_rng(0)
    paths = {}
    for name, turn in (('g', 0), ('same', 0), ('other', 1)):
        axes = np.linalg.qr(np.random.default_rng(10 + turn).standard_normal((32, 32)))[0][:4]
        paths[name] = tmp_path / f'{name}.npy'
        np.save(paths[name], (draw.standard_normal((120, 4)) @ axes).astype(np.float32))
        np.save(tmp_path / f'{name}.ids.npy', np.arange(120))
    for name, suspected in (('same', False), ('other', True)):
        search_gallery(paths['g'], paths[name], options=options)
        said = f'vary in other directions than those of {paths["g"]}'
        assert (said in capsys.readouterr().out) == suspected
