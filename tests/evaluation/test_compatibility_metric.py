"""The metric in one process."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import BaseDataElement

from mmfct.evaluation import CompatibilityMetric, compatibility_metric, compatibility_table
from mmfct.evaluation.pair import DEFAULT_PAIRS, NEW_NEW, NEW_UPGRADED
from mmfct.evaluation.scores import Scores
from mmfct.functional import retrieval_metrics

NUM = 30
ROLES = ('old', 'upgraded', 'new')


def make_samples(old_width: int = 4, num: int = NUM) -> list[dict]:
    """Samples of five classes; new embeddings are better than old ones; ids do not start at 0."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(num) % 5
    centers = 2 * torch.randn(5, 4, generator=generator)
    new = centers[labels] + torch.randn(num, 4, generator=generator)
    upgraded = new + 0.5 * torch.randn(num, 4, generator=generator)
    old = (new + 5 * torch.randn(num, 4, generator=generator))[:, :old_width]
    return [
        {
            'embeddings': {'old': old[i], 'upgraded': upgraded[i], 'new': new[i]},
            'gt_label': labels[i : i + 1],
            'sample_idx': 100 + i,
        }
        for i in range(num)
    ]


def run(metric: CompatibilityMetric, samples: list[dict], batch_size: int = 7) -> dict:
    for start in range(0, len(samples), batch_size):
        metric.process(None, samples[start : start + batch_size])
    return metric.evaluate(len(samples))


def expected(samples: list[dict], query: str, gallery: str, **options: object) -> dict:
    ids = torch.tensor([sample['sample_idx'] for sample in samples])
    labels = torch.cat([sample['gt_label'] for sample in samples])
    rows = {r: torch.stack([sample['embeddings'][r] for sample in samples]) for r in ROLES}
    return retrieval_metrics(rows[query], rows[gallery], labels, labels, query_ids=ids, gallery_ids=ids, **options)


@pytest.mark.parametrize(
    'options',
    [{}, {'distance': 'cosine'}, {'topk': (1, 3, 10)}, {'chunk_size': 4}],
    ids=['default', 'cosine', 'topk', 'chunk_size'],
)
def test_every_pair_is_what_retrieval_metrics_gives(options):
    samples = make_samples()
    results = run(CompatibilityMetric(**options), samples)
    for pair in DEFAULT_PAIRS:
        reference = expected(samples, *pair, **options)
        assert results['compatibility/num_queries'] == reference.pop('num_queries')
        for name, value in reference.items():
            assert results[f'compatibility/{pair}_{name}'] == pytest.approx(value, abs=1e-6)


def test_update_gain_is_the_share_of_the_gap():
    results = run(CompatibilityMetric(), make_samples(num=200))
    for name in ('cmc1', 'cmc5', 'map'):
        lower, ours, upper = (
            results[f'compatibility/{pair}_{name}'] for pair in ('old/old', 'new/upgraded', 'new/new')
        )
        gain = results[f'compatibility/update_gain_{name}']
        assert gain == pytest.approx((ours - lower) / (upper - lower))
    assert 0 < results['compatibility/update_gain_map'] < 1


@pytest.mark.parametrize('worse', [False, True])
def test_no_share_of_a_gap_that_is_none(worse, capsys):
    """The new model is as good as the old one up to chance, or worse: any quotient would be noise."""
    samples = make_samples(num=200)
    generator = torch.Generator().manual_seed(1)
    for sample in samples:
        rows = sample['embeddings']
        rows['old'] = rows['new'] + 0.05 * torch.randn(4, generator=generator)
        if worse:
            rows['new'] = rows['new'] + 3 * torch.randn(4, generator=generator)
    metric = CompatibilityMetric()
    results = run(metric, samples)
    assert math.isnan(results['compatibility/update_gain_map'])
    if not worse:
        assert results['compatibility/new/new_map'] != results['compatibility/old/old_map']
    row = next(line for line in compatibility_table(metric.scores).splitlines() if line.startswith('| new/h(old)'))
    assert row.split('|')[-2].strip() == '-'
    printed = capsys.readouterr().out
    first = next(line for line in printed.splitlines() if line.startswith(('The new model', '| ')))
    assert first.startswith(f'The new model is {"worse" if worse else "not clearly better"} than the old one in ')
    assert f'so there is no {"gap" if worse else "clear gap"} to recover there' in first
    assert metric.scores.to_json()['update_gain']['new/upgraded']['map'] is None


def test_images_without_a_class_do_not_count(capsys):
    samples = make_samples()
    labelled = [sample for index, sample in enumerate(samples) if index % 3]
    for sample in samples[::3]:
        sample['gt_label'] = torch.tensor([-1])
    results = run(CompatibilityMetric(), samples)
    assert results['compatibility/num_queries'] == 20
    ids = torch.tensor([sample['sample_idx'] for sample in samples])
    labels = torch.cat([sample['gt_label'] for sample in samples])
    new = torch.stack([sample['embeddings']['new'] for sample in samples])
    known = labels >= 0
    reference = retrieval_metrics(new[known], new, labels[known], labels.where(known, 99), query_ids=ids[known],
                                  gallery_ids=ids)  # fmt: skip
    assert results['compatibility/new/new_map'] == pytest.approx(reference['map'], abs=1e-6)
    assert '10 of 30 images have no class (label -1)' in capsys.readouterr().out
    # Dropping them instead would make the gallery easier.
    assert run(CompatibilityMetric(), labelled)['compatibility/new/new_map'] >= results['compatibility/new/new_map']


def test_images_that_have_no_class_at_all_are_refused():
    samples = make_samples()
    for sample in samples:
        sample['gt_label'] = -1
    with pytest.raises(ValueError, match=f'`gt_label` must be a class for some images, got -1 for all {NUM}'):
        run(CompatibilityMetric(), samples)


@pytest.mark.parametrize('exclude', ['matches', 'all'])
@pytest.mark.parametrize('kind', ['list', 'npy', 'text'])
def test_retrieval_across_cameras(exclude, kind, tmp_path):
    samples = make_samples(num=60)
    cameras = [f'camera {number}' for number in torch.randint(3, (160,)).tolist()]
    groups: object = cameras
    if kind == 'npy':
        groups = str(tmp_path / 'cameras.npy')
        np.save(groups, np.array(cameras))
    if kind == 'text':
        groups = str(tmp_path / 'cameras.txt')
        Path(groups).write_text(''.join(f'{camera}\n' for camera in cameras))
    results = run(CompatibilityMetric(groups=groups, exclude=exclude), samples)
    own = cameras[100:]  # of sample_idx 100 and on
    reference = expected(samples, 'new', 'new', query_groups=own, gallery_groups=own, exclude=exclude)
    assert results['compatibility/new/new_map'] == pytest.approx(reference['map'], abs=1e-6)
    assert reference['map'] != pytest.approx(expected(samples, 'new', 'new')['map'], abs=1e-3)


def test_bad_groups_are_refused(tmp_path):
    with pytest.raises(ValueError, match="`exclude` must be one of matches, all, got 'camera'"):
        CompatibilityMetric(exclude='camera')
    with pytest.raises(FileNotFoundError, match="`groups` must be a file or a list .* got 'cameras.txt'"):
        CompatibilityMetric(groups='cameras.txt')
    with pytest.raises(ValueError, match=r'`groups` must hold an integer or string for each image, got float64 of'):
        CompatibilityMetric(groups=[0.5, 1.5])
    with pytest.raises(ValueError, match='an entry for each `sample_idx`, from 100 to 129, got 129'):
        run(CompatibilityMetric(groups=[0] * 129), make_samples())


def test_scores_are_kept_as_a_structure():
    metric = CompatibilityMetric()
    assert metric.scores == Scores()
    results = run(metric, make_samples())
    assert list(metric.scores.pairs) == list(DEFAULT_PAIRS) and list(metric.scores.gains) == [NEW_UPGRADED]
    assert metric.scores.pairs[NEW_NEW].means['cmc5'] == results['compatibility/new/new_cmc5']
    assert metric.scores.gains[NEW_UPGRADED]['map'] == results['compatibility/update_gain_map']
    assert metric.scores.num_queries == NUM
    metric.process(None, make_samples())
    assert metric.scores == Scores()


def test_names_of_the_results_and_their_order():
    results = run(CompatibilityMetric(), make_samples())
    scores = ('cmc1', 'cmc5', 'map')
    names = [f'{pair}_{name}' for pair in ('old/old', 'new/old', 'new/upgraded') for name in scores]
    names += [f'{pair}_{name}' for pair in ('upgraded/upgraded', 'new/new') for name in scores]
    names += ['num_queries', *(f'update_gain_{name}' for name in scores)]
    assert list(results) == [f'compatibility/{name}' for name in names]


def test_keys_are_those_of_the_pairs_asked_for():
    results = run(CompatibilityMetric(pairs=('new/new',), topk=(2,)), make_samples())
    names = ('new/new_cmc2', 'new/new_map', 'num_queries')
    assert list(results) == [f'compatibility/{name}' for name in names]


def test_any_role_can_be_compared():
    samples = make_samples()
    for sample in samples:
        sample['embeddings']['newer'] = sample['embeddings']['new']
    results = run(CompatibilityMetric(pairs=('newer/new', 'new/new')), samples)
    assert results['compatibility/newer/new_map'] == results['compatibility/new/new_map']


def test_prefix_replaces_the_default_one():
    results = run(CompatibilityMetric(prefix='cosine', distance='cosine'), make_samples())
    assert all(name.startswith('cosine/') for name in results)


def test_pair_of_other_widths_is_nan_and_the_rest_is_measured():
    results = run(CompatibilityMetric(), make_samples(old_width=3))
    for name in ('cmc1', 'cmc5', 'map'):
        assert math.isnan(results[f'compatibility/new/old_{name}'])
    assert sum(math.isnan(value) for value in results.values()) == 3
    assert results['compatibility/num_queries'] == NUM


def test_images_without_another_of_their_class_do_not_count():
    samples = make_samples()
    samples[3]['gt_label'] = torch.tensor([77])
    assert run(CompatibilityMetric(), samples)['compatibility/num_queries'] == NUM - 1


def test_nothing_to_find_gives_nan():
    samples = make_samples()
    for i, sample in enumerate(samples):
        sample['gt_label'] = i
    results = run(CompatibilityMetric(), samples)
    assert results.pop('compatibility/num_queries') == 0
    assert all(math.isnan(value) for value in results.values())


def test_order_of_the_samples_does_not_matter():
    samples = make_samples()
    forward, backward = (run(CompatibilityMetric(), s) for s in (samples, samples[::-1]))
    assert forward == pytest.approx(backward, nan_ok=True)


def test_samples_a_sampler_added_are_dropped():
    samples = make_samples()
    metric = CompatibilityMetric()
    metric.process(None, samples + samples[:2])
    assert metric.evaluate(NUM) == run(CompatibilityMetric(), samples)


def test_embeddings_stay_until_the_next_evaluation():
    samples = make_samples(old_width=3)
    metric = CompatibilityMetric(pairs=('new/new',), collect_device='gpu')
    assert metric.embeddings == {}
    run(metric, samples)
    assert {r: tuple(x.shape) for r, x in metric.embeddings.items()} == {
        'old': (NUM, 3),
        'upgraded': (NUM, 4),
        'new': (NUM, 4),
    }
    torch.testing.assert_close(metric.embeddings['new'][5], samples[5]['embeddings']['new'])
    assert metric.labels[5] == samples[5]['gt_label']
    metric.process(None, samples[:2])
    assert metric.embeddings == {}
    assert len(metric.labels) == 0


def test_evaluate_clears_the_results():
    metric = CompatibilityMetric()
    samples = make_samples()
    first = run(metric, samples)
    assert metric.results == []
    assert run(metric, samples) == first


def test_table_is_logged(monkeypatch):
    lines = []
    monkeypatch.setattr(compatibility_metric, 'print_log', lambda text, logger: lines.append(text))
    metric = CompatibilityMetric()
    run(metric, make_samples())
    title, table = lines[0].split('\n', 1)
    assert title == f'compatibility, l2 distance, {NUM} queries'
    assert table == compatibility_table(metric.scores)


def test_evaluator_builds_it_from_a_config_and_hands_over_data_samples():
    samples = make_samples()
    elements = []
    for sample in samples:
        element = BaseDataElement(metainfo={'sample_idx': sample['sample_idx']})
        element.gt_label = sample['gt_label']
        element.embeddings = sample['embeddings']
        elements.append(element)
    evaluator = Evaluator([{'type': 'mmfct.CompatibilityMetric', 'pairs': ['new/new']}])
    evaluator.process(elements)
    results = evaluator.evaluate(NUM)
    reference = expected(samples, 'new', 'new')
    assert results['compatibility/new/new_map'] == pytest.approx(reference['map'], abs=1e-6)


@pytest.mark.parametrize('pairs', [(), 'new/new'])
def test_pairs_must_be_a_sequence(pairs):
    with pytest.raises(ValueError, match=f'`pairs` must be a sequence like .* got {pairs!r}'):
        CompatibilityMetric(pairs=pairs)


@pytest.mark.parametrize('pair', ['new', 'new/', '/old', 'new/old/old', ('new', 'old')])
def test_malformed_pair_is_refused(pair):
    with pytest.raises(ValueError, match="a pair must be written 'query/gallery', got "):
        CompatibilityMetric(pairs=('new/new', pair))


def test_unknown_collect_device_is_refused():
    with pytest.raises(ValueError, match="`collect_device` must be 'cpu' or 'gpu', got 'tpu'"):
        CompatibilityMetric(collect_device='tpu')


def test_unknown_role_is_refused_at_the_first_batch():
    metric = CompatibilityMetric(pairs=('new/newer',))
    with pytest.raises(ValueError, match=r"made of the roles .*'old'.* got 'new/newer'"):
        metric.process(None, make_samples())


def test_unknown_distance_names_the_choices():
    with pytest.raises(ValueError, match=r"`distance` .*cosine.* got 'manhattan'"):
        CompatibilityMetric(distance='manhattan')


@pytest.mark.parametrize('options', [{'topk': (1, 0)}, {'chunk_size': 0}])
def test_options_of_the_search_must_be_positive(options):
    (name,) = options
    with pytest.raises(ValueError, match=f'`{name}` must .* positive integer'):
        CompatibilityMetric(**options)


def test_batches_of_other_widths_are_refused():
    metric = CompatibilityMetric()
    metric.process(None, make_samples())
    with pytest.raises(ValueError, match=r"in all batches, got \{'old': 4.* and \{'old': 2"):
        metric.process(None, make_samples(old_width=2))


@pytest.mark.parametrize('value', [math.nan, math.inf])
def test_embeddings_that_are_not_finite_name_role_and_rows(value):
    samples = make_samples()
    for i in (2, 9):
        samples[i]['embeddings']['upgraded'] = torch.full((4,), value)
    metric = CompatibilityMetric()
    with pytest.raises(ValueError, match=f"role 'upgraded' in 2 of {NUM} rows"):
        run(metric, samples)
    assert metric.results == []


def test_no_samples_are_refused():
    with pytest.raises(ValueError, match='no embeddings to evaluate'):
        CompatibilityMetric().evaluate(NUM)


def test_repeated_ids_are_refused():
    samples = make_samples()
    samples[1]['sample_idx'] = samples[0]['sample_idx']
    with pytest.raises(ValueError, match=f'`sample_idx` must be unique .* got {NUM - 1} values'):
        run(CompatibilityMetric(), samples)
