"""CMC and mAP against a plain loop, scikit-learn and pytorch-metric-learning."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
import torch

from mmfct.functional import MeanScores, _screening, pairwise_distances, query_scores, retrieval_metrics
from mmfct.retrieval import Gallery


def plain_distance(q, g, distance):
    if distance == 'l2':
        return sum((a - b) ** 2 for a, b in zip(q, g, strict=True))
    product = sum(a * b for a, b in zip(q, g, strict=True))
    if distance == 'inner':
        return -product
    norms = math.sqrt(sum(a * a for a in q)) * math.sqrt(sum(b * b for b in g))
    return -product / norms if norms else 0.0


def plain_scores(query, gallery, query_labels, gallery_labels, topk, distance, query_ids=None, gallery_ids=None):
    """Walk through the ranking of each query, group by group; None for a query without a match."""
    scores = []
    for i, q in enumerate(query.tolist()):
        kept = [j for j in range(len(gallery)) if query_ids is None or query_ids[i] != gallery_ids[j]]
        away = {j: round(plain_distance(q, gallery[j].tolist(), distance), 9) for j in kept}
        match = {j: bool(gallery_labels[j] == query_labels[i]) for j in kept}
        matches = sum(match.values())
        if not matches:
            scores.append(None)
            continue
        seen = found = 0
        precision, miss = 0.0, {k: 1.0 for k in topk}
        for value in sorted(set(away.values())):
            group = [j for j in kept if away[j] == value]
            hits = sum(match[j] for j in group)
            for k in topk:
                room = min(max(k - seen, 0), len(group))
                # Chance that no match is among the `room` rows drawn from the group.
                miss[k] *= math.comb(len(group) - hits, room) / math.comb(len(group), room)
            seen, found = seen + len(group), found + hits
            precision += hits * found / seen
        scores.append(([1 - miss[k] for k in topk], precision / matches))
    return scores


def assert_equals_plain_loop(result, expected):
    for i, score in enumerate(expected):
        assert bool(result.counted[i]) == (score is not None)
        if score is not None:
            assert result.cmc[i].tolist() == pytest.approx(score[0], abs=1e-9)
            assert result.average_precision[i].item() == pytest.approx(score[1], abs=1e-9)


@pytest.fixture(params=['sorting', 'screening'])
def path(request, monkeypatch):
    """Both ways to the same ranks, whatever the size of the problem."""
    if request.param == 'screening':
        pytest.importorskip('numba', reason='the compiled loops need numba')
    monkeypatch.setattr(_screening, 'MIN_PAIRS', 0 if request.param == 'screening' else 10**18)


def problem(seed=0, queries=14, rows=23, width=3, classes=5, ties=True):
    generator = torch.Generator().manual_seed(seed)
    draw = (
        (lambda n: torch.randint(-2, 3, (n, width), generator=generator).float())
        if ties
        else (lambda n: torch.randn(n, width, generator=generator))
    )
    labels = lambda n: torch.randint(0, classes, (n,), generator=generator)  # noqa: E731
    return draw(queries), draw(rows), labels(queries), labels(rows)


@pytest.mark.parametrize('distance', ['l2', 'cosine', 'inner'])
@pytest.mark.parametrize('ties', [True, False])
@pytest.mark.parametrize('seed', [0, 1])
def test_different_sets_equal_a_plain_loop(path, distance, ties, seed):
    query, gallery, query_labels, gallery_labels = problem(seed, ties=ties)
    query_labels[0] = 99  # a lone query
    result = query_scores(query, gallery, query_labels, gallery_labels, topk=(1, 3, 5), distance=distance)
    expected = plain_scores(query.double(), gallery.double(), query_labels, gallery_labels, (1, 3, 5), distance)
    assert expected[0] is None
    assert_equals_plain_loop(result, expected)


@pytest.mark.parametrize('ties', [True, False])
def test_the_same_set_without_self_matches_equals_a_plain_loop(path, ties):
    points, _, labels, _ = problem(3, queries=25, ties=ties)
    ids = torch.arange(25)
    result = query_scores(points, points, labels, labels, query_ids=ids, gallery_ids=ids)
    expected = plain_scores(points.double(), points.double(), labels, labels, (1, 5), 'l2', ids, ids)
    assert_equals_plain_loop(result, expected)


def test_average_precision_is_that_of_scikit_learn(path):
    metrics = pytest.importorskip('sklearn.metrics')
    query, gallery, query_labels, gallery_labels = problem(4, rows=60)
    result = query_scores(query, gallery, query_labels, gallery_labels)
    scores = -torch.cdist(query.double(), gallery.double()).round(decimals=9).numpy()
    for i in range(len(query)):
        match = (gallery_labels == query_labels[i]).numpy()
        if match.any():
            expected = metrics.average_precision_score(match, scores[i])
            assert result.average_precision[i].item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize('same', [True, False])
def test_equals_pytorch_metric_learning_without_ties(path, same):
    accuracy_calculator = pytest.importorskip('pytorch_metric_learning.utils.accuracy_calculator')
    inference = pytest.importorskip('pytorch_metric_learning.utils.inference')
    query, gallery, query_labels, gallery_labels = problem(5, queries=60, rows=80, width=8, ties=False)
    if same:
        gallery, gallery_labels = query, query_labels
    calculator = accuracy_calculator.AccuracyCalculator(
        include=('mean_average_precision', 'precision_at_1'),
        k=None,
        device=torch.device('cpu'),
        knn_func=inference.CustomKNN(_euclidean()),
    )
    expected = calculator.get_accuracy(query, query_labels, gallery, gallery_labels, ref_includes_query=same)
    ids = dict(query_ids=torch.arange(60), gallery_ids=torch.arange(60)) if same else {}
    result = retrieval_metrics(query, gallery, query_labels, gallery_labels, **ids)
    assert result['cmc1'] == pytest.approx(expected['precision_at_1'], abs=1e-6)
    assert result['map'] == pytest.approx(expected['mean_average_precision'], abs=1e-6)


def _euclidean():
    from pytorch_metric_learning.distances import LpDistance

    return LpDistance(normalize_embeddings=False)


@pytest.mark.parametrize('length', [1e7, 1e8, 1e15, 1e30])
def test_one_very_long_row_makes_no_ties_elsewhere(path, length):
    # What rounding can do to its distance is more than the distances of all others.
    query, gallery, query_labels, gallery_labels = problem(4, queries=30, rows=200, width=16, ties=False)
    gallery[7] *= length / gallery[7].norm()
    result = query_scores(query, gallery, query_labels, gallery_labels)
    expected = plain_scores(query.double(), gallery.double(), query_labels, gallery_labels, (1, 5), 'l2')
    assert_equals_plain_loop(result, expected)


def test_cmc_of_ties_is_the_mean_over_all_orders():
    gallery = torch.zeros(4, 2)
    labels = torch.tensor([7, 1, 2, 7])
    result = retrieval_metrics(torch.zeros(1, 2), gallery, torch.tensor([7]), labels, topk=(1, 2, 3))
    for k in (1, 2, 3):
        orders = [any(label == 7 for label in order[:k]) for order in permutations(labels.tolist())]
        assert result[f'cmc{k}'] == pytest.approx(np.mean(orders))


@pytest.mark.parametrize('chunk_size', [1, 3, 1000])
def test_neither_order_nor_chunks_matter(path, chunk_size):
    query, gallery, query_labels, gallery_labels = problem(6, rows=40, width=7, ties=False)
    gallery, gallery_labels = gallery.repeat(3, 1), gallery_labels.repeat(3).roll(1)  # exact duplicates
    order = torch.randperm(len(gallery), generator=torch.Generator().manual_seed(1))
    result = query_scores(query, gallery, query_labels, gallery_labels, chunk_size=chunk_size)
    shuffled = query_scores(query, gallery[order], query_labels, gallery_labels[order])
    # The ranks are the same; their mean may be summed in another order.
    torch.testing.assert_close(result, shuffled, rtol=0, atol=1e-12, equal_nan=True)


def test_self_matches_are_found_by_identity_not_by_position(path):
    points, _, labels, _ = problem(7, queries=20, ties=False)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(2))
    ids = torch.arange(20)
    straight = retrieval_metrics(points, points, labels, labels, query_ids=ids, gallery_ids=ids)
    names = [f'image{i}' for i in range(20)]
    shuffled = retrieval_metrics(
        points, points[order], labels, labels[order], query_ids=names, gallery_ids=[names[i] for i in order]
    )
    assert straight == shuffled
    assert retrieval_metrics(points, points, labels, labels)['cmc1'] == 1.0  # without ids nothing is removed


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
def test_other_types_are_ranked_by_their_exact_values(path, dtype):
    query, gallery, query_labels, gallery_labels = problem(8)
    expected = retrieval_metrics(query, gallery, query_labels, gallery_labels)
    assert retrieval_metrics(query.to(dtype), gallery.to(dtype), query_labels, gallery_labels) == expected


def test_few_classes_with_many_matches(path):
    query, gallery, query_labels, gallery_labels = problem(9, rows=90, classes=2, ties=False)
    result = query_scores(query, gallery, query_labels, gallery_labels)
    expected = plain_scores(query.double(), gallery.double(), query_labels, gallery_labels, (1, 5), 'l2')
    assert_equals_plain_loop(result, expected)


def test_sums_of_shares_of_the_queries_add_up():
    query, gallery, query_labels, gallery_labels = problem()
    query_labels[0] = 99  # has no match
    sums = [
        query_scores(query[share], gallery, query_labels[share], gallery_labels, topk=(1, 3)).sums()
        for share in (slice(0, None, 2), slice(1, None, 2))
    ]
    expected = retrieval_metrics(query, gallery, query_labels, gallery_labels, topk=(1, 3))
    scores = MeanScores.from_sums(sum(sums), (1, 3))
    assert list(scores.means) == ['cmc1', 'cmc3', 'map'] and scores.num_queries < len(query)
    assert scores.to_json() == pytest.approx(expected)


def test_no_query_counts():
    result = retrieval_metrics(torch.zeros(2, 2), torch.ones(2, 2), torch.tensor([0, 1]), torch.tensor([2, 3]))
    assert result['num_queries'] == 0
    assert math.isnan(result['map']) and math.isnan(result['cmc1'])


def plain_kept(query_labels, gallery_labels, query_groups, gallery_groups, exclude):
    """Gallery rows that count for each query, by the rule of person re-identification or without its own group."""
    for label, group in zip(query_labels, query_groups, strict=True):
        others = gallery_groups != group
        yield np.flatnonzero(others | (gallery_labels != label) if exclude == 'matches' else others)


@pytest.mark.parametrize('exclude', ['matches', 'all'])
@pytest.mark.parametrize('chunk_size', [None, 3])
@pytest.mark.parametrize('ties', [True, False])
def test_groups_are_left_out_as_in_a_plain_loop(path, exclude, chunk_size, ties):
    query, gallery, query_labels, gallery_labels = problem(10, queries=20, rows=60, ties=ties)
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 3, 20), rng.integers(0, 3, 60)
    gallery_labels[groups[1] != groups[0][3]] = 1 - query_labels[3].clamp(max=1)  # query 3 only has its own group
    result = query_scores(
        query,
        gallery,
        query_labels,
        gallery_labels,
        query_groups=[f'camera {group}' for group in groups[0]],
        gallery_groups=[f'camera {group}' for group in groups[1]],
        exclude=exclude,
        chunk_size=chunk_size,
    )
    kept = plain_kept(query_labels.numpy(), gallery_labels.numpy(), *groups, exclude)
    for i, rows in enumerate(kept):
        one = slice(i, i + 1)
        labels = query_labels[one], gallery_labels[rows]
        (expected,) = plain_scores(query[one].double(), gallery[rows].double(), *labels, (1, 5), 'l2')
        assert_equals_plain_loop(type(result)(*(column[one] for column in result)), [expected])
    assert not result.counted[3]


def test_ids_and_groups_are_left_out_together(path):
    points, _, labels, _ = problem(11, queries=30, ties=False)
    ids, cameras = np.arange(30), np.arange(30) % 4
    options = dict(query_groups=cameras, gallery_groups=cameras)
    without = query_scores(points, points, labels, labels, **options)
    both = query_scores(points, points, labels, labels, query_ids=ids, gallery_ids=ids, **options)
    torch.testing.assert_close(both, without, equal_nan=True)  # an item is in its own group
    both = query_scores(points, points, labels, labels, query_ids=ids, gallery_ids=ids[::-1].copy(), **options)
    assert not torch.equal(both.average_precision, without.average_precision)


def test_an_unknown_class_is_no_class(path):
    query, gallery, query_labels, gallery_labels = problem(12, queries=20, rows=50)
    query_labels[:7], gallery_labels[:30] = -1, -1
    result = query_scores(query, gallery, query_labels, gallery_labels)
    # Rows of an unknown class stay in the ranking; they match no query.
    expected = plain_scores(query.double(), gallery.double(), query_labels, gallery_labels, (1, 5), 'l2')
    assert_equals_plain_loop(result, [*[None] * 7, *expected[7:]])
    with pytest.warns(UserWarning, match=r'unknown \(label -1\) of 7 of 20 queries.* and of 30 of 50 gallery rows'):
        means = retrieval_metrics(query, gallery, query_labels, gallery_labels)
    assert means['num_queries'] == int(result.counted.sum()) <= 13
    with pytest.warns(UserWarning, match='20 of 20 queries'):
        nothing = retrieval_metrics(query, gallery, torch.full((20,), -1), gallery_labels)
    assert nothing['num_queries'] == 0 and math.isnan(nothing['map'])


@pytest.mark.filterwarnings('error')
def test_arrays_and_mapped_columns_are_as_good_as_tensors(tmp_path):
    query, gallery, query_labels, gallery_labels = problem(13)
    expected = retrieval_metrics(query, gallery, query_labels, gallery_labels)
    assert retrieval_metrics(*(x.numpy() for x in (query, gallery, query_labels, gallery_labels))) == expected
    np.save(tmp_path / 'g.npy', gallery.numpy().astype('>f4'))
    mapped = np.load(tmp_path / 'g.npy', mmap_mode='r')
    assert not mapped.flags.writeable
    labels = query_labels.numpy().astype('uint16'), gallery_labels.tolist()
    assert retrieval_metrics(query.numpy()[::-1], mapped, labels[0][::-1], labels[1]) == pytest.approx(expected)
    far = pairwise_distances(query.numpy(), mapped)
    torch.testing.assert_close(far, pairwise_distances(query, gallery))


def test_columns_of_a_gallery_are_arguments(make_gallery):
    points, _, labels, _ = problem(14, queries=20)
    stored = Gallery(make_gallery('g', 'm', points, label=labels))
    columns = [stored.column(name) for name in ('embedding', 'label', 'id')]
    rows, classes, ids = columns
    result = retrieval_metrics(rows, rows, classes, classes, query_ids=ids, gallery_ids=ids)
    assert result == retrieval_metrics(
        points, points, labels, labels, query_ids=torch.arange(20), gallery_ids=torch.arange(20)
    )


def test_ids_of_any_kind_of_string():
    points, _, labels, _ = problem(15, queries=20)
    names = [f'{row}.png' for row in range(20)]
    kinds = [names, np.array(names), np.array(names, object)]
    if hasattr(np, 'dtypes') and hasattr(np.dtypes, 'StringDType'):
        kinds.append(np.array(names, np.dtypes.StringDType()))
    results = [retrieval_metrics(points, points, labels, labels, query_ids=ids, gallery_ids=names) for ids in kinds]
    assert all(result == results[0] for result in results)


def arguments(**changed):
    values = dict(
        query=torch.zeros(2, 3),
        gallery=torch.ones(4, 3),
        query_labels=torch.tensor([0, 1]),
        gallery_labels=torch.tensor([0, 1, 0, 1]),
    )
    return values | changed


@pytest.mark.parametrize(
    ('changed', 'message'),
    [
        (dict(distance='euclid'), '`distance` must be one of l2, cosine, inner'),
        (dict(query=torch.zeros(2, 3, 1)), '`query` must be 2-D'),
        (dict(gallery=torch.ones(4, 3, dtype=torch.long)), '`gallery` must be 2-D and of a floating type'),
        (dict(query=torch.zeros(0, 3)), '`query` must not be empty'),
        (dict(gallery=torch.ones(4, 5)), 'same number of columns, got 3 and 5'),
        (dict(query_labels=torch.tensor([0])), r'`query_labels` must be integers of shape \(2,\)'),
        (dict(gallery_labels=torch.zeros(4)), '`gallery_labels` must be integers'),
        (dict(topk=(0,)), '`topk` must hold positive integers'),
        (dict(chunk_size=0), '`chunk_size` must be a positive integer or None'),
        (dict(exclude='camera'), "`exclude` must be one of matches, all, got 'camera'"),
        (
            dict(query_groups=[1, 2]),
            '`query_groups` and `gallery_groups` must be given together, got `gallery_groups` N',
        ),
        (
            dict(query_labels=torch.tensor([0, -2])),
            'must be classes from 0, or -1 for an unknown one, got -2; number the',
        ),
        (
            dict(query_labels=np.array(['a', 'b'])),
            '`query_labels` must be a tensor or an array of numbers, got <U1; num',
        ),
        (dict(gallery=[['x'] * 3] * 4), '`gallery` must be a tensor or an array of numbers, got <U1$'),
        (dict(gallery=np.ones((4, 3), np.clongdouble)), '`gallery` must be a tensor or an array of numbers, got'),
        (dict(query_ids=[1, 2]), 'must be given together, got `gallery_ids` None'),
        (dict(query_ids=[1, 2], gallery_ids=list('abcd')), 'must be of one kind'),
        (dict(query_ids=[1], gallery_ids=[1, 2, 3, 4]), r'`query_ids` must be integers or strings of shape \(2,\)'),
        (dict(query=torch.tensor([[0, 0, math.nan], [0, 0, 0]])), '`query` must be finite, got 1 rows'),
        (dict(gallery=torch.full((4, 3), math.inf)), '`gallery` must be finite, got 4 rows'),
    ],
)
def test_bad_input_is_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        retrieval_metrics(**arguments(**changed))
