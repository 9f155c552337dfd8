"""Appending and removing items from the command line."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from mmfct.apis.extend_gallery import extend_gallery
from mmfct.retrieval import Gallery


@pytest.fixture
def run(run_tool):
    """Run the tool and return its exit status."""
    return partial(run_tool, 'extend_gallery.py')


@pytest.fixture
def added(make_gallery):
    """Two new items of the new model."""
    return make_gallery('added', 'model_v2', np.ones((2, 8)), id=['x', 'y'], label=[0, 1])


def test_items_come_and_go(run, switch, added, tmp_path, capsys):
    (tmp_path / 'ids.txt').write_text('003.png\n\n005.png\n')
    assert run(switch.new, tmp_path / 'out', '--add', added, '--remove', tmp_path / 'ids.txt') == 0
    gallery = Gallery(tmp_path / 'out')
    assert len(gallery) == 60 and gallery.column('id').tolist()[-2:] == ['x', 'y']
    assert 'out: 60 rows: 58 of the 60 of' in capsys.readouterr().out
    assert run(tmp_path / 'out', tmp_path / 'again', '--add', added, '--replace') == 0
    assert run(switch.upgraded, tmp_path / 'mixed', '--add', added, '--common-columns') == 0
    assert Gallery(tmp_path / 'mixed').column('origin').tolist() == [0] * 60 + [1, 1]


def test_ids_with_broken_bytes_can_be_removed(make_gallery, tmp_path):
    gallery = make_gallery('g', 'm', np.eye(3), id=['a', '\udcff.png', 'ü'])
    (tmp_path / 'ids.txt').write_bytes(b'\xff.png\n' + 'ü'.encode())
    assert extend_gallery(gallery, tmp_path / 'out', remove=tmp_path / 'ids.txt').column('id').tolist() == ['a']


def test_a_parquet_gallery_is_extended_too(switch, added, tmp_path):
    pytest.importorskip('pyarrow')
    from mmfct.retrieval.parquet.convert import write_parquet

    path = write_parquet(Gallery(switch.new), tmp_path / 'g.parquet')
    ours, theirs = (extend_gallery(one, tmp_path / f'out{n}', add=[added]) for n, one in enumerate((path, switch.new)))
    assert ours.fingerprint == theirs.fingerprint


def test_what_makes_no_sense_is_refused(run, switch, added, tmp_path, capsys):
    (tmp_path / 'empty').touch()
    for words, message in (
        ([tmp_path / 'out'], '`add` or `remove` must be given, got neither'),
        ([switch.new, '--add', added], '`out` must be another folder than that of `gallery`'),
        ([added / 'in', '--add', added], '`out` must be another folder than that of `add`'),
        ([tmp_path / 'out', '--remove', tmp_path / 'no'], '`remove` must be a text file of ids, one a line'),
        ([tmp_path / 'out', '--remove', tmp_path / 'empty'], '`remove` must name an id in a line'),
        ([tmp_path / 'out', '--add', tmp_path / 'no'], 'must be a folder with a manifest.json'),
    ):
        assert run(switch.new, *words) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


@pytest.fixture
def table(tmp_path):
    """Function that writes vectors as Parquet of another program."""
    pa, pq = pytest.importorskip('pyarrow'), pytest.importorskip('pyarrow.parquet')

    def table(name, vectors, **columns):
        pq.write_table(pa.table(dict(vector=vectors.tolist()) | columns), tmp_path / f'{name}.parquet')
        return tmp_path / f'{name}.parquet'

    return table


def test_vectors_of_other_programs_are_extended_and_added(run, table, make_gallery, tmp_path, capsys):
    base = table('base', np.eye(3), id=['a', 'b', 'c'], label=['ant', 'cat', 'dog'])
    more = table('more', 2 * np.eye(3)[:2], id=[4, 5], label=['ant', 'cat'])
    words = ['--model', 'm', '--distance', 'l2']
    assert run(base, tmp_path / 'out', '--add', more, *words) == 0
    gallery = Gallery(tmp_path / 'out')
    assert gallery.column('id').tolist() == ['a', 'b', 'c', '4', '5']
    assert gallery.column('label').tolist() == [0, 1, 2, 0, 1]
    assert gallery.column('embedding')[4].tolist() == [0, 2, 0] and gallery.metadata['label_names']['2'] == 'dog'
    # A gallery whose model is known by its weights.
    made = make_gallery('made', 'm', np.eye(3), id=['a', 'b', 'c'])
    unlabelled = [*words, '--label-column', '']
    assert run(made, tmp_path / 'no', '--add', more, *unlabelled) == 2
    assert 'must come from the model of those of the gallery, m' in capsys.readouterr().err
    fingerprint = Gallery(made).metadata['embedding_model']['fingerprint']
    assert run(made, tmp_path / 'known', '--add', more, *unlabelled, '--fingerprint', fingerprint) == 0
    assert len(Gallery(tmp_path / 'known')) == 5 and not (tmp_path / 'no').exists()


def test_labels_that_do_not_fit_together(run, table, tmp_path, capsys):
    base = table('base', np.eye(3), id=['a', 'b', 'c'], label=['ant', 'cat', 'dog'])
    others = dict(
        numbers=table('numbers', np.eye(3)[:2], id=[4, 5], label=[0, 1]),
        texts=table('texts', np.eye(3)[:2], id=[4, 5], label=['bear', 'cat']),
    )
    words = ['--model', 'm', '--distance', 'l2']
    for name, message in (
        ('numbers', 'labels of all galleries must be texts or all integers, got texts in'),
        ('texts', "a label must mean one class in all galleries, got 0 for 'ant' and, in "),
    ):
        assert run(base, tmp_path / 'out', '--add', others[name], *words) == 2
        assert message in capsys.readouterr().err and not (tmp_path / 'out').exists()
    assert run(base, tmp_path / 'out', '--add', others['texts'], *words, '--label-column', '') == 0
    assert 'label' not in Gallery(tmp_path / 'out').columns


def test_out_is_no_database(table, tmp_path):
    for out in (f'lancedb:{tmp_path}/db/new', tmp_path / 'db/items.lance/out'):
        with pytest.raises(ValueError, match='`out` must be a folder outside of lancedb:'):
            extend_gallery(f'lancedb:{tmp_path}/db/items', out, add=['x'])
