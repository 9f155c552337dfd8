"""The benchmarks run on a GPU: none of them leaves a tensor on the CPU."""

from __future__ import annotations

import pytest

from ..tools.benchmarks.test_benchmarks import RUNS, benchmark  # noqa: F401

ON_THE_CPU = {'learn_transform', 'scale'}  # what they measure uses no other device


@pytest.mark.parametrize('name', sorted(RUNS.keys() - ON_THE_CPU))
def test_a_benchmark_runs(device, real, benchmark, name):  # noqa: F811
    if name == 'extraction' and not real:
        pytest.skip('decodes on a GPU by C++ code, which cannot be pretended')
    options, keys = RUNS[name]
    result = benchmark(name, f'{options} --device {device}')
    assert keys <= result.keys() and result['device'] != 'cpu'
