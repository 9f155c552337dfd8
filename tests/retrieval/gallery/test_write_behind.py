"""Tests of writing behind the computation."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from mmfct.retrieval import Gallery, GalleryWriter, is_complete
from mmfct.retrieval.gallery.writer import write_behind


@pytest.fixture
def writer(tmp_path) -> GalleryWriter:
    """Writer of three shards of one row."""
    return GalleryWriter(tmp_path / 'g', columns=dict(label=('int64', None)), num_rows=3, shard_rows=1)


def test_all_shards_are_written_when_the_block_ends(writer):
    with write_behind(writer) as write:
        for index, start, stop in writer.shards:
            write(index, dict(label=np.arange(start, stop)))
    assert writer.pending() == []
    writer.finish()
    assert Gallery(writer.path).column('label').tolist() == [0, 1, 2]


def test_one_shard_is_written_while_the_next_is_computed(writer, monkeypatch):
    go_on, write_shard = threading.Event(), GalleryWriter.write_shard

    def slow(*arguments):
        assert go_on.wait(10)
        write_shard(*arguments)

    monkeypatch.setattr(GalleryWriter, 'write_shard', slow)
    with write_behind(writer) as write:
        write(0, dict(label=np.array([0])))  # returns, although nothing is written yet
        assert len(writer.pending()) == 3
        go_on.set()
        write(1, dict(label=np.array([1])))
    assert [shard.index for shard in writer.pending()] == [2]


@pytest.mark.parametrize('last', [True, False])
def test_errors_of_the_thread_come_with_the_next_call_or_the_end(writer, last):
    with pytest.raises(ValueError, match='`label` must be int64, got float64'), write_behind(writer) as write:
        write(0, dict(label=np.zeros(1)))
        if not last:
            write(1, dict(label=np.array([1])))
            pytest.fail('went on after an error')


def test_what_was_begun_is_finished_when_the_computation_fails(writer):
    with pytest.raises(KeyboardInterrupt), write_behind(writer) as write:
        write(0, dict(label=np.array([0])))
        raise KeyboardInterrupt
    assert [shard.index for shard in writer.pending()] == [1, 2]


def test_a_gallery_that_another_process_finished_is_left_alone(writer):
    with write_behind(writer) as write:
        for index in range(3):
            writer.write_shard(index, dict(label=np.array([index])))
        writer.finish()
        write(0, dict(label=np.array([7])))
    assert is_complete(writer.path) and Gallery(writer.path).column('label').tolist() == [0, 1, 2]
