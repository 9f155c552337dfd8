"""The gate: each criterion can fail it, and the verdict is known beforehand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from mmfct.apis.evaluate_compatibility import GateRule
from mmfct.apis.evaluate_compatibility import evaluate as evaluate_module
from mmfct.apis.evaluate_compatibility.gate import decide
from mmfct.apis.evaluate_compatibility.gate_report import gate_lines, gate_table
from mmfct.retrieval import Gallery


def column(path, name):
    return np.array(Gallery(path).column(name))


def first_hits(*counts: int) -> dict[str, torch.Tensor]:
    """CMC-1 of queries: so many zeros, ones, zeros ..."""
    values = [torch.full((count,), float(place % 2), dtype=torch.float64) for place, count in enumerate(counts)]
    return dict(cmc1=torch.cat(values))


def test_the_case_that_the_gate_of_map_alone_called_safe():
    """CMC-1 falls from 92 to 79 % of 1,288 queries while mAP rises from 47 to 51 %."""
    generator = torch.Generator().manual_seed(0)
    noise = 0.1 * torch.randn(1288, generator=generator).double()
    before = first_hits(103, 1185) | dict(map=0.468 + noise)
    after = first_hits(53, 50, 220, 965) | dict(map=0.508 + noise + 0.1 * torch.randn(1288, generator=generator))
    after['cmc1'] = torch.cat([torch.ones(50), torch.zeros(53), torch.zeros(217), torch.ones(968)]).double()
    decision = decide(before, after, GateRule())
    assert decision.criteria['map'].passed and decision.criteria['map'].interval[0] > 0.02
    lost = decision.criteria['cmc1']
    assert (lost.baseline, lost.candidate) == pytest.approx((0.92, 0.79), abs=0.001)
    assert not lost.passed and lost.is_loss and not decision.safe
    assert decision.verdict == 'Safe to switch: NO, because of CMC-1.'
    hits = decision.first_hits
    assert (hits.lost, hits.won, hits.num_queries, hits.passed) == (217, 50, 1288, None)
    assert decide(before, after, GateRule(['map'])).safe
    # With a margin of 15 points it passes, unless first hits that are lost have a limit of their own.
    assert decide(before, after, GateRule(margin=0.16)).safe
    limited = decide(before, after, GateRule(margin=0.16, max_lost=0.17))
    assert limited.verdict == 'Safe to switch: NO, because of the first hits that are lost.'
    assert limited.first_hits.share < 0.17 < limited.first_hits.interval[1] and not limited.failed
    assert decide(before, after, GateRule(margin=0.16, max_lost=0.2)).safe


def test_a_loss_of_map_is_not_hidden_by_a_gain_of_first_hits():
    values = torch.rand(200).double()
    decision = decide(
        first_hits(80, 120) | dict(map=values), first_hits(20, 180) | dict(map=values - 0.05), GateRule()
    )
    assert decision.failed == ['map'] and decision.criteria['cmc1'].passed


def test_lost_first_hits_that_are_made_up_for_fail_only_if_asked():
    """Forty of 400 queries lose theirs and forty others win one: no net change, but churn."""
    before, after = first_hits(40, 360), first_hits(0, 320, 40, 40)
    after['cmc1'] = torch.cat([torch.ones(360), torch.zeros(40)]).double()
    names = GateRule(['cmc1'], margin=0.05)
    decision = decide(before, after, names)
    assert decision.criteria['cmc1'].difference == 0 and decision.safe
    assert (decision.first_hits.lost, decision.first_hits.won) == (40, 40)
    assert not decide(before, after, GateRule(['cmc1'], margin=0.05, max_lost=0.12)).safe
    assert decide(before, after, GateRule(['cmc1'], margin=0.05, max_lost=0.14)).safe


def test_no_lost_hit_among_few_queries_is_no_proof():
    same = first_hits(0, 30)
    decision = decide(same, same, GateRule(['cmc1'], max_lost=0.05))
    assert decision.criteria['cmc1'].interval == (0, 0) and decision.criteria['cmc1'].passed
    assert decision.first_hits.share == 0 and decision.first_hits.interval[1] == pytest.approx(0.1135, abs=1e-4)
    assert not decision.safe


def test_a_loss_that_is_possible_is_told_from_one_that_is_certain():
    zeros, noise = torch.zeros(100).double(), torch.randn(100).double()
    noise -= noise.mean()
    before = dict(cmc1=zeros, map=zeros)
    decision = decide(before, dict(cmc1=0.1 * noise, map=0.1 * noise - 0.1), GateRule())
    text = '\n'.join(gate_lines(decision))
    assert decision.failed == ['cmc1', 'map']
    rows = {line.split('|')[1].strip(): line.split('|')[-2].strip() for line in gate_table(decision).splitlines()}
    assert rows['CMC-1'] == 'FAIL: a loss is possible' and rows['mAP'] == 'FAIL: a loss'
    assert 'In CMC-1 a loss is possible, not certain' in text
    needed = float(text.split('with a margin of ')[1].split(' ')[0])
    again = decide(before, dict(cmc1=0.1 * noise, map=zeros), GateRule(margin=needed))
    assert again.safe and not decide(before, dict(cmc1=0.1 * noise, map=zeros), GateRule(margin=needed - 2e-4)).safe


def test_table_and_json_have_a_row_for_each_criterion():
    before = first_hits(50, 50) | dict(map=torch.zeros(100).double())
    after = first_hits(40, 60) | dict(map=torch.ones(100).double())
    decision = decide(before, after, GateRule(margin=0.01, max_lost=0.1))
    rows = [[cell.strip() for cell in line.strip('| ').split('|')] for line in gate_table(decision).splitlines()]
    assert [row[0] for row in rows[2:]] == ['CMC-1', 'mAP', 'first hits lost']
    assert rows[3][1:] == [
        '0.00',
        '100.00',
        '+100.00',
        '+100.00 to +100.00',
        'at least -1.00',
        '100',
        '100',
        '0',
        'pass',
    ]
    assert rows[4][3:] == ['0.00', '0.00 to 3.70', 'at most 10.00', '100', '10', '0', 'pass']
    numbers = json.loads(json.dumps(decision.to_json()))
    assert list(numbers['criteria']) == ['cmc1', 'map'] == numbers['rule']['metrics']
    assert numbers['criteria']['cmc1']['passed'] and numbers['criteria']['cmc1']['interval'][0] > 0
    assert numbers['first_hits']['lost'] == 0 and numbers['safe'] and numbers['evidence'] == ['labels']


def test_gate_of_a_better_and_of_a_worse_system(evaluate):
    decision = evaluate(gate=GateRule()).gate
    assert decision.safe
    for name, criterion in decision.criteria.items():
        assert criterion.difference == pytest.approx(criterion.candidate - criterion.baseline)
        assert 0 < criterion.interval[0] < criterion.difference < criterion.interval[1]
        back = evaluate(gate=GateRule([name], baseline='new/upgraded', candidate='old/old')).gate
        assert not back.safe and list(back.criteria) == [name]
        turned = back.criteria[name]
        assert (turned.better, turned.worse) == (criterion.worse, criterion.better)
        assert turned.interval == pytest.approx([-end for end in criterion.interval[::-1]], abs=0.01)
    assert evaluate(gate=GateRule(baseline='new/upgraded', candidate='old/old', margin=0.9)).gate.safe


def test_a_loss_of_first_hits_hidden_by_a_gain_of_map_in_galleries(evaluate, make_gallery, tmp_path, monkeypatch):
    """Old: every item has a twin and is far from the rest of its class. New: tight classes with some impostors."""
    generator = np.random.default_rng(0)
    labels = np.arange(100) % 5
    old = np.repeat(generator.standard_normal((50, 16)), 2, axis=0)[np.argsort(np.argsort(labels, kind='stable'))]
    new = 5 * np.eye(5)[labels] + 0.1 * generator.standard_normal((100, 5))
    upgraded = new.copy()
    upgraded[:20] = new[41:61]  # beside a query of the next class
    sets = {
        name: make_gallery(name, model, rows, label=labels)
        for name, model, rows in (('old', 'a', old), ('new', 'b', new), ('upgraded', 'b', upgraded))
    }
    figures, save = [], Figure.savefig
    monkeypatch.setattr(Figure, 'savefig', lambda figure, *a, **kw: (figures.append(figure), save(figure, *a, **kw)))
    queries = dict(old=sets['old'], new=sets['new'])
    galleries = dict(old=sets['old'], upgraded=sets['upgraded'])
    decision = evaluate(queries=queries, galleries=galleries, gate=GateRule()).gate
    lost = decision.first_hits.lost
    assert decision.criteria['cmc1'].baseline == 1 and lost >= 20
    assert decision.criteria['map'].passed and decision.criteria['cmc1'].is_loss and not decision.safe
    titles = [axes.get_title() for axes in figures[-1].axes]
    assert titles[0].startswith('CMC-1, FAIL: a loss') and titles[1].startswith('mAP, pass')
    assert titles[2] == f'first hits lost, no limit was asked for: {lost} lost, 0 won of 100'
    text = (tmp_path / 'out/gate.md').read_text()
    assert text.startswith(
        "**Scores of old/old may be too good**: 100 of 100 queries 'old' have the vector of an item"
    )
    assert 'Safe to switch: NO, because of CMC-1.\n\nEvidence: labels, 100 queries.' in text
    assert json.loads((tmp_path / 'out/compatibility.json').read_text())['gate']['first_hits']['lost'] == lost


def test_a_new_model_that_is_not_better_is_said_before_the_verdict(evaluate, switch, make_gallery, tmp_path):
    worse = column(switch.old, 'embedding') + np.random.default_rng(0).standard_normal((60, 6))
    new = make_gallery('worse', 'model_v3', worse, label=switch.labels)
    sets = dict(old=switch.new, new=new)
    evaluate(queries=sets, galleries=dict(sets, upgraded=new), gate=GateRule())
    lines = (tmp_path / 'out/gate.md').read_text().splitlines()
    assert lines[2].startswith('The new model is worse than the old one in CMC-1')
    assert lines[4].startswith('Safe to switch: NO')


def test_gate_does_not_depend_on_the_order_of_the_rows(evaluate, make_gallery, switch):
    expected = evaluate(gate=GateRule()).gate
    order = np.random.default_rng(2).permutation(60)
    ids = np.array([f'{row:03d}.png' for row in order])
    rows = column(switch.old, 'embedding')[order]
    shuffled = make_gallery('shuffled', 'model_v1', rows, label=switch.labels[order], id=ids)
    decision = evaluate(queries=dict(old=shuffled, new=switch.new), gate=GateRule()).gate
    assert decision.to_json() == expected.to_json()


def test_gate_refuses_other_items_and_labels(evaluate, make_gallery, switch):
    embedding, labels = (column(switch.old, name) for name in ('embedding', 'label'))
    few = make_gallery('few', 'model_v1', embedding[:40], label=labels[:40])
    relabelled = make_gallery('relabelled', 'model_v1', embedding, label=labels + 1)
    twice = make_gallery('twice', 'model_v1', embedding, label=labels, id=['a.png'] * 60)
    galleries = dict(old=switch.old, upgraded=switch.upgraded)
    cases = [
        (few, "queries 'old' and queries 'new' must hold the same items, got 40 and 60 with 40 in common"),
        (relabelled, "queries 'old' and queries 'new' must give an item the same label, got 60 others"),
        (twice, "ids must be unique to tell items of two sets apart, got repeated ones in queries 'old'"),
    ]
    for path, message in cases:
        with pytest.raises(ValueError, match=message):
            evaluate(queries=dict(old=path, new=switch.new), galleries=galleries, gate=GateRule())
        with pytest.raises(ValueError, match=message.replace('queries', 'gallery').replace("'new'", "'upgraded'")):
            evaluate(galleries=dict(galleries, old=path), gate=GateRule())


def test_gate_without_matches(evaluate, make_gallery):
    path = make_gallery('lonely', 'm', np.eye(4), label=np.arange(4))
    rule = GateRule(baseline='a/a', candidate='a/a')
    with pytest.raises(ValueError, match='at least 30 queries must have a match in both galleries, got 0 of 4'):
        evaluate(queries=dict(a=path), galleries=dict(a=path), gate=rule)


def test_a_gate_that_cannot_be_decided_is_refused_before_anything_is_scored(evaluate, switch, monkeypatch):
    monkeypatch.setattr(evaluate_module, 'score_pair', None)
    with pytest.raises(ValueError, match='a gate needs the scores of old/old and new/upgradet, got those of old/old'):
        evaluate(gate=GateRule(candidate='new/upgradet'))
    with pytest.raises(ValueError, match=r'got queries of model_v2 \(.{12}\) and a gallery of model_v1'):
        evaluate(gate=GateRule(candidate='new/old'))
    with pytest.raises(ValueError, match='got those of old/old, new/new: choose its `baseline`'):
        evaluate(galleries=dict(old=switch.old, new=switch.new), gate=GateRule())


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(confidence=95), '`confidence` must lie between 0 and 1, got 95'),
        (
            dict(metrics=['cmc10']),
            "`metrics` must be a list of some of .* map, recall1, recall10, got 'cmc10'",
        ),
        (dict(metrics='cmc1'), "`metrics` must be a list of some of cmc1, .*, got 'cmc1'"),
        (dict(resamples=0), '`resamples` must be at least 1, got 0'),
        (dict(margin=-1), '`margin` must be at least 0, got -1'),
        (dict(margin=math.nan), '`margin` must be at least 0, got nan'),
        (dict(max_lost=5), r'`max_lost` must be a share in \[0, 1\], or None for no limit, got 5'),
        (dict(candidate='new'), "a pair must be written 'query/gallery', got 'new'"),
        (dict(baseline='a/b/c'), "a pair must be written 'query/gallery', got 'a/b/c'"),
    ],
)
def test_options_of_a_gate(options, message):
    with pytest.raises(ValueError, match=message):
        GateRule(**options)


def test_few_queries_cannot_decide_but_their_scores_are_kept(evaluate, make_gallery, switch, tmp_path):
    evaluate(gate=GateRule())
    queries = {}
    for name in ('old', 'new'):
        rows = column(getattr(switch, name), 'embedding')[:20]
        model = Gallery(getattr(switch, name)).metadata['embedding_model']['name']
        queries[name] = make_gallery(f'few_{name}', model, rows, label=switch.labels[:20])
    with pytest.raises(ValueError, match='at least 30 queries must have a match in both galleries, got 20 of 20'):
        evaluate(queries=queries, gate=GateRule())
    numbers = json.loads((tmp_path / 'out/compatibility.json').read_text())
    assert numbers['pairs']['new/new']['num_queries'] == 20 and numbers['gate'] is None
    assert not (tmp_path / 'out/gate.md').exists() and not (tmp_path / 'out/gate.png').exists()


def test_gate_of_a_pair_that_could_not_be_measured(evaluate, tmp_path):
    # Of another width; its scores are kept.
    with pytest.raises(ValueError, match='the scores of old/old and new/old, got those of old/old, new/upgraded, new'):
        evaluate(also=['new/old'], gate=GateRule(candidate='new/old'))
    assert (tmp_path / 'out/compatibility.json').exists()
