"""Tests of conversions by folder and file, and of their command line."""

from __future__ import annotations

from functools import partial

import pytest

from mmfct.retrieval import Gallery
from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance
from mmfct.retrieval.stores.say import say_once

pa = pytest.importorskip('pyarrow')
pq = pytest.importorskip('pyarrow.parquet')


@pytest.fixture(autouse=True)
def says_again():
    say_once.cache_clear()


@pytest.fixture
def run(run_tool):
    """Run the tool and return its exit status."""
    return partial(run_tool, 'convert_gallery.py')


def test_there_and_back(run, switch, tmp_path, capsys):
    assert run(switch.upgraded, tmp_path / 'g.parquet') == 0
    assert run(tmp_path / 'g.parquet', tmp_path / 'again') == 0
    assert Gallery(tmp_path / 'again').fingerprint == Gallery(switch.upgraded).fingerprint
    assert 'again: 60 rows of embedding, id, label' in capsys.readouterr().out


def test_a_conversion_changes_neither_model_nor_distance(run, switch, tmp_path, capsys):
    assert run(switch.upgraded, tmp_path / 'g.parquet', '--model', 'model_v2', '--distance', 'l2') == 0
    for source in (switch.upgraded, tmp_path / 'g.parquet'):
        for words, noted in ((['--distance', 'cosine'], "distance 'l2'"), (['--model', 'm'], "model 'model_v2'")):
            assert run(source, tmp_path / 'again', *words) == 2
            assert f'notes the {noted}, which a conversion does not change' in capsys.readouterr().err
    assert not (tmp_path / 'again').exists()


def test_names_of_files_are_no_folders(run, switch, tmp_path, capsys):
    """Parquet is what somebody expects who converts to NAME.parquet, not a gallery in a folder of that name."""
    pq.write_table(pa.table(dict(embedding=[[1.0, 2], [3, 4]], id=[1, 2])), tmp_path / 'f.parquet')
    assert run(switch.upgraded, tmp_path / 'g.parquet') == 0
    for source in ('f.parquet', 'g.parquet'):
        assert run(tmp_path / source, tmp_path / 'h.parquet', '--model', 'model_v2', '--distance', 'l2') == 2
        assert "a gallery is a folder, got the name of a file, '" in capsys.readouterr().err
    assert run(switch.upgraded, tmp_path / 'g.npy') == 2
    assert '`out` must be NAME.parquet or a folder of Parquet, got' in capsys.readouterr().err
    assert not (tmp_path / 'h.parquet').exists() and not (tmp_path / 'g.npy').exists()


def test_foreign_parquet(run, tmp_path, capsys):
    pq.write_table(pa.table(dict(embedding=[[1.0, 2], [3, 4]], id=[1, 2])), tmp_path / 'f.parquet')
    model = ['--model', 'm', '--fingerprint', 'a' * 64, '--distance', 'cosine']
    assert run(tmp_path / 'f.parquet', tmp_path / 'g') == 2
    assert 'does not say which model made its vectors; name it with `--model NAME`' in capsys.readouterr().err
    assert run(tmp_path / 'f.parquet', tmp_path / 'g', *model, '--shard-rows', '1') == 0
    gallery = Gallery(tmp_path / 'g')
    assert len(gallery.shards) == 2
    assert str(Provenance.from_metadata(gallery.metadata).embedding) == 'm (aaaaaaaaaaaa)'
    assert Provenance.from_metadata(gallery.metadata).distance == 'cosine'


def test_half_a_model_is_refused(run, tmp_path, capsys):
    assert run(tmp_path / 'f.parquet', tmp_path / 'g', '--fingerprint', 'a' * 64) == 2
    assert "`fingerprint` needs `model` (`--model`), got 'aaaa" in capsys.readouterr().err


def test_a_named_model_is_enough(run, tmp_path, capsys):
    pq.write_table(pa.table(dict(emb=[[1.0, 2], [0, 0]], key=[1, 2], label=['x', None])), tmp_path / 'f.parquet')
    assert run(tmp_path / 'f.parquet', tmp_path / 'g', '--model', 'text-embedding-3-small') == 0
    gallery = Gallery(tmp_path / 'g')
    assert Provenance.from_metadata(gallery.metadata).embedding == ModelIdentity.named('text-embedding-3-small')
    assert gallery.column('label').tolist() == [0, -1]
    said = capsys.readouterr().out
    assert 'vectors are taken to be compared by l2; say it with `--distance`' in said
    assert '1 of 2 embeddings are all zero' in said


def test_changes_are_accepted_in_our_parquet_alone(run, tmp_path, capsys):
    pq.write_table(pa.table(dict(emb=[[1.0, 2]], key=[1])), tmp_path / 'f.parquet')
    assert run(tmp_path / 'f.parquet', tmp_path / 'g', '--model', 'm', '--accept-changes') == 2
    assert '`accept_changes` is for Parquet that was written from a gallery' in capsys.readouterr().err


def test_side_information_of_foreign_parquet(run, tmp_path, capsys):
    columns = dict(embedding=[[1.0, 2], [3, 4]], side_info=[[1.0], [2.0]], id=[1, 2])
    pq.write_table(pa.table(columns), tmp_path / 'f.parquet')
    model = ['--model', 'm', '--fingerprint', 'a' * 64]
    side = ['--side-model', 'simclr', '--side-fingerprint', 'b' * 64]
    assert run(tmp_path / 'f.parquet', tmp_path / 'g', *model, *side) == 0
    assert str(Provenance.from_metadata(Gallery(tmp_path / 'g').metadata).side_info) == 'simclr (bbbbbbbbbbbb)'
    assert 'unknown model' not in capsys.readouterr().out
    assert run(tmp_path / 'f.parquet', tmp_path / 'without', *model) == 0
    assert 'has side-information of an unknown model: no transform will use it' in capsys.readouterr().out
    assert run(tmp_path / 'f.parquet', tmp_path / 'h', *side) == 2
    assert "error: `side_model` needs `model` (`--model`), got 'simclr' alone" in capsys.readouterr().err


def test_a_row_that_another_program_has_removed(run, switch, tmp_path, capsys):
    assert run(switch.upgraded, tmp_path / 'g.parquet') == 0
    table = pq.read_table(tmp_path / 'g.parquet')
    (tmp_path / 'parts/sub').mkdir(parents=True)
    pq.write_table(table.slice(0, 30), tmp_path / 'parts/a.parquet')
    pq.write_table(table.slice(31), tmp_path / 'parts/sub/b.parquet')
    (tmp_path / 'parts/notes.txt').touch()
    assert run(tmp_path / 'parts', tmp_path / 'again') == 2
    output = capsys.readouterr()
    assert 'must hold 60 rows, got 59' in output.err
    assert '2 Parquet files are read, 1 other files are passed over, such as' in output.out
    assert run(tmp_path / 'parts', tmp_path / 'again', '--accept-changes') == 0
    assert len(Gallery(tmp_path / 'again')) == 59
