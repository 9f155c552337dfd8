"""Tests of errors on the command line."""

from __future__ import annotations

import pytest

from mmfct.apis.training.config import load_config
from mmfct.utils.user_errors import leave_after_user_error, user_errors


@pytest.mark.parametrize('error', [FileExistsError, FileNotFoundError, ImportError, IsADirectoryError, ValueError])
def test_bad_input_is_one_line_and_status_2(error, capsys):
    with pytest.raises(SystemExit) as status, user_errors():
        raise error('`k` must be at least 1, got 0')
    assert status.value.code == 2
    assert capsys.readouterr().err == 'error: `k` must be at least 1, got 0\n'


def test_bugs_keep_their_traceback():
    with pytest.raises(AssertionError), user_errors():
        raise AssertionError


def test_in_a_training_errors_of_others_keep_their_traceback(tmp_path, capsys):
    with pytest.raises(ValueError, match='of a host'), user_errors(of_others=False):
        raise ValueError('of a host')
    with pytest.raises(SystemExit), user_errors(of_others=False):
        load_config(tmp_path / 'none.py')
    assert capsys.readouterr().err.endswith("none.py' does not exist\n")


def test_processes_that_are_started_again_after_a_user_error_leave_with_it(tmp_path, monkeypatch, capsys):
    file = tmp_path / 'error'
    monkeypatch.setenv('MMFCT_ERROR_FILE', str(file))
    monkeypatch.setenv('TORCHELASTIC_MAX_RESTARTS', '2')
    for count in '01':  # no error yet: a process that died otherwise is started again and trains
        monkeypatch.setenv('TORCHELASTIC_RESTART_COUNT', count)
        leave_after_user_error()
    with pytest.raises(SystemExit), user_errors():
        raise ValueError('`k` must be “odd”')
    for count in '12':
        monkeypatch.setenv('TORCHELASTIC_RESTART_COUNT', count)
        with pytest.raises(SystemExit) as status:
            leave_after_user_error()
        assert status.value.code == 2 and file.exists() == (count == '1')
    assert capsys.readouterr().err == 3 * 'error: `k` must be “odd”\n'
    monkeypatch.setenv('TORCHELASTIC_RESTART_COUNT', '0')
    leave_after_user_error()
