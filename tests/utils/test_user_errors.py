"""Tests of errors on the command line."""

from __future__ import annotations

import pytest

from mmfct.apis.training.config import load_config
from mmfct.utils.user_errors import user_errors


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
