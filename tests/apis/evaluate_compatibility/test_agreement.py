"""Agreement with the new model, with labels and without."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmfct.apis.evaluate_compatibility import GateRule
from mmfct.apis.evaluate_compatibility.report import agreement_table
from mmfct.evaluation.pair import NEW_UPGRADED, OLD_OLD
from mmfct.retrieval.stores.columns import VectorColumns
from mmfct.retrieval.stores.options import SourceOptions


def names_of(rows) -> list[str]:
    return [f'{row:03d}.png' for row in rows]


@pytest.fixture
def bare(make_gallery) -> SimpleNamespace:
    """Eighty items without labels: an old model, a new one, and an upgrade that is nearer to the new one."""
    generator = np.random.default_rng(0)
    new = generator.standard_normal((80, 8))
    rows = dict(
        old=new[:, :6] + 1.5 * generator.standard_normal((80, 6)),
        new=new,
        upgraded=new + 0.3 * generator.standard_normal((80, 8)),
        broken=generator.standard_normal((80, 8)),
    )
    model = {name: 'v1' if name == 'old' else 'v2' for name in rows}
    paths = {name: make_gallery(f'bare_{name}', model[name], values) for name, values in rows.items()}
    return SimpleNamespace(rows=rows, paths=paths)


def plain_recall(query, gallery, right_query, right_gallery, k: int) -> list[float]:
    """Leave-one-out recall@k of each row by a plain loop."""
    recalls = []
    for row in range(len(query)):
        found = [
            set(sorted((np.linalg.norm(q[row] - g[other]), other) for other in range(len(g)) if other != row)[:k])
            for q, g in ((query, gallery), (right_query, right_gallery))
        ]
        recalls.append(len({other for _, other in found[0]} & {other for _, other in found[1]}) / k)
    return recalls


def evaluate_bare(evaluate, bare, upgraded='upgraded', **options):
    queries = dict(old=bare.paths['old'], new=bare.paths['new'])
    galleries = dict(old=bare.paths['old'], new=bare.paths['new'], upgraded=bare.paths[upgraded])
    return evaluate(**dict(dict(queries=queries, galleries=galleries), **options))


def test_recalls_equal_a_plain_loop(evaluate, bare, tmp_path):
    agreement = evaluate_bare(evaluate, bare).agreement
    new = bare.rows['new']
    expected = {
        OLD_OLD: (bare.rows['old'], bare.rows['old']),
        NEW_UPGRADED: (new, bare.rows['upgraded']),
    }
    assert set(agreement.recalls) == set(expected) and (agreement.num_queries, agreement.num_items) == (80, 80)
    numbers = json.loads((tmp_path / 'out/compatibility.json').read_text())
    for pair, (query, gallery) in expected.items():
        for k in (1, 10):
            recalls = agreement.recalls[pair][f'recall{k}']
            assert recalls.tolist() == pytest.approx(plain_recall(query, gallery, new, new, k))
            low, high = numbers['agreement']['pairs'][str(pair)][f'recall{k}_interval']
            assert low < numbers['agreement']['pairs'][str(pair)][f'recall{k}'] == recalls.mean() < high
    assert numbers['evidence'] == ['agreement with the new model'] and numbers['pairs'] == {}
    text = (tmp_path / 'out/compatibility.md').read_text()
    assert text.startswith('Whether the new model itself is better than the old one was not measured')
    assert 'CMC-1 (%)' not in text and agreement_table(agreement) in text
    assert 'CMC and mAP are not measured for old/old, new/upgraded, new/new' in text
    assert (tmp_path / 'out/compatibility.png').exists() and not (tmp_path / 'out/embeddings.png').exists()


def test_gate_without_labels(evaluate, bare, tmp_path):
    decision = evaluate_bare(evaluate, bare, gate=GateRule()).gate
    assert decision.safe and list(decision.criteria) == ['recall1', 'recall10']
    assert decision.evidence == ['agreement with the new model'] and decision.first_hits.metric == 'recall1'
    text = (tmp_path / 'out/gate.md').read_text()
    assert 'Evidence: agreement with the new model, 80 queries.' in text and '| recall@10 ' in text
    assert "lose the first hit that they have today (the nearest neighbour is the new model's own)" in text
    broken = evaluate_bare(evaluate, bare, 'broken', gate=GateRule()).gate
    assert broken.failed == ['recall1', 'recall10'] and broken.criteria['recall10'].is_loss
    assert evaluate_bare(evaluate, bare, gate=GateRule(['recall10'])).gate.safe


def test_a_sample_of_the_new_gallery_is_enough(evaluate, bare, make_gallery):
    rows = np.random.default_rng(1).permutation(80)[:60]
    sample = make_gallery('sample', 'v2', bare.rows['new'][rows], id=names_of(rows))
    galleries = dict(old=bare.paths['old'], upgraded=bare.paths['upgraded'], new=sample)
    evaluation = evaluate_bare(evaluate, bare, galleries=galleries, gate=GateRule())
    agreement = evaluation.agreement
    assert agreement.num_items == 60 and agreement.num_queries == 80 and evaluation.gate.safe
    # The same by galleries of these items alone.
    few = {
        name: make_gallery(f'few_{name}', 'v1' if name == 'old' else 'v2', bare.rows[name][rows], id=names_of(rows))
        for name in ('old', 'upgraded', 'new')
    }
    again = evaluate_bare(evaluate, bare, galleries=few).agreement
    for pair, recalls in agreement.recalls.items():
        for name, values in recalls.items():
            torch.testing.assert_close(values, again.recalls[pair][name])
    assert again.notes == [] and agreement.notes[0].startswith(
        'Agreement is measured among the 60 items that all galleries have (of old 80, upgraded 80, new 60)'
    )


def test_with_labels_both_are_reported_and_labels_decide(evaluate, bare, switch, tmp_path):
    evaluation = evaluate(gate=GateRule())
    assert evaluation.evidence == ['labels', 'agreement with the new model']
    text = (tmp_path / 'out/compatibility.md').read_text()
    assert '| new/h(old)    |     91.67 |' in text and 'recall@10 (%)' in text
    assert list(evaluation.gate.criteria) == ['cmc1', 'map']
    mixed = evaluate(gate=GateRule(['cmc1', 'recall10'])).gate
    assert mixed.evidence == ['labels', 'agreement with the new model'] and mixed.first_hits.metric == 'cmc1'
    # Without a gallery of the new model there is nothing to agree with.
    assert evaluate(galleries=dict(old=switch.old, upgraded=switch.upgraded)).agreement is None


def test_queries_without_labels_are_scored_by_agreement_alone(evaluate, switch, make_gallery):
    from mmfct.retrieval import Gallery

    old = make_gallery('no_labels', 'model_v1', np.array(Gallery(switch.old).column('embedding')))
    queries = dict(old=old, new=switch.new)
    assert OLD_OLD in evaluate(queries=queries).scores.pairs  # with the labels of the same items in another set
    bare = {'query:old': SourceOptions(VectorColumns(label=''))}
    evaluation = evaluate(queries=queries, gate=GateRule(), options=bare)
    assert OLD_OLD not in evaluation.scores.pairs and NEW_UPGRADED in evaluation.scores.pairs
    assert list(evaluation.gate.criteria) == ['recall1', 'recall10']
    assert evaluation.notes == ['CMC and mAP are not measured for old/old: the queries or the gallery have no labels.']
    with pytest.raises(
        ValueError, match='a gate on map of old/old and new/upgraded needs labels .* or leave the scores'
    ):
        evaluate(queries=queries, gate=GateRule(['map']), options=bare)


def test_what_cannot_be_measured_is_refused_or_said(evaluate, bare, switch, make_gallery):
    def refused(message, **options):
        with pytest.raises(ValueError, match=message):
            evaluate_bare(evaluate, bare, **options)

    paths = bare.paths
    refused('needs queries and a gallery of it that are both named `new`', galleries=dict(old=paths['old']))
    refused('needs another pair beside new/new', galleries=dict(new=paths['new']))
    refused('is not measured across groups', groups=r'(\d)\.png')
    few = make_gallery('few', 'v2', bare.rows['new'][:49])
    galleries = dict(old=paths['old'], new=few)
    refused(r'needs at least 50 items that all galleries have, got 49 \(old 80, new 49\)', galleries=galleries)
    twice = make_gallery('twice', 'v2', bare.rows['new'], id=['a.png'] * 80)
    refused("needs unique ids, got repeated ones in gallery 'new'", galleries=dict(old=paths['old'], new=twice))
    some = make_gallery('some', 'v1', bare.rows['old'][:60])
    queries = dict(old=some, new=paths['new'])
    refused(
        r'a gate needs labels .* both pairs must have the queries of the set `new`', queries=queries, gate=GateRule()
    )
    refused(
        'a gate on recall1 .*both pairs must have the queries',
        queries=queries,
        gate=GateRule(['recall1']),
    )
    notes = evaluate_bare(evaluate, bare, queries=queries).notes
    assert notes[-1].startswith('Agreement is not measured for old/old: of other queries than those named new')
    # With labels there is something else to report.
    assert evaluate(groups=r'(\d)\.png').notes == ['Agreement with the new model is not measured across groups.']
    with pytest.raises(ValueError, match=r'needs agreement with the new model \(.* across groups\); provide them or'):
        evaluate(groups=r'(\d)\.png', gate=GateRule(['recall1']))
