"""Tests of the clean end of a job."""

from __future__ import annotations

import os
import signal

import pytest

from mmfct.apis.interruption import resumable


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_job_with_its_status_and_says_how_to_go_on(number, capsys):
    before = signal.getsignal(number)
    cleaned = []
    with pytest.raises(SystemExit) as caught, resumable():
        try:
            os.kill(os.getpid(), number)
            pytest.fail('went on after a signal')
        except Exception:
            pytest.fail('taken for an error of the job')
        finally:
            cleaned.append(True)
            assert signal.getsignal(number) == signal.SIG_DFL  # the next one ends it at once
    assert caught.value.code == 128 + number and cleaned
    assert f'{number.name}: stopped; run the same command again' in capsys.readouterr().err
    assert signal.getsignal(number) == before


def test_errors_pass_and_handlers_return():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ValueError, match='mine'), resumable():
        raise ValueError('mine')
    assert signal.getsignal(signal.SIGTERM) == before
