"""Tests of errors on the command line."""

from __future__ import annotations

import pytest

from mmfct.apis.user_errors import user_errors


@pytest.mark.parametrize('error', [FileExistsError, FileNotFoundError, ImportError, ValueError])
def test_bad_input_is_one_line_and_status_2(error, capsys):
    with pytest.raises(SystemExit) as status, user_errors():
        raise error('`k` must be at least 1, got 0')
    assert status.value.code == 2
    assert capsys.readouterr().err == 'error: `k` must be at least 1, got 0\n'


def test_bugs_keep_their_traceback():
    with pytest.raises(AssertionError), user_errors():
        raise AssertionError
