"""Sets of other programs are scored like galleries with the same rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmfct.apis.evaluate_compatibility import evaluate_compatibility
from mmfct.apis.evaluate_compatibility.common_labels import with_common_labels
from mmfct.apis.evaluate_compatibility.stored_set import StoredSet
from mmfct.evaluation.embedding_set import EmbeddingSet
from mmfct.retrieval import Gallery
from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance
from mmfct.retrieval.source import open_source
from mmfct.retrieval.stores.loaded import LoadedSource
from mmfct.retrieval.stores.options import SourceOptions
from mmfct.retrieval.stores.say import say_once

OPTIONS = SourceOptions(model='m', distance='l2')
NAMES = np.array(['cat', 'dog', 'emu', 'fox', 'gnu'])


def write(folder, path, rows=slice(None), labels=NAMES):
    """Write rows of a gallery as .npy, with labels as texts."""
    folder.mkdir(exist_ok=True)
    gallery = Gallery(path)
    np.save(folder / 'x.npy', gallery.column('embedding')[rows])
    np.save(folder / 'x.ids.npy', gallery.column('id')[rows])
    np.save(folder / 'x.labels.npy', labels[gallery.column('label')][rows])
    return folder / 'x.npy'


def scores(tmp_path, queries, gallery):
    options = dict(q=OPTIONS, g=OPTIONS)
    evaluation = evaluate_compatibility(dict(q=queries), dict(g=gallery), tmp_path / 'out', options=options)
    return evaluation.to_json()


def test_scores_are_those_of_galleries(switch, tmp_path):
    wanted = evaluate_compatibility(dict(q=switch.new), dict(g=switch.new), tmp_path / 'wanted').to_json()
    got = scores(tmp_path, write(tmp_path / 'q', switch.new), write(tmp_path / 'g', switch.new))
    assert got['pairs'] == wanted['pairs']


def test_texts_are_compared_as_texts(switch, tmp_path):
    """Queries of two classes number them 0 and 1, and the gallery 1 and 4."""
    gallery = Gallery(switch.new)
    rows = np.flatnonzero(np.isin(gallery.column('label'), [1, 4]))
    whole, part = write(tmp_path / 'g', switch.new), write(tmp_path / 'q', switch.new, rows)
    assert open_source(part, options=OPTIONS).metadata['label_names'] == {'0': 'dog', '1': 'gnu'}
    numbers = np.arange(5)
    same = scores(
        tmp_path, write(tmp_path / 'q2', switch.new, rows, numbers), write(tmp_path / 'g2', switch.new, labels=numbers)
    )
    assert scores(tmp_path, part, whole)['pairs'] == same['pairs']


def test_texts_and_numbers_are_not_compared(switch, tmp_path):
    numbers = write(tmp_path / 'q', switch.new, labels=np.arange(5))
    with pytest.raises(
        ValueError,
        match="must be texts or all integers, got texts in gallery 'g' and integers without names in queries 'q'",
    ):
        scores(tmp_path, numbers, write(tmp_path / 'g', switch.new))


def stored(name, labels, names, texts=True):
    items = EmbeddingSet(torch.zeros(len(labels), 2), torch.tensor(labels), np.arange(len(labels)))
    return StoredSet(name, Provenance(ModelIdentity.named('m')), items, names, texts)


def test_one_numbering():
    sets = dict(
        a=stored('a', [0, 1, -1], {0: 'x', 1: 'z'}),
        b=stored('b', [0, 1, 2], {0: 'x', 1: 'y', 2: 'z'}),
        c=stored('c', [-1], {}),
    )
    common = with_common_labels(sets)
    assert [common[name].items.labels.tolist() for name in 'abc'] == [[0, 2, -1], [0, 1, 2], [-1]]
    assert common['a'].label_names == {0: 'x', 1: 'y', 2: 'z'}
    agreeing = dict(a=stored('a', [0, 1], {0: 'x', 1: 'y'}), b=stored('b', [0], {0: 'x'}))
    assert with_common_labels(agreeing) == agreeing
    twice = dict(a=stored('a', [0, 1], {0: 'x', 1: 'x'}), b=stored('b', [0], {0: 'y'}))
    assert with_common_labels(twice) == twice
    with pytest.raises(ValueError, match="every label of 'b' must have a name, got none for 5"):
        with_common_labels(dict(a=stored('a', [0], {0: 'y'}), b=stored('b', [0, 5], {0: 'x'})))


def test_what_is_said_of_an_unknown_set(switch, tmp_path):
    with pytest.raises(ValueError, match="needs its name, one of q, g, got 'z'"):
        evaluate_compatibility(dict(q=switch.new), dict(g=switch.new), tmp_path, options=dict(z=OPTIONS))


def test_rows_in_memory(switch, tmp_path, capsys):
    say_once.cache_clear()
    path = write(tmp_path / 'g', switch.new)
    rows = np.load(path)
    rows[7] = 0
    np.save(path, rows)
    source = open_source(path, options=SourceOptions(model='m', distance='l2', shard_rows=7))
    loaded = LoadedSource(source)
    assert '1 of 60 embeddings are all zero, which no model makes' in capsys.readouterr().out
    assert (loaded.fingerprint, loaded.columns, loaded.metadata) == (
        source.fingerprint,
        source.columns,
        source.metadata,
    )
    loaded.verify_shard(0)
    for name in source.columns:
        assert np.array_equal(loaded.column(name), source.column(name))
    rows[3, 0] = np.inf
    np.save(path, rows)
    with pytest.raises(ValueError, match='must be finite'):
        LoadedSource(open_source(path, options=OPTIONS))


def test_command_line(switch, tmp_path, run_tool, capsys):
    sets = [f'old={write(tmp_path / "old", switch.old)}', f'new={write(tmp_path / "new", switch.new)}']
    words = ['--query', *sets, '--gallery', sets[0], f'upgraded={sets[1][4:]}', '--out', tmp_path / 'out']
    assert run_tool('evaluate_compatibility.py', *words) == 2
    assert 'does not say which model made its vectors' in capsys.readouterr().err
    models = ['--model', 'old=v1', 'new=v2', 'upgraded=v2', '--distance', 'l2']
    assert run_tool('evaluate_compatibility.py', *words, *models, '--gate') == 0
    assert (tmp_path / 'out/gate.md').is_file()
    assert run_tool('evaluate_compatibility.py', *words, *models, '--model', 'nwe=v2') == 2
    assert "needs its name, one of old, new, upgraded, got 'nwe'" in capsys.readouterr().err
    assert run_tool('evaluate_compatibility.py', *words, *models, '--id-column', 'nwe=id') == 2
    assert "must be written NAME=COLUMN, of old, new, upgraded, got 'nwe=id'" in capsys.readouterr().err
