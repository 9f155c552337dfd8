"""What a transform file knows about the items that it was learned from."""

from __future__ import annotations

import json

from mmfct.retrieval.transform.learned_from import LearnedFrom


def names(start: int, stop: int) -> list[str]:
    return [f'item {number}' for number in range(start, stop)]


def test_of_few_items_all_are_known():
    known = LearnedFrom.of([*names(0, 500), 'b\udcff'])
    again = LearnedFrom.from_json(json.loads(json.dumps(known.to_json())))
    assert again.count([*names(400, 600), 'b\udcff']) == known.count([*names(400, 600), 'b\udcff']) == (101, 201)
    assert known.count([]) == (0, 0)


def test_of_many_items_the_share_is_known():
    known = LearnedFrom.of(names(0, 50_000))
    assert len(known.hashes) == 1024 and len(json.dumps(known.to_json())) < 12_000
    found, told = known.count(names(45_000, 55_000))
    assert 0.4 < found / told < 0.6 and 150 < told < 260
    assert known.count(names(50_000, 60_000))[0] == 0
