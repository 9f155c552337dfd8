"""JSON files, and scores that could not be measured."""

from __future__ import annotations

import json
import math

import pytest

from mmfct.utils.json import encode_json, without_nan


def test_one_form_for_people_too():
    assert encode_json(dict(b=[1, 0.5], a=None)) == b'{\n "b": [\n  1,\n  0.5\n ],\n "a": null\n}\n'
    assert encode_json(dict(b=1, a=dict(d=2, c=3)), sort_keys=True) == encode_json(dict(a=dict(c=3, d=2), b=1))


def test_nan_is_refused():
    with pytest.raises(ValueError, match='not JSON compliant'):
        encode_json(dict(score=math.nan))


def test_nan_becomes_null_wherever_it_is():
    nan = math.nan
    scores = dict(map=nan, counts=(1, nan), pairs={'a/b': [dict(cmc1=nan, name='nan')]}, gate=None, safe=True)
    assert without_nan(scores) == dict(
        map=None, counts=[1, None], pairs={'a/b': [dict(cmc1=None, name='nan')]}, gate=None, safe=True
    )
    assert math.isnan(scores['map']) and json.loads(encode_json(without_nan(scores)))['map'] is None
    assert without_nan(math.inf) == math.inf
