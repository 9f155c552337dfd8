"""One training at a time in a folder."""

from __future__ import annotations

import os
import time

from mmfct.apis.training.lock import one_at_a_time


def test_a_second_process_waits_for_the_first(tmp_path):
    folder, log = tmp_path / 'work', tmp_path / 'log'
    with one_at_a_time(folder):
        child = os.fork()
        if child == 0:
            with one_at_a_time(folder):
                log.write_text(log.read_text() + 'second')
            os._exit(0)
        time.sleep(0.3)
        log.write_text('first, ')
    assert os.waitpid(child, 0)[1] == 0
    assert log.read_text() == 'first, second'


def test_a_killed_process_holds_nothing(tmp_path):
    child = os.fork()
    if child == 0:
        with one_at_a_time(tmp_path):
            os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    with one_at_a_time(tmp_path):
        pass
