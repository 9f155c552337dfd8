"""Tests of partial backfills: orders, curves and mixed galleries."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import torch

from mmfct.apis.mix_galleries import mix_galleries
from mmfct.apis.plan_backfill import plan_backfill
from mmfct.functional import retrieval_metrics
from mmfct.retrieval import Gallery

SCORES = ('cmc1', 'cmc5', 'map')


def column(path, name):
    return torch.from_numpy(np.array(Gallery(path).column(name)))


def read_order(file):
    with open(file, newline='') as lines:
        return [(int(line['row']), line['id']) for line in csv.DictReader(lines)]


def test_orders_without_the_new_gallery(switch, tmp_path):
    assert plan_backfill(switch.upgraded, tmp_path / 'out', orders=['class_mean', 'random']) == {}
    assert sorted(file.name for file in (tmp_path / 'out').iterdir()) == ['order_class_mean.csv', 'order_random.csv']
    order = read_order(tmp_path / 'out/order_class_mean.csv')
    assert sorted(order) == [(row, f'{row:03d}.png') for row in range(60)]
    embedding = column(switch.upgraded, 'embedding').double()
    away = [
        (embedding[row] - embedding[switch.labels == switch.labels[row]].mean(0)).norm().item() for row, _ in order
    ]
    assert away == sorted(away, reverse=True)


def test_ids_of_any_bytes(make_gallery, tmp_path):
    names = ['a.png', b'\xff.png'.decode(errors='surrogateescape')]
    plan_backfill(make_gallery('g', 'm', [[0.0], [1.0]], id=names), tmp_path, orders=['random'])
    assert {line.partition(b',')[2] for line in (tmp_path / 'order_random.csv').read_bytes().splitlines()} == {
        b'id',
        b'a.png',
        b'\xff.png',
    }


def test_orders_that_compare_nothing_read_no_embedding(switch, tmp_path, monkeypatch):
    def refuse(gallery, name):
        raise MemoryError(name)

    monkeypatch.setattr('mmfct.apis.plan_backfill.orders.column_tensor', refuse)
    plan_backfill(switch.upgraded, tmp_path, orders=['random'])
    with pytest.raises(MemoryError, match='embedding'):
        plan_backfill(switch.upgraded, tmp_path, orders=['random', 'class_mean'])


def test_curves_equal_a_plain_loop(switch, tmp_path):
    orders = ['random', 'oracle']
    curves = plan_backfill(switch.upgraded, tmp_path, orders=orders, new=switch.new, query=switch.new)
    upgraded, new = column(switch.upgraded, 'embedding'), column(switch.new, 'embedding')
    labels, ids = torch.from_numpy(switch.labels), torch.arange(60)
    for name in orders:
        rows = [row for row, _ in read_order(tmp_path / f'order_{name}.csv')]
        for point in range(22):
            mixed = upgraded.clone()
            for row in rows[: point * 60 // 21]:
                mixed[row] = new[row]
            expected = retrieval_metrics(new, mixed, labels, labels, query_ids=ids, gallery_ids=ids)
            for score in SCORES:
                assert curves[name][score][point] == pytest.approx(expected[score], abs=1e-12)
    numbers = json.loads((tmp_path / 'backfill.json').read_text())
    assert numbers['curves'] == curves
    assert numbers['area']['oracle']['map'] == pytest.approx(np.mean(curves['oracle']['map']))
    assert '| oracle' in (tmp_path / 'backfill.md').read_text()
    assert (tmp_path / 'backfill.png').stat().st_size > 0


def test_new_gallery_in_another_order(switch, make_gallery, tmp_path):
    order = np.random.default_rng(0).permutation(60)
    new = make_gallery(
        'shuffled',
        'model_v2',
        column(switch.new, 'embedding').numpy()[order],
        label=switch.labels[order],
        id=[f'{row:03d}.png' for row in order],
    )
    arguments = dict(orders=['oracle'], query=switch.new)
    expected = plan_backfill(switch.upgraded, tmp_path / 'a', new=switch.new, **arguments)
    assert plan_backfill(switch.upgraded, tmp_path / 'b', new=new, **arguments) == expected


def test_oracle_of_a_cosine_gallery_looks_at_angles(make_gallery, tmp_path):
    upgraded = [[1.0, 0], [1, 0], [1, 0]]
    new = [[100.0, 0], [1, 1], [1, 0]]
    paths = [
        make_gallery(f'g{i}', 'm', rows, label=[0, 0, 0], distance='cosine') for i, rows in enumerate((upgraded, new))
    ]
    plan_backfill(paths[0], tmp_path, orders=['oracle'], new=paths[1])
    assert [row for row, _ in read_order(tmp_path / 'order_oracle.csv')] == [1, 0, 2]


def test_uncertainty_from_a_column_or_a_file(switch, make_gallery, tmp_path):
    log_variance = np.random.default_rng(0).standard_normal(60).astype(np.float32)
    expected = np.argsort(-log_variance).tolist()
    np.save(tmp_path / 's.npy', log_variance)
    plan_backfill(switch.upgraded, tmp_path, orders=['uncertainty'], uncertainty=tmp_path / 's.npy')
    assert [row for row, _ in read_order(tmp_path / 'order_uncertainty.csv')] == expected
    path = make_gallery('column', 'model_v2', column(switch.upgraded, 'embedding'), log_variance=log_variance)
    plan_backfill(path, tmp_path / 'again', orders=['uncertainty'])
    assert [row for row, _ in read_order(tmp_path / 'again/order_uncertainty.csv')] == expected


def test_what_is_recomputed_already_is_neither_listed_nor_part_of_the_curve(switch, make_gallery, tmp_path):
    done = [f'{row:03d}.png' for row in range(10, 40)]
    some = make_gallery('some', 'model_v2', column(switch.new, 'embedding')[10:40], id=done)
    mix_galleries(switch.upgraded, some, tmp_path / 'mixed')
    arguments = dict(orders=['class_mean'], new=switch.new, query=switch.new)
    curves = plan_backfill(tmp_path / 'mixed', tmp_path / 'plan', **arguments)
    listed = [row for row, _ in read_order(tmp_path / 'plan/order_class_mean.csv')]
    assert sorted(listed) == [*range(10), *range(40, 60)]
    numbers = json.loads((tmp_path / 'plan/backfill.json').read_text())
    assert numbers['fractions'] == pytest.approx(np.linspace(0.5, 1, 22))
    mixed, new = column(tmp_path / 'mixed', 'embedding'), column(switch.new, 'embedding')
    labels, ids = torch.from_numpy(switch.labels), torch.arange(60)
    for point in range(22):
        rows = torch.tensor(listed[: point * 30 // 21], dtype=torch.long)
        mixed[rows] = new[rows]
        expected = retrieval_metrics(new, mixed, labels, labels, query_ids=ids, gallery_ids=ids)
        assert curves['class_mean']['map'][point] == pytest.approx(expected['map'], abs=1e-12)
    assert '50.00' in (tmp_path / 'plan/backfill.md').read_text()


def test_mix_galleries(switch, make_gallery, tmp_path, capsys):
    rows = [3, 41]
    some = make_gallery('some', 'model_v2', column(switch.new, 'embedding')[rows], id=['003.png', '041.png'])
    mixed = mix_galleries(switch.upgraded, some, tmp_path / 'mixed')
    assert np.flatnonzero(mixed.column('origin')).tolist() == rows
    assert '2 of 60 embeddings are recomputed' in capsys.readouterr().out


@pytest.mark.parametrize('name', ['upgraded', 'new'])
def test_a_mixed_gallery_has_a_folder_of_its_own(switch, name):
    folder = getattr(switch, name)
    with pytest.raises(ValueError, match='`out` must be another folder than that of `(upgraded|recomputed)`, got'):
        mix_galleries(switch.upgraded, switch.new, folder)
    assert len(Gallery(folder)) == 60


def test_rows_without_a_class_come_last_and_match_nothing(switch, make_gallery, tmp_path, capsys):
    labels = np.where(np.arange(60) < 12, -1, switch.labels)
    sets = {
        name: make_gallery(f'some_{name}', 'model_v2', column(getattr(switch, name), 'embedding'), label=labels)
        for name in ('upgraded', 'new')
    }
    orders = dict(orders=['class_mean'], new=sets['new'], query=sets['new'])
    curves = plan_backfill(sets['upgraded'], tmp_path / 'out', **orders)
    assert [row for row, _ in read_order(tmp_path / 'out/order_class_mean.csv')][-12:] == list(range(12))
    new, known = column(switch.new, 'embedding'), torch.arange(60) >= 12
    classes = torch.from_numpy(np.where(labels < 0, 99, labels))
    expected = retrieval_metrics(
        new[known], new, classes[known], classes, query_ids=torch.arange(60)[known], gallery_ids=torch.arange(60)
    )
    assert curves['class_mean']['map'][-1] == pytest.approx(expected['map'], abs=1e-12)
    numbers = json.loads((tmp_path / 'out/backfill.json').read_text())
    assert numbers['notes'][0].startswith('12 of 60 queries have no class')
    assert numbers['notes'][1] in (tmp_path / 'out/backfill.md').read_text()
    assert 'class_mean: 12 of 60 rows have no class (label -1) and come last' in capsys.readouterr().out


def test_a_curve_across_groups(switch, tmp_path):
    # The last digit of an id, which goes with the class; without the query's own group nothing is left to find.
    options = dict(orders=['random'], new=switch.new, query=switch.new, groups=r'(\d)\.png')
    alone = plan_backfill(switch.upgraded, tmp_path / 'a', **options)
    assert (
        alone['random']['map'][-1]
        < plan_backfill(switch.upgraded, tmp_path / 'b', **options | dict(groups=None))['random']['map'][-1]
    )
    with pytest.raises(ValueError, match="`exclude` must be one of matches, all, got 'own'"):
        plan_backfill(switch.upgraded, tmp_path / 'c', **options, exclude='own')


def test_bad_input_is_refused(switch, make_gallery, tmp_path):
    def plan(upgraded=switch.upgraded, **options):
        plan_backfill(upgraded, tmp_path / 'out', **options)

    with pytest.raises(ValueError, match="`orders` must be among uncertainty, .*, oracle, got 'best'"):
        plan(orders=['best'])
    with pytest.raises(ValueError, match='the order `oracle` needs `new`, the gallery of the new model, got None'):
        plan(orders=['oracle'])
    with pytest.raises(ValueError, match='a curve needs `new`, the gallery of the new model, got None'):
        plan(query=switch.new)
    with pytest.raises(ValueError, match='needs the column log_variance or `uncertainty`, .* got the columns'):
        plan(orders=['uncertainty'])
    with pytest.raises(ValueError, match='the order `class_mean` needs the column label, got embedding, id'):
        plan(make_gallery('unlabelled', 'model_v2', np.eye(3)), orders=['class_mean'])
    np.save(tmp_path / 's.npy', np.zeros(3))
    with pytest.raises(ValueError, match=r'`uncertainty` must hold floats of shape \(60,\), got float64'):
        plan(orders=['uncertainty'], uncertainty=tmp_path / 's.npy')
    (tmp_path / 'empty.npy').write_bytes(b'')
    with pytest.raises(ValueError, match=r'`uncertainty` must be a .npy file of floats, got .*empty.npy'):
        plan(orders=['uncertainty'], uncertainty=tmp_path / 'empty.npy')
    with pytest.raises(ValueError, match='queries of model_v1 .* and a gallery of model_v2'):
        plan(new=switch.new, query=switch.old)
    with pytest.raises(ValueError, match='queries of model_v1 .* and a gallery of model_v2'):
        plan(new=switch.old)
    rotation = np.linalg.qr(np.random.default_rng(3).standard_normal((8, 8)))[0]
    other = make_gallery('other', 'model_v2', Gallery(switch.new).column('embedding') @ rotation, label=switch.labels)
    with pytest.raises(ValueError, match='other must hold the items of the upgraded gallery in its space'):
        plan(new=other, query=other)
    lonely = make_gallery('lonely', 'model_v2', np.eye(8), label=np.arange(8) + 100)
    with pytest.raises(ValueError, match='a query must have a match in the gallery, got none among 8 queries'):
        plan(new=switch.new, query=lonely)
    assert not (tmp_path / 'out/backfill.md').exists()


def test_vectors_of_another_program(switch, make_gallery, tmp_path, run_tool):
    """Each store numbers labels that are texts on its own: queries of one class must not match another one."""
    chosen = dict(upgraded=slice(None), new=slice(None), query=slice(2, None, 5))  # queries of class 2 alone
    for name, rows in chosen.items():
        gallery = Gallery(switch.upgraded if name == 'upgraded' else switch.new)
        np.save(tmp_path / f'{name}.npy', np.array(gallery.column('embedding'))[rows])
        keys = zip(gallery.column('id')[rows], gallery.column('label')[rows], strict=True)
        (tmp_path / f'{name}.csv').write_text('id,label\n' + ''.join(f'{one},class {two}\n' for one, two in keys))
    files = [tmp_path / 'upgraded.npy', tmp_path / 'plan', '--new', tmp_path / 'new.npy']
    words = ['--query', tmp_path / 'query.npy', '--model', 'model_v2', '--distance', 'l2']
    assert run_tool('plan_backfill.py', *files, *words, '--order', 'random', 'class_mean') == 0
    ids, vectors = (np.array(Gallery(switch.new).column(name))[chosen['query']] for name in ('id', 'embedding'))
    query = make_gallery('q', 'model_v2', vectors, id=ids, label=np.full(12, 2))
    orders = ['random', 'class_mean']
    expected = plan_backfill(switch.upgraded, tmp_path / 'expected', orders=orders, new=switch.new, query=query)
    assert json.loads((tmp_path / 'plan/backfill.json').read_text())['curves'] == expected
    for name in orders:
        assert read_order(tmp_path / f'plan/order_{name}.csv') == read_order(tmp_path / f'expected/order_{name}.csv')


def test_labels_are_joined_by_id_and_queries_that_find_themselves_are_said(switch, make_gallery, tmp_path):
    new = column(switch.new, 'embedding')
    bare = make_gallery('bare', 'model_v2', new)
    with pytest.raises(
        ValueError, match=r'needs labels \(column label\) of the queries and of the gallery, got none of'
    ):
        plan_backfill(bare, tmp_path / 'refused', new=bare, query=bare)
    query = make_gallery('renamed', 'model_v2', new, label=switch.labels, id=[f'q{row}' for row in range(60)])
    curves = plan_backfill(switch.upgraded, tmp_path / 'out', new=bare, query=query)
    assert curves['random']['cmc1'][-1] == 1  # of the gallery without labels
    text = (tmp_path / 'out/backfill.md').read_text()
    assert "**Scores of query/new may be too good**: 60 of 60 'query' have the vector of an item of 'new'" in text
