"""Tests of the progress of long jobs."""

from __future__ import annotations

import itertools

import pytest

from mmfct.utils.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """Function that sets how many seconds pass between two looks at the clock."""

    def set_step(seconds: float) -> None:
        times = itertools.count()
        monkeypatch.setattr('time.monotonic', lambda: seconds * next(times))

    return set_step


def test_a_bar_on_a_terminal_a_few_times_a_second(capsys, monkeypatch, clock):
    monkeypatch.setattr('sys.stdout.isatty', lambda: True, raising=False)
    clock(0.01)
    progress = Progress(1000, 'images')
    for _ in range(100):
        progress.advance(10)
    output = capsys.readouterr().out
    assert progress.done == 1000
    assert 4 <= output.count('\r') <= 6 and output.count('\n') == 1 and output.endswith('\n')
    first, *_, last = output.split('\r')[1:]
    assert first.startswith('[>>>>>>                        ] 200/1000 images, 1000 images/s, 0:01 min left')
    assert last.startswith(f'[{30 * ">"}] 1000/1000 images, 1000 images/s, 0:01 min') and 'left' not in last


def test_few_lines_in_a_file(capsys, clock):
    clock(1.0)
    progress = Progress(7200)
    for _ in range(7200):
        progress.advance(1)
    lines = capsys.readouterr().out.splitlines()
    assert [int(line.split('/')[0]) for line in lines[:4]] == [10, 30, 70, 150]
    assert lines[0] == '10/7200 rows, 1 rows/s, 1:59:50 h left'
    assert lines[-1] == '7200/7200 rows, 1 rows/s, 2:00:00 h'
    assert len(lines) < 20


@pytest.mark.parametrize('total', [0, 5])
def test_other_ranks_are_silent(capsys, monkeypatch, total):
    if total:
        monkeypatch.setattr('mmfct.utils.progress.is_main_process', lambda: False)
    progress = Progress(total)
    progress.advance(total)
    assert capsys.readouterr().out == '' and progress.done == total
