"""Tests of the progress bar."""

from __future__ import annotations

import pytest

from mmfct.utils.progress import Progress


def test_rate_and_time_left_a_few_times_a_second(capsys, monkeypatch):
    monkeypatch.setattr('sys.stdout.isatty', lambda: True, raising=False)
    progress = Progress(1000)
    for _ in range(100):
        progress.advance(10)
    output = capsys.readouterr().out
    assert progress.done == 1000
    assert output.count('\r') <= 3 and output.endswith('\n')
    assert '1000/1000' in output and 'task/s' in output and 'ETA' in output


@pytest.mark.parametrize('total', [0, 5])
def test_other_ranks_are_silent(capsys, monkeypatch, total):
    if total:
        monkeypatch.setattr('mmfct.utils.progress.is_main_process', lambda: False)
    progress = Progress(total)
    progress.advance(total)
    assert capsys.readouterr().out == '' and progress.done == total
