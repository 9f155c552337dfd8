"""Tests of the evaluation of galleries and of its gate."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from mmfct.apis.evaluate_compatibility import GateRule, evaluate_compatibility, named_folders
from mmfct.evaluation.pair import NEW_NEW, NEW_UPGRADED, OLD_OLD, Pair
from mmfct.functional import retrieval_metrics
from mmfct.retrieval import Gallery


def rows(path):
    gallery = Gallery(path)
    return [torch.from_numpy(np.array(gallery.column(name))) for name in ('embedding', 'label')]


def test_pairs_of_one_model_have_the_scores_of_retrieval_metrics(evaluate, switch):
    evaluation = evaluate()
    assert list(evaluation.scores.pairs) == [OLD_OLD, NEW_UPGRADED, NEW_NEW]
    ids = torch.arange(60)
    for pair, scores in evaluation.scores.pairs.items():
        (query, labels), (gallery, _) = (rows(getattr(switch, name)) for name in pair)
        assert scores.to_json() == retrieval_metrics(query, gallery, labels, labels, query_ids=ids, gallery_ids=ids)


def test_update_gain_of_every_upgraded_gallery(evaluate, switch):
    galleries = dict(old=switch.old, mine=switch.upgraded, other=switch.new, new=switch.new)
    scores = evaluate(galleries=galleries).scores
    mine, other = Pair('new', 'mine'), Pair('new', 'other')
    low, middle, high = (scores.pairs[pair].means['map'] for pair in (OLD_OLD, mine, NEW_NEW))
    assert scores.gains[mine]['map'] == pytest.approx((middle - low) / (high - low))
    assert scores.gains[other] == dict(cmc1=1, cmc5=1, map=1)
    assert set(scores.gains) == {mine, other}


def test_no_update_gain_without_the_old_system(evaluate, switch, tmp_path):
    evaluation = evaluate(queries=dict(new=switch.new))
    assert list(evaluation.scores.pairs) == [NEW_UPGRADED, NEW_NEW] and evaluation.scores.gains == {}
    assert 'mAP gap recovered' not in (tmp_path / 'out/compatibility.md').read_text()


def test_names_that_are_stored_with_the_new_gallery_are_those_of_the_figure(evaluate, monkeypatch):
    stored, drawn = 'mmfct.apis.evaluate_compatibility.stored_set', 'mmfct.apis.evaluate_compatibility.report'
    monkeypatch.setattr(f'{stored}.label_names', lambda metadata: {0: metadata['embedding_model']['name']})
    names = []
    monkeypatch.setattr(f'{drawn}.plot_embedding_projection', lambda *_, class_names: names.append(class_names))
    evaluate()
    assert names == [{0: 'model_v2'}]


def test_files(evaluate, tmp_path):
    evaluation = evaluate(gate=GateRule())
    files = sorted(file.name for file in (tmp_path / 'out').iterdir())
    assert files == [
        'compatibility.json',
        'compatibility.md',
        'compatibility.png',
        'embeddings.png',
        'gate.md',
        'gate.png',
    ]
    numbers = json.loads((tmp_path / 'out/compatibility.json').read_text())
    assert numbers == json.loads(json.dumps(evaluation.to_json()))
    assert numbers['pairs']['new/new'] == evaluation.scores.pairs[NEW_NEW].to_json()
    assert numbers['galleries']['upgraded']['upgrades'] == [dict(transform='h')]
    assert numbers['queries']['old']['embedding_model']['name'] == 'model_v1'
    table = (tmp_path / 'out/compatibility.md').read_text()
    assert '| new/h(old)' in table and 'mAP gap recovered' in table
    assert 'Safe to switch: yes.' in (tmp_path / 'out/gate.md').read_text()


def test_another_model_only_on_request(evaluate, make_gallery, switch, capsys):
    wide = make_gallery('wide', 'model_v0', np.ones((60, 8)) * np.arange(60)[:, None], label=switch.labels)
    galleries = dict(old=wide, new=switch.new)
    new_old = Pair('new', 'old')
    assert new_old not in evaluate(galleries=galleries).scores.pairs
    assert 'not scored, because the models differ: old/old, old/new, new/old' in capsys.readouterr().out
    evaluation = evaluate(galleries=galleries, also=['new/old'])
    assert evaluation.scores.pairs[new_old].num_queries == 60
    assert new_old not in evaluation.scores.gains


def test_another_width_cannot_be_measured(evaluate, tmp_path):
    evaluate(also=['new/old'])
    written = json.loads((tmp_path / 'out/compatibility.json').read_text())
    assert written['pairs']['new/old'] == dict(cmc1=None, cmc5=None, map=None, num_queries=0)
    assert any(note.startswith('No query counts for new/old: no other item') for note in written['notes'])


def test_the_distance_is_that_of_the_gallery(make_gallery, switch, tmp_path):
    generator = np.random.default_rng(1)
    embedding = generator.standard_normal((60, 3)) * generator.uniform(0.1, 10, (60, 1))
    path = make_gallery('cosine', 'm', embedding, label=switch.labels, distance='cosine')
    evaluation = evaluate_compatibility(dict(a=path), dict(a=path), tmp_path / 'out')
    tensor, labels = rows(path)
    ids = torch.arange(60)
    expected = retrieval_metrics(tensor, tensor, labels, labels, query_ids=ids, gallery_ids=ids, distance='cosine')
    assert evaluation.scores.pairs[Pair('a', 'a')].to_json() == expected


def test_bad_input_is_refused(evaluate, make_gallery, switch, tmp_path):
    unlabelled = make_gallery('unlabelled', 'model_v1', np.eye(6)[:3], id=['x', 'y', 'z'])
    with pytest.raises(ValueError, match='nothing can be measured: no queries have labels .* both named `new`'):
        evaluate(galleries=dict(old=unlabelled))
    with pytest.raises(ValueError, match=r'`also` must be among old/old, new/old, got .old/other.'):
        evaluate(galleries=dict(old=switch.old), also=['old/other'])
    with pytest.raises(ValueError, match=r'must share a model, got model_v1 \(.{12}\), model_v2 \(.{12}\)'):
        evaluate(queries=dict(old=switch.old), galleries=dict(new=switch.new))
    with pytest.raises(ValueError, match="a name must be made of letters, digits, .* got 'a/b'"):
        evaluate(galleries={'a/b': switch.old})
    with pytest.raises(FileNotFoundError, match='must be a folder with a manifest.json'):
        evaluate(galleries=dict(old=tmp_path / 'missing'))
    (tmp_path / 'file').touch()
    with pytest.raises(NotADirectoryError, match='`out` must be a folder, got the file .*file.; name another'):
        evaluate_compatibility(dict(new=switch.new), dict(new=switch.new), tmp_path / 'file')


def test_named_folders():
    assert named_folders(['a=b', 'c=d=e']) == dict(a='b', c='d=e')
    with pytest.raises(ValueError, match="a set must be written NAME=DIR, such as old=galleries/old, got 'old'"):
        named_folders(['old'])
    with pytest.raises(ValueError, match="names must be different, got 'a' for 'b' and 'c'"):
        named_folders(['a=b', 'a=c'])


def test_an_upgraded_gallery_that_is_asked_for_keeps_its_gain(evaluate):
    assert evaluate(also=['new/upgraded']).scores.gains == evaluate().scores.gains != {}


def test_no_share_of_a_gap_where_the_new_model_is_no_better(evaluate, switch, make_gallery, tmp_path):
    """The old and the new system change places: the quotient of differences would be positive."""
    embedding, _ = rows(switch.old)
    worse = make_gallery('worse', 'model_v1', embedding + torch.randn(60, 6), label=switch.labels)
    upgraded = make_gallery('upgraded', 'model_v1', embedding + 2 * torch.randn(60, 6), label=switch.labels)
    sets = dict(old=switch.new, new=worse)
    evaluation = evaluate(queries=sets, galleries=dict(sets, upgraded=upgraded))
    low, middle, high = (evaluation.scores.pairs[pair].means['map'] for pair in (OLD_OLD, NEW_UPGRADED, NEW_NEW))
    assert (middle - low) / (high - low) > 1
    assert evaluation.scores.gaps['map'].interval[1] < 0
    numbers = json.loads((tmp_path / 'out/compatibility.json').read_text())
    assert numbers['update_gain'] == {'new/upgraded': dict(cmc1=None, cmc5=None, map=None)}
    *_, note = numbers['notes']
    assert note.startswith('The new model is worse than the old one in CMC-1') and '95 % interval' in note
    table = (tmp_path / 'out/compatibility.md').read_text()
    line = next(line for line in table.splitlines() if line.startswith('| new/h(old)'))
    assert line.split('|')[-2].strip() == '-' and f'{note}\n\n| query' in table


def test_a_gap_of_other_queries_has_a_wider_interval(evaluate, switch, make_gallery):
    embedding, _ = rows(switch.old)
    others = [f'other{row}.png' for row in range(60)]
    old = make_gallery('queries', 'model_v1', embedding, label=switch.labels, id=others)
    sets = dict(old=old, new=switch.new)
    apart, paired = (evaluate(**options).scores.gaps['map'] for options in (dict(queries=sets, galleries=sets), {}))
    assert (apart.old, apart.new) == (paired.old, paired.new) and apart.is_open
    assert apart.interval[1] - apart.interval[0] > paired.interval[1] - paired.interval[0]


def test_items_without_a_class_do_not_count_and_are_named(evaluate, switch, make_gallery, tmp_path):
    embedding, labels = (column.numpy().copy() for column in rows(switch.new))
    labels[:30] = -1
    some = make_gallery('some', 'model_v2', embedding, label=labels)
    evaluation = evaluate(queries=dict(new=some), galleries=dict(new=some))
    found = evaluation.scores.pairs[NEW_NEW]
    known = torch.from_numpy(labels >= 0)
    query, classes = torch.from_numpy(embedding)[known], torch.from_numpy(labels)[known]
    expected = retrieval_metrics(
        query,
        torch.from_numpy(embedding),
        classes,
        torch.from_numpy(np.where(labels < 0, 99, labels)),
        query_ids=torch.arange(60)[known],
        gallery_ids=torch.arange(60),
    )
    assert found.to_json() == expected and found.num_queries == 30
    numbers = json.loads((tmp_path / 'out/compatibility.json').read_text())
    assert [note[:28] for note in numbers['notes']] == ['30 of 60 queries of new have', '30 of 60 items of gallery ne']
    assert all(note in (tmp_path / 'out/compatibility.md').read_text() for note in numbers['notes'])


@pytest.mark.parametrize('exclude', ['matches', 'all'])
@pytest.mark.parametrize('groups', ['camera', r'_c(\d+)'])
def test_retrieval_across_cameras(evaluate, switch, make_gallery, groups, exclude):
    embedding, labels = rows(switch.new)
    cameras = np.random.default_rng(0).integers(0, 3, 60)
    names = [f'{row:03d}_c{camera}s1.jpg' for row, camera in enumerate(cameras)]
    path = make_gallery('cameras', 'model_v2', embedding, label=labels, id=names, camera=cameras)
    evaluation = evaluate(queries=dict(new=path), galleries=dict(new=path), groups=groups, exclude=exclude)
    options = dict(query_groups=cameras, gallery_groups=cameras, query_ids=names, gallery_ids=names, exclude=exclude)
    expected = retrieval_metrics(embedding, embedding, labels, labels, **options)
    assert evaluation.scores.pairs[NEW_NEW].to_json() == expected
    assert evaluation.scores.pairs[NEW_NEW] != evaluate(queries=dict(new=path), galleries=dict(new=path)).scores.pairs


def test_bad_groups_are_refused(evaluate):
    cases = [
        (
            dict(groups='camera'),
            "`groups` must be a column of every set, .* got 'camera' for .* columns embedding, id",
        ),
        (dict(groups='_c('), r"`groups` must be a regular expression, got '_c\('"),
        (dict(groups='(a)(b)'), r"`groups` must have one parenthesis, for the group, got '\(a\)\(b\)'"),
        (dict(groups='^0(0).'), r"`groups` must find a group in every id, got .* and '010.png' of .*, and 49 others"),
        (dict(exclude='own'), "`exclude` must be one of matches, all, got 'own'"),
    ]
    for options, message in cases:
        with pytest.raises(ValueError, match=message):
            evaluate(**options)
