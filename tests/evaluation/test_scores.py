"""The scorer, and the structure that it returns."""

from __future__ import annotations

import math

import pytest
import torch

from mmfct.evaluation.embedding_set import EmbeddingSet
from mmfct.evaluation.gap import measure_gaps, update_gains
from mmfct.evaluation.pair import NEW_NEW, NEW_UPGRADED, OLD_OLD, Pair
from mmfct.evaluation.scores import SCORES, Scores, mean_scores, score_pair, score_roles, scores_by_name
from mmfct.functional import MeanScores, retrieval_metrics


def make_set(width: int = 3, count: int = 20) -> EmbeddingSet:
    return EmbeddingSet(torch.randn(count, width), torch.arange(count) % 4, torch.arange(count))


def means(value: float) -> MeanScores:
    return MeanScores(dict.fromkeys(SCORES, value), 9)


@pytest.mark.parametrize('options', [dict(), dict(distance='cosine', chunk_size=3), dict(topk=(2, 7))])
def test_a_pair_has_the_scores_of_retrieval_metrics(options):
    query, gallery = make_set(count=12), make_set()
    scores = score_pair(query, gallery, **options)
    expected = retrieval_metrics(
        query.embeddings,
        gallery.embeddings,
        query.labels,
        gallery.labels,
        query_ids=query.ids,
        gallery_ids=gallery.ids,
        **options,
    )
    assert mean_scores(scores, options.get('topk', (1, 5))).to_json() == expected


def test_scores_of_queries_average_to_the_means():
    scores = score_pair(make_set(), make_set())
    for name in SCORES:
        assert scores_by_name(scores, name).mean().item() == pytest.approx(mean_scores(scores).means[name])


def test_another_width_cannot_be_compared():
    scores = score_pair(make_set(3), make_set(4))
    assert scores is None
    assert all(math.isnan(mean) for mean in mean_scores(scores).means.values())
    assert mean_scores(scores).num_queries == 0


def test_roles_are_scored_with_the_gain_of_the_upgrade():
    roles = dict(old=make_set(2), new=make_set(), upgraded=make_set(), other=make_set())
    pairs = [OLD_OLD, NEW_UPGRADED, Pair('new', 'other'), NEW_NEW]
    scores = score_roles(roles, pairs)
    assert scores.pairs == {pair: mean_scores(score_pair(roles[pair.query], roles[pair.gallery])) for pair in pairs}
    gaps = measure_gaps(
        scores.pairs[OLD_OLD],
        scores.pairs[NEW_NEW],
        (score_pair(roles['old'], roles['old']), score_pair(roles['new'], roles['new'])),
    )
    gains = update_gains(scores.pairs[NEW_UPGRADED], gaps)
    assert scores.gains == {NEW_UPGRADED: pytest.approx(gains, nan_ok=True)} and scores.gaps == gaps
    assert (scores.names, scores.num_queries) == (['cmc1', 'cmc5', 'map'], 20)


def test_unknown_role_is_refused():
    with pytest.raises(ValueError, match=r"made of the roles .* got 'newer/new'"):
        score_roles(dict(new=make_set()), [Pair('newer', 'new')])


def test_gains_need_both_ends_of_the_gap():
    pairs = {OLD_OLD: means(0.2), NEW_UPGRADED: means(0.5), NEW_NEW: means(0.8)}
    assert Scores.of(pairs, [NEW_UPGRADED]).gains == {NEW_UPGRADED: pytest.approx(dict.fromkeys(SCORES, 0.5))}
    del pairs[OLD_OLD]
    assert Scores.of(pairs, [NEW_UPGRADED]).gains == {NEW_UPGRADED: {}}


def test_a_gap_that_is_none_has_no_share():
    for new in (0.2, 0.1):
        pairs = {OLD_OLD: means(0.2), NEW_UPGRADED: means(0.5), NEW_NEW: means(new)}
        scores = Scores.of(pairs, [NEW_UPGRADED])
        assert all(math.isnan(gain) for gain in scores.gains[NEW_UPGRADED].values())
        assert scores.to_json()['update_gain'] == {'new/upgraded': dict.fromkeys(SCORES)}


def test_items_without_a_class_are_counted():
    some = make_set()
    some.labels[:3] = -1
    scores = Scores.of({NEW_NEW: means(0.2)}, [], sets=dict(queries=some, gallery=make_set()))
    assert scores.unlabelled == dict(queries=(20, 3))


def test_json_has_null_for_what_could_not_be_measured():
    nan = math.nan
    scores = Scores({OLD_OLD: MeanScores(dict(cmc1=0.5, map=nan), 3)}, {NEW_UPGRADED: dict(map=nan)})
    assert scores.to_json() == dict(
        pairs={'old/old': dict(cmc1=0.5, map=None, num_queries=3)}, update_gain={'new/upgraded': dict(map=None)}
    )


def test_no_pair_has_no_names():
    with pytest.raises(ValueError, match="must be those of at least one pair, such as 'new/new', got none"):
        _ = Scores().names
