"""Tests of upgrades into vector databases."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip('lancedb')
pytest.importorskip('qdrant_client')

from mmfct.apis.upgrade_gallery import rollback_switch, upgrade_gallery, upgrade_into_store
from mmfct.apis.upgrade_gallery.rows import compute_columns
from mmfct.retrieval.source import open_source
from mmfct.retrieval.stores.columns import VectorColumns
from mmfct.retrieval.stores.lance import lance_module
from mmfct.retrieval.stores.options import SourceOptions

ROOT = Path(__file__).parents[3]


def rows_of(address: str, column: str = 'embedding', **columns) -> dict:
    """Rows of a store by id."""
    source = open_source(address, options=SourceOptions(VectorColumns(**columns)))
    return dict(zip(source.column('id').tolist(), source.column(column), strict=True))


def assert_upgraded(chain, address: str, **columns) -> None:
    """Check that a store holds what h makes of the gallery."""
    with torch.no_grad():
        given = [torch.from_numpy(chain.columns[name]) for name in ('embedding', 'side_info')]
        expected = chain.heads[0](*given).numpy()
    found = rows_of(address, **columns)
    assert {*found} == {*chain.columns['id']}
    for name, vector in zip(chain.columns['id'], expected, strict=True):
        np.testing.assert_allclose(found[name], vector, rtol=1e-4, atol=1e-5)


@pytest.fixture
def said(monkeypatch) -> list[str]:
    """Lines of the log."""
    lines = []
    monkeypatch.setattr('mmfct.apis.upgrade_gallery.into_store.print_log', lambda text, *_: lines.append(text))
    return lines


@pytest.fixture(params=['lancedb', 'qdrant'])
def database(request, tmp_path) -> str:
    return f'{request.param}:{tmp_path}/{request.param}'


def test_a_gallery_goes_into_a_database_and_on_to_the_next_model(chain, database, tmp_path):
    first, second = f'{database}/v2', f'{database}/v3'
    notes = upgrade_into_store(chain.gallery, [chain.h12], first, batch_size=7)
    assert notes.complete and notes.metadata['embedding_model'] == chain.V2.to_json()
    assert_upgraded(chain, first)
    assert upgrade_into_store(chain.gallery, [chain.h12], first, batch_size=7) == notes
    folder = upgrade_gallery(chain.gallery, [chain.h12], str(tmp_path / 'folder'))
    upgrade_into_store(first, [chain.h23], second)
    expected = upgrade_gallery(str(folder.path), [chain.h23], str(tmp_path / 'folder3'))
    found = rows_of(second)
    for name, vector in zip(expected.column('id').tolist(), expected.column('embedding'), strict=True):
        np.testing.assert_allclose(found[name], vector, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match='holds another upgrade, of .* with another'):
        upgrade_into_store(chain.gallery, [chain.h12], second)
    with pytest.raises(ValueError, match='upgrades embeddings of v1 .* got a gallery with those of v2'):
        upgrade_into_store(first, [chain.h12], f'{database}/v4')


def test_a_column_beside_the_old_one_is_found_again_by_the_same_command(chain, database):
    upgrade_into_store(chain.gallery, [chain.h12], f'{database}/items')
    out = f'{database}/items#v3'
    notes = upgrade_into_store(f'{database}/items', [chain.h23], out)
    assert notes.complete
    again = upgrade_into_store(f'{database}/items', [chain.h23], out)
    assert again == notes  # although the table has several vectors now
    vector = dict(lancedb='vector', qdrant='embedding')[database.partition(':')[0]]
    assert_upgraded(chain, f'{database}/items', vector=vector)
    with pytest.raises(ValueError, match='a new column or vector must be named, as in .*items#vector_v2'):
        upgrade_into_store(f'{database}/items', [chain.h23], f'{database}/items')
    options = SourceOptions(VectorColumns(vector='v3'))
    with pytest.raises(ValueError, match='items#v3 must be another column than the one that is upgraded'):
        upgrade_into_store(f'{database}/items', [chain.h23], out, options=options)


@pytest.mark.parametrize('name', ['items_v2', 'items#v2'])
def test_predicted_uncertainty_is_a_column_of_a_new_table(chain, database, tmp_path, name, said):
    chain.write_head(tmp_path / 'h11', chain.V1, chain.V1, (6, 4, 6))
    chain.write_head(tmp_path / 'h', chain.V1, chain.V2, (6, 4, 5), with_uncertainty=True)
    upgrade_into_store(chain.gallery, [str(tmp_path / 'h11')], f'{database}/items')
    upgrade_into_store(f'{database}/items', [str(tmp_path / 'h')], f'{database}/{name}')
    assert any('are only written into new tables and collections' in line for line in said) == ('#' in name)
    if '#' not in name and database.startswith('lancedb'):
        table = lance_module().connect(database.partition(':')[2]).open_table(name)
        assert table.count_rows('log_variance IS NOT NULL') == 50


def test_what_is_not_finite_or_zero_is_said(chain, database, monkeypatch, said):
    def broken(*args):
        columns = compute_columns(*args)
        columns['embedding'][-1] = np.nan
        return columns

    with monkeypatch.context() as patch:
        patch.setattr('mmfct.apis.upgrade_gallery.into_store.compute_columns', broken)
        with pytest.raises(ValueError, match='`embedding` must be finite, got 1 rows with NaN or infinite values'):
            upgrade_into_store(chain.gallery, [chain.h12], f'{database}/items')
    monkeypatch.setattr('mmfct.apis.upgrade_gallery.into_store.count_zero_rows', len)
    upgrade_into_store(chain.gallery, [chain.h12], f'{database}/zeros')
    assert any('50 of the embeddings are all zero' in line for line in said)


def test_an_alias_follows_only_on_demand(chain, tmp_path, run_tool, said, capsys):
    database = f'qdrant:{tmp_path}/db'
    words = (chain.gallery, chain.h12)
    assert run_tool('upgrade_gallery.py', *words, f'{database}/v2') == 0
    assert not [line for line in said if line.startswith('alias')]
    assert run_tool('upgrade_gallery.py', *words, f'{database}/v2', '--switch', 'live') == 0
    assert 'alias live names v2, before it did not exist; `--rollback live` undoes' in said[-1]
    assert run_tool('upgrade_gallery.py', f'{database}/v2', chain.h23, f'{database}/v3', '--switch', 'live') == 0
    assert 'alias live names v3, before it named v2' in said[-1]
    rollback = ('upgrade_gallery.py', f'{database}/v2', chain.h23, f'{database}/v3', '--rollback', 'live')
    assert run_tool(*rollback) == 0
    assert 'alias live names v2 again' in said[-1]
    assert_upgraded(chain, f'{database}/live')
    assert run_tool(*rollback) == 2
    rollback_switch(f'{database}/v2', 'live')
    assert 'alias live is removed' in said[-1]
    for switch, message in [('v2', 'an alias must have a name of its own'), ('', 'an alias must have a name')]:
        assert run_tool('upgrade_gallery.py', *words, f'{database}/v4', '--switch', switch) == 2
        assert message in capsys.readouterr().err
    assert json.loads((tmp_path / 'db/meta.json').read_text())['collections'].keys() == {'v2', 'v3'}


@pytest.mark.parametrize(
    ('out', 'options', 'message'),
    [
        ('lancedb:{}/db/v2', ['--switch', 'live'], "v2 cannot be named by 'live': LanceDB has no aliases"),
        ('qdrant:{}/db/v2#v', ['--switch', 'live'], 'an alias names a whole collection; search with `using`'),
        ('{}/folder', ['--switch', 'live'], '`--switch` needs a collection of Qdrant as `out`, got'),
        ('lancedb:{}/db/v2', ['--engine', 'ray'], 'a database is written by one process: leave `--engine`'),
        ('lancedb:v2', [], 'a table or collection must be given as lancedb:FOLDER/TABLE'),
        ('qdrant:{}/db/v2', ['--rollback', 'live'], 'an embedded database of Qdrant must be a folder'),
    ],
)
def test_what_cannot_be_asked_for_is_an_error_before_anything_is_written(
    chain, tmp_path, run_tool, capsys, out, options, message
):
    out = out.format(tmp_path)
    assert run_tool('upgrade_gallery.py', chain.gallery, chain.h12, out, *options) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / 'db').exists() and not (tmp_path / 'folder').exists()


def test_folders_and_databases_are_not_mixed_up(chain, tmp_path):
    with pytest.raises(ValueError, match='`out` must be a folder, got .*; databases are written by `upgrade_into_sto'):
        upgrade_gallery(chain.gallery, [chain.h12], f'lancedb:{tmp_path}/db/items')
    with pytest.raises(ValueError, match='a table or collection must be given as'):
        upgrade_into_store(chain.gallery, [chain.h12], chain.out)


# Imports once and then forks: each child kills itself before, in the middle of, or after a batch. LanceDB is left to
# the children, since it starts a thread.
KILLED = """
import json, os, signal, sys, pyarrow.dataset, qdrant_client, torch
torch.set_num_threads(1)
from mmfct.apis.upgrade_gallery import into_store, upgrade_into_store
from mmfct.retrieval.stores.lance_table_target import LanceTableTarget
from mmfct.retrieval.stores.lance_column_target import LanceColumnTarget
from mmfct.retrieval.stores.qdrant_target import QdrantTarget

into_store._MAX_ROWS = 8

def killing(write, batch, moment):
    def written(self, start, rows, pending):
        global count
        count += 1
        if count < batch:
            return write(self, start, rows, pending)
        if moment == 'middle' and not isinstance(self, LanceTableTarget):
            pending = pending & (pending.cumsum() <= pending.sum() // 2)
        if moment != 'before':
            write(self, start, rows, pending)
        os.kill(os.getpid(), signal.SIGKILL)
    return written

for words in json.loads(sys.argv[1]):
    for kill in [(1, 'after'), (2, 'middle'), (1, 'before')]:
        child = os.fork()
        if not child:
            count = 0
            for kind in (LanceTableTarget, LanceColumnTarget, QdrantTarget):
                kind.write = killing(kind.write, *kill)
            upgrade_into_store(*words, batch_size=4)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
"""


@pytest.mark.slow
def test_a_killed_upgrade_goes_on_to_the_same_end(chain, tmp_path, monkeypatch):
    monkeypatch.setattr('mmfct.apis.upgrade_gallery.into_store._MAX_ROWS', 8)
    chain.write_head(tmp_path / 'h11', chain.V1, chain.V1, (6, 4, 6))
    jobs = []
    for kind in ('lancedb', 'qdrant'):
        for name in ('items', 'others'):
            source = f'{kind}:{tmp_path}/{kind}/{name}'
            upgrade_into_store(chain.gallery, [str(tmp_path / 'h11')], source)
            jobs.append([source, [chain.h12], f'{source}_v2' if name == 'items' else f'{source}#v2'])
        upgrade_into_store(source, [chain.h12], f'{kind}:{tmp_path}/{kind}/whole', batch_size=4)
    environment = os.environ | dict(PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1')
    command = [sys.executable, '-W', 'ignore', '-c', KILLED, json.dumps(jobs)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    for words in jobs:
        column = dict(vector='v2') if '#' in words[2] else {}
        with pytest.raises(ValueError, match='must be complete, got vectors of an upgrade of .* not finished'):
            rows_of(words[2], **column)
        assert upgrade_into_store(*words, batch_size=4).complete
        whole = f'{words[0].rpartition("/")[0]}/whole'
        got, expected = rows_of(words[2], **column), rows_of(whole)
        assert got.keys() == expected.keys() and len(got) == 50
        for key, vector in expected.items():
            np.testing.assert_allclose(got[key], vector, rtol=1e-5, atol=1e-6)
        for name in ('label', 'side_info'):
            got, expected = rows_of(words[2], name, **column), rows_of(whole, name)
            assert {key: row.tolist() for key, row in got.items()} == {
                key: row.tolist() for key, row in expected.items()
            }
