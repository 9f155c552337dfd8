"""Long work that is interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mmfct.utils.interruption import resumable

STOPPED = """
import time
from mmfct.utils.interruption import resumable
with resumable():
    print('ready', flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize(('number', 'status'), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_tools_end_cleanly_and_say_how_to_go_on(number, status):
    environment = {**os.environ, 'PYTHONPATH': str(Path(__file__).parents[2])}
    command = [sys.executable, '-c', STOPPED]
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with subprocess.Popen(command, env=environment, **pipes) as process:
        assert process.stdout.readline() == 'ready\n'
        process.send_signal(number)
        output, error = process.communicate(timeout=30)
    assert process.returncode == status, error
    assert 'run the same command once more and it continues where it stopped' in error


def test_other_threads_than_the_main_one_change_nothing():
    def work() -> bool:
        with resumable():
            return signal.getsignal(signal.SIGTERM) == before

    before = signal.getsignal(signal.SIGTERM)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(work).result()
