"""Options of a config on the command line."""

from __future__ import annotations

import argparse

import pytest

from mmfct.apis.training.cfg_options import DictAction


@pytest.mark.parametrize(
    ('words', 'expected'),
    [
        (['data_root=/data/my images'], {'data_root': '/data/my images'}),
        (['a=1', 'b=[1, 2]', 'c=x y'], {'a': 1, 'b': [1, 2], 'c': 'x y'}),
        (
            ['a=1.5', 'b=None', 'c=True', 'd=(1,x)', 'e=u,v'],
            {'a': 1.5, 'b': None, 'c': True, 'd': (1, 'x'), 'e': ['u', 'v']},
        ),
    ],
)
def test_blanks_stay_in_names(words, expected):
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    assert parser.parse_args(['--cfg-options', *words]).cfg_options == expected


@pytest.mark.parametrize('words', [['foo'], ['a=1', 'configs/a.py']])
def test_a_word_that_is_no_option_is_named(words, capsys):
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    with pytest.raises(SystemExit):
        parser.parse_args(['--cfg-options', *words])
    message = f'--cfg-options takes KEY=VALUE, after the other arguments, got {words[-1]!r}'
    assert message in capsys.readouterr().err
