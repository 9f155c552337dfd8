"""Tests of the scores of upgraded galleries."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from mmfct.apis.compare_methods.scores import Judge
from mmfct.apis.compare_methods.table import Table
from mmfct.apis.compare_methods.upgraded import Upgraded
from mmfct.evaluation.embedding_set import sets_of_roles
from mmfct.evaluation.pair import NEW_NEW, OLD_OLD, Pair
from mmfct.functional import retrieval_metrics

LABELS = torch.arange(40) % 4


@pytest.fixture
def test_table() -> Table:
    """An old model that tells some classes apart, and a better one of another width."""
    centers = torch.randn(4, 6)
    old, new = centers[LABELS, :3] + 3 * torch.randn(40, 3), 2 * centers[LABELS] + torch.randn(40, 6)
    return sets_of_roles(dict(old=old, new=new), LABELS, torch.arange(40))


def upgraded(embeddings, **options) -> Upgraded:
    return Upgraded(embeddings, 1, 2, 3, **options)


def expected(query, gallery, **options) -> dict[str, float]:
    ids = torch.arange(40)
    result = retrieval_metrics(query, gallery, LABELS, LABELS, query_ids=ids, gallery_ids=ids, **options)
    return {name: result[name] for name in ('cmc1', 'cmc5', 'map')}


def test_scores_are_those_of_the_metric(test_table):
    gallery = test_table['new'].embeddings + torch.randn(40, 6)
    result = Judge(test_table).score(upgraded(gallery))
    assert result.scores == pytest.approx(expected(test_table['new'].embeddings, gallery))
    assert result.goal == pytest.approx(expected(test_table['new'].embeddings, test_table['new'].embeddings))
    assert Judge(test_table).bounds[NEW_NEW].means == result.goal
    assert (result.parameters, result.multiply_adds, result.bytes_per_item) == (1, 2, 12)
    assert result.curves['map'][0] == result.scores['map'] and result.curves['map'][-1] == result.goal['map']
    assert len(result.curves['cmc1']) == 22 and result.areas['map'] == sum(result.curves['map']) / 22


def test_the_distance_is_the_one_asked_for(test_table):
    gallery = test_table['new'].embeddings * torch.rand(40, 1)
    result = Judge(test_table, distance='cosine').score(upgraded(gallery))
    assert result.scores == pytest.approx(expected(test_table['new'].embeddings, gallery, distance='cosine'))


def test_a_perfect_upgrade(test_table):
    result = Judge(test_table).score(upgraded(test_table['new'].embeddings))
    assert result.gains == pytest.approx(dict.fromkeys(['cmc1', 'cmc5', 'map'], 1.0))
    assert len(set(result.curves['map'])) == 1


def test_lost_queries_are_counted(test_table):
    judge, old = Judge(test_table), test_table['old'].embeddings
    hits = [LABELS[(torch.cdist(old, old) + 1e9 * torch.eye(40))[row].argmin()] == LABELS[row] for row in range(40)]
    gallery = 1e3 * torch.randn(4, 6)[LABELS.flip(0)] + test_table['new'].embeddings
    query = test_table['new'].embeddings
    distance = torch.cdist(query.double(), gallery.double()) + 1e9 * torch.eye(40)
    now = [LABELS[distance[row].argmin()] == LABELS[row] for row in range(40)]
    lost = sum(bool(before) and not bool(after) for before, after in zip(hits, now, strict=True))
    assert lost > 0
    assert judge.score(upgraded(gallery)).negative_flips == lost / 40


def test_what_is_uncertain_is_recomputed_first(test_table):
    gallery = test_table['new'].embeddings.clone()
    gallery[:5] = -gallery[:5]
    log_variance = torch.zeros(40)
    log_variance[:5] = 1
    certain = Judge(test_table).score(upgraded(gallery, log_variance=log_variance))
    blind = Judge(test_table).score(upgraded(gallery))
    assert (certain.order, blind.order) == ('uncertainty', 'random')
    assert certain.areas['map'] > blind.areas['map']
    assert certain.curves['map'][3] == pytest.approx(certain.goal['map'])  # 6 of 40 rows


def test_random_orders_are_the_same_in_every_comparison(test_table):
    gallery, curves = upgraded(test_table['new'].embeddings + torch.randn(40, 6)), []
    for seed in (0, 1):
        np.random.seed(seed)
        torch.manual_seed(seed)
        curves.append(Judge(test_table).score(gallery).curves['map'])
    assert curves[0] == curves[1]


def test_a_new_model_that_was_altered(test_table):
    # Altered until it is the old model: nothing is gained of the gap to the model as it was.
    old, judge = test_table['old'].embeddings, Judge(test_table)
    result = judge.score(upgraded(old, queries=old))
    assert result.scores == result.goal
    assert result.scores['map'] == judge.bounds[OLD_OLD].means['map'] and result.negative_flips == 0
    assert result.gains == dict.fromkeys(['cmc1', 'cmc5', 'map'], 0.0)


def test_another_width_is_not_comparable(test_table):
    result = Judge(test_table).score(upgraded(test_table['old'].embeddings))
    assert all(math.isnan(value) for value in [*result.scores.values(), result.negative_flips, result.areas['map']])
    assert math.isnan(Judge(test_table).bounds[Pair('new', 'old')].means['map'])


def test_a_new_model_that_is_no_better_has_no_gap(test_table):
    turned = dict(test_table, old=test_table['new'], new=test_table['old'])
    judge = Judge(turned)
    result = judge.score(upgraded(turned['new'].embeddings))
    assert all(math.isnan(gain) for gain in result.gains.values())
    comparison = judge.compare(dict(mine=result))
    (note,) = comparison.first_notes
    assert re.match('The new model is (no better|worse) than the old one in CMC-1', note)
    assert comparison.to_json()['notes'] == [note] and comparison.notes == []
    assert comparison.to_json()['methods']['mine']['gains'] == dict.fromkeys(['cmc1', 'cmc5', 'map'])


def test_images_without_a_class_do_not_count(test_table):
    labels = LABELS.where(torch.arange(40) >= 8, -1)
    judge = Judge({role: replace(items, labels=labels) for role, items in test_table.items()})
    assert judge.bounds[NEW_NEW].num_queries == 32
    (note,) = judge.compare({}).notes
    assert note.startswith('8 of 40 images have no class (label -1)')


def test_groups_are_left_out(test_table):
    groups = torch.randint(3, (40,))
    table = {role: replace(items, groups=groups) for role, items in test_table.items()}
    new = test_table['new'].embeddings
    for exclude in ('matches', 'all'):
        result = Judge(table, exclude=exclude).score(upgraded(new + torch.randn(40, 6)))
        assert result.goal == pytest.approx(
            expected(new, new, query_groups=groups, gallery_groups=groups, exclude=exclude)
        )
        assert result.curves['map'][-1] == pytest.approx(result.goal['map'])
