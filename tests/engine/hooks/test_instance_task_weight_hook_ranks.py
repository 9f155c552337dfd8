"""Two gloo ranks train as one process does on the same global batch."""

from __future__ import annotations

import pytest
import torch

GRADIENT = ('complete', 'missing', 'uneven', 'accumulated', 'heads')
AGREEMENT = ('agreement', 'agreement_missing', 'agreement_accumulated')


@pytest.fixture(scope='module')
def ranks(toy, run_ranks, tmp_path_factory) -> list[dict]:
    """What came of every case, on each of two ranks."""
    folder = tmp_path_factory.mktemp('ranks')
    run_ranks(toy.file, folder=folder)
    return [torch.load(folder / f'rank{rank}.pt') for rank in range(2)]


@pytest.mark.parametrize('case', [*GRADIENT, *AGREEMENT])
def test_two_ranks_equal_one_process(toy, ranks, tmp_path, case):
    runner = toy.make_runner(str(tmp_path), epochs=3, batch_size=8, **toy.RANK_CASES[case])
    runner.train()
    expected = toy.results(runner)
    if case in GRADIENT:
        assert expected['deviation'].abs().max() > 0.5
    else:
        assert expected['contrast_sum'].abs().max() > 0.1
    for outcome in (rank[case] for rank in ranks):
        assert outcome.keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(outcome[name], value, rtol=1e-6, atol=1e-6, msg=f'{case}: {name}')
    for name in ('deviation', 'log_variance') if case in GRADIENT else ('contrast_sum', 'instance_weight', 'share'):
        assert torch.equal(ranks[0][case][name], ranks[1][case][name])
    assert torch.equal(ranks[0][case]['layer.weight'], ranks[1][case]['layer.weight'])


def test_ranks_with_batches_of_other_sizes_compare_their_own(toy, ranks):
    # Six and five of eleven instances: in the second of two batches the ranks do not exchange predictions.
    first, second = (rank['agreement_uneven'] for rank in ranks)
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    assert first['visits'].unique().tolist() == [3] and first['contrast_count'].gt(0).all()


@pytest.mark.parametrize(('case', 'task'), [('refused', 'b'), ('nowhere', 'a')])
def test_a_rank_without_labels_of_a_task_is_refused_where_every_parameter_needs_a_gradient(ranks, case, task):
    for rank in ranks:  # both, or one would wait for ever
        assert f"got a batch without labels of ['{task}'] on a rank" in rank[case]
        assert '`find_unused_parameters = True` must be in the config' in rank[case]


def test_ranks_that_have_labels_of_every_task_need_no_option(toy, ranks, tmp_path):
    runner = toy.make_runner(str(tmp_path), epochs=3, batch_size=8, **toy.STRICT_CASES['everywhere'])
    runner.train()
    for name, value in toy.results(runner).items():
        torch.testing.assert_close(ranks[1]['everywhere'][name], value, rtol=1e-6, atol=1e-6, msg=name)


def test_a_task_is_missing_on_one_rank_alone(toy):
    # What the case is there for: DefaultSampler gives the odd instances to the second rank.
    targets = toy.ToyInstances(missing=toy.RANK_CASES['missing']['missing']).targets
    assert targets[1:8:2, 1].isnan().all() and not targets[0:8:2, 1].isnan().any()
