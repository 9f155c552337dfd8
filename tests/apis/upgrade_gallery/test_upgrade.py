"""Tests of upgrading a gallery from file to file."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from mmfct.apis.evaluate_compatibility import evaluate_compatibility
from mmfct.apis.search_gallery import search_gallery
from mmfct.apis.upgrade_gallery import estimate_upgrade, upgrade_gallery
from mmfct.retrieval import Gallery, is_complete
from mmfct.retrieval.gallery.mixed import write_mixed_gallery
from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance
from mmfct.retrieval.gallery.texts import text_array
from mmfct.retrieval.transform.file import read_transform, write_transform
from mmfct.utils import files as atomic_files


def expected(head, embedding, side) -> np.ndarray:
    with torch.no_grad():
        return head(torch.from_numpy(embedding), torch.from_numpy(side)).numpy()


def contents(folder) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in Path(folder).iterdir()}


def test_every_row_goes_through_h_and_the_rest_is_carried_along(chain):
    upgraded = upgrade_gallery(chain.gallery, [chain.h12], chain.out, batch_size=3)
    reference = expected(chain.heads[0], chain.columns['embedding'], chain.columns['side_info'])
    np.testing.assert_allclose(upgraded.column('embedding'), reference, rtol=1e-4, atol=1e-5)
    for name in ('side_info', 'id', 'label'):
        assert np.array_equal(upgraded.column(name), chain.columns[name])
    provenance = Provenance.from_metadata(Gallery(chain.out).metadata)
    assert (provenance.embedding, provenance.side_info, provenance.distance) == (chain.V2, chain.SIDE, 'l2')
    (entry,) = provenance.upgrades
    assert (entry['from'], entry['to']) == (chain.V1.to_json(), chain.V2.to_json())


def test_a_new_model_that_is_searched_in_another_way(chain):
    upgraded = upgrade_gallery(chain.gallery, [chain.h12], chain.out, distance='cosine')
    assert Provenance.from_metadata(upgraded.metadata).distance == 'cosine'
    with pytest.raises(ValueError, match="`distance` must be one of l2, cosine, inner, got 'l1'"):
        upgrade_gallery(chain.gallery, [chain.h12], chain.out, distance='l1')


def test_a_chain_in_one_pass_equals_two_passes(chain, tmp_path):
    at_once = upgrade_gallery(chain.gallery, [chain.h12, chain.h23], chain.out)
    upgrade_gallery(chain.gallery, [chain.h12], str(tmp_path / 'v2'))
    in_steps = upgrade_gallery(str(tmp_path / 'v2'), [chain.h23], str(tmp_path / 'v3'))
    np.testing.assert_allclose(at_once.column('embedding'), in_steps.column('embedding'), rtol=1e-5, atol=1e-6)
    assert at_once.metadata.pop('upgraded_from') == Gallery(chain.gallery).fingerprint
    assert in_steps.metadata.pop('upgraded_from') == Gallery(tmp_path / 'v2').fingerprint
    assert at_once.metadata == in_steps.metadata
    upgrades = Provenance.from_metadata(at_once.metadata).upgrades
    assert [entry['to']['name'] for entry in upgrades] == ['v2', 'v3']


def test_adapters_of_queries_upgrade_nothing(chain, tmp_path):
    path = str(tmp_path / 'adapter')
    chain.write_head(path, chain.V2, chain.V1, (5, 5, 6), side=None, training=dict(direction='query'))
    message = 'must upgrade galleries, got .*adapter, which maps queries of v2 .* without `--direction query`'
    for transforms in ([path], [chain.h12, path]):  # also where models and widths would fit
        with pytest.raises(ValueError, match=message):
            upgrade_gallery(chain.gallery, transforms, chain.out)
    assert not Path(chain.out).exists()


def test_predicted_uncertainty_becomes_a_column(chain, tmp_path):
    path = str(tmp_path / 'h')
    head = chain.write_head(path, chain.V1, chain.V2, (6, 4, 5), with_uncertainty=True)
    upgraded = upgrade_gallery(chain.gallery, [path], chain.out)
    assert upgraded.columns['log_variance'] == ('float32', None)
    reference = head.log_variance(torch.from_numpy(np.array(upgraded.column('embedding')))).detach()
    np.testing.assert_allclose(upgraded.column('log_variance'), reference, rtol=1e-4, atol=1e-6)


def test_notes_of_a_partial_upgrade_do_not_outlive_its_embeddings(chain, tmp_path):
    path = str(tmp_path / 'h')
    chain.write_head(path, chain.V1, chain.V2, (6, 4, 5), with_uncertainty=True)
    upgraded = upgrade_gallery(chain.gallery, [path], str(tmp_path / 'v2'))
    mixed = write_mixed_gallery(upgraded, upgraded, tmp_path / 'mixed')
    assert {'origin', 'log_variance'} < mixed.columns.keys() and 'mixed' in mixed.metadata
    again = upgrade_gallery(str(tmp_path / 'mixed'), [chain.h23], chain.out)
    assert again.columns.keys() == {'embedding', 'side_info', 'id', 'label'} and 'mixed' not in again.metadata


@pytest.mark.parametrize('dtype', ['bfloat16', 'float16'])
def test_precision_of_the_computation(chain, tmp_path, dtype):
    half = upgrade_gallery(chain.gallery, [chain.h12], chain.out, dtype=dtype)
    exact = upgrade_gallery(chain.gallery, [chain.h12], str(tmp_path / 'exact'))
    assert half.columns == exact.columns and half.metadata['computed_in'] == dtype
    difference = half.column('embedding') - exact.column('embedding')
    assert 0 < np.abs(difference).max() < 0.05 * np.abs(exact.column('embedding')).max()


def test_killed_fifty_times_it_continues_to_the_same_bytes(chain, tmp_path):
    """Each child dies at an fsync of its own, somewhere in the files of a shard or of the manifest."""
    upgrade_gallery(chain.gallery, [chain.h12], str(tmp_path / 'whole'))
    whole = contents(tmp_path / 'whole')
    rng = np.random.default_rng(0)
    kills = 0
    while kills < 50:
        child = os.fork()
        if child == 0:
            try:
                _die_at_fsync(int(rng.integers(1, 9)) if kills % 2 else 1 + kills % 9)
                upgrade_gallery(chain.gallery, [chain.h12], chain.out)
                os._exit(0)
            finally:
                os._exit(1)
        status = os.waitpid(child, 0)[1]
        if os.WIFSIGNALED(status):
            kills += 1
        else:  # finished between the kills: start over, so that the next ones hit something
            assert status == 0
            assert contents(chain.out) == whole
            shutil.rmtree(chain.out)
    upgrade_gallery(chain.gallery, [chain.h12], chain.out)
    assert contents(chain.out) == whole


def _die_at_fsync(count: int) -> None:
    fsync, left = os.fsync, [count]

    def counting(descriptor: int) -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), 9)
        fsync(descriptor)

    os.fsync = counting


def test_two_processes_at_once_write_the_same_bytes(chain, tmp_path):
    upgrade_gallery(chain.gallery, [chain.h12], str(tmp_path / 'alone'))
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            try:
                upgrade_gallery(chain.gallery, [chain.h12], chain.out)
            finally:
                os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    # The slower one may have been told that the gallery is complete; it is, or the next call makes it so.
    upgrade_gallery(chain.gallery, [chain.h12], chain.out)
    files = [
        {file.name: file.read_bytes() for file in Path(path).iterdir()} for path in (tmp_path / 'alone', chain.out)
    ]
    assert files[0] == files[1]


def test_a_full_disk_loses_nothing(chain, monkeypatch):
    number = [0]

    def full(descriptor: int) -> None:
        number[0] += 1
        if number[0] == 12:
            raise OSError(28, 'No space left on device')

    monkeypatch.setattr(atomic_files.os, 'fsync', full)
    with pytest.raises(OSError, match='No space left'):
        upgrade_gallery(chain.gallery, [chain.h12], chain.out)
    monkeypatch.undo()
    assert not is_complete(chain.out)
    assert len(upgrade_gallery(chain.gallery, [chain.h12], chain.out)) == 50
    Gallery(chain.out, verify=True)


@pytest.mark.parametrize('damage', ['flipped', 'truncated', 'swapped', 'pickle'])
def test_a_damaged_shard_is_never_upgraded(chain, damage):
    file, other = (Path(chain.gallery, f'embedding-0000{number}.npy') for number in (3, 4))
    content = bytearray(file.read_bytes())
    if damage == 'swapped':
        file.write_bytes(other.read_bytes())
    elif damage == 'pickle':
        np.save(file, np.array([dict(a=1)] * 8, dtype=object))
    else:
        content[-2] ^= 64
        file.write_bytes(content[: -9 if damage == 'truncated' else None])
    with pytest.raises(ValueError, match=r'embedding-00003.npy must (match its checksum|have \d+ bytes)'):
        upgrade_gallery(chain.gallery, [chain.h12], chain.out)
    assert not is_complete(chain.out)


def test_a_manifest_that_leads_out_of_the_folder(chain):
    manifest = Path(chain.gallery, 'manifest.json')
    entries = json.loads(manifest.read_text())
    entries['shards'][0]['files']['embedding']['name'] = '../embedding-00000.npy'
    manifest.write_text(json.dumps(entries))
    with pytest.raises(ValueError, match='must be called embedding-00000.npy'):
        upgrade_gallery(chain.gallery, [chain.h12], chain.out)


def test_results_that_are_not_finite_are_not_written(chain, tmp_path):
    head = chain.heads[0]
    with torch.no_grad():
        head.mixer[-1].weight.fill_(1e30)  # infinite in half precision
    path = str(tmp_path / 'huge')
    write_transform(path, head.state_dict(), read_transform(chain.h12)[0])
    with pytest.raises(ValueError, match='`embedding` must be finite as float32, got'):
        upgrade_gallery(chain.gallery, [path], chain.out, dtype='float16')


def test_what_does_not_belong_together(chain, tmp_path):
    with pytest.raises(ValueError, match=r'h23 upgrades embeddings of v2 \(2+\), got a gallery with those of v1'):
        upgrade_gallery(chain.gallery, [chain.h23], chain.out)
    with pytest.raises(ValueError, match=r'h12 upgrades embeddings of v1 \(1+\), got a gallery with those of v2'):
        upgrade_gallery(chain.gallery, [chain.h12, chain.h12], chain.out)
    chain.write_rows(tmp_path / 'other', side_model=ModelIdentity('other', '5' * 64))
    with pytest.raises(ValueError, match=r'h12 needs side-information of simclr \(4+\), got .* those of other'):
        upgrade_gallery(str(tmp_path / 'other'), [chain.h12], chain.out)
    chain.write_rows(tmp_path / 'none', side_model=None)
    with pytest.raises(ValueError, match='h12 needs side-information of simclr .* got a gallery with none'):
        upgrade_gallery(str(tmp_path / 'none'), [chain.h12], chain.out)
    chain.write_rows(tmp_path / 'wide', width=7)
    with pytest.raises(ValueError, match='h12 needs embeddings of width 6, got 7'):
        upgrade_gallery(str(tmp_path / 'wide'), [chain.h12], chain.out)
    with pytest.raises(ValueError, match='`transforms` must name at least one transform, got none'):
        upgrade_gallery(chain.gallery, [], chain.out)
    with pytest.raises(ValueError, match="`dtype` must be 'float32', 'float16' or 'bfloat16', got 'int8'"):
        upgrade_gallery(chain.gallery, [chain.h12], chain.out, dtype='int8')
    assert not Path(chain.out).exists()


def test_another_upgrade_in_the_same_folder_is_refused(chain):
    upgrade_gallery(chain.gallery, [chain.h12], chain.out)
    with pytest.raises(ValueError, match='must be a gallery with the same description, got .* another'):
        upgrade_gallery(chain.gallery, [chain.h12, chain.h23], chain.out)


@pytest.mark.parametrize('finished', [True, False])
def test_an_upgrade_of_another_gallery_is_not_continued(chain, tmp_path, monkeypatch, finished):
    # As many rows of the same models, and other embeddings.
    other = tmp_path / 'other'
    chain.write_rows(other, seed=1)
    if finished:
        upgrade_gallery(chain.gallery, [chain.h12], chain.out)
    else:
        with monkeypatch.context() as patch:
            patch.setattr('mmfct.apis.upgrade_gallery.upgrade.finish_together', lambda writer: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                upgrade_gallery(chain.gallery, [chain.h12], chain.out)
    with pytest.raises(ValueError, match='with another metadata.upgraded_from; give another path') as error:
        upgrade_gallery(str(other), [chain.h12], chain.out)
    assert ('rm -r' in str(error.value)) == (not finished)  # never advice to delete what is good


@pytest.mark.parametrize('batch_size', [0, -1])
def test_batch_size_is_positive(chain, batch_size):
    for call in (
        lambda **o: upgrade_gallery(chain.gallery, [chain.h12], chain.out, **o),
        lambda **o: estimate_upgrade(chain.gallery, [chain.h12], **o),
    ):
        with pytest.raises(ValueError, match=f'`batch_size` must be at least 1, got {batch_size}'):
            call(batch_size=batch_size)
    assert not Path(chain.out).exists()


def test_estimate(chain):
    estimate = estimate_upgrade(chain.gallery, [chain.h12])
    row = 6 * 4 + 4 * 4 + chain.columns['id'].itemsize + 8
    assert (estimate.vectors, estimate.bytes_read, estimate.bytes_written) == (50, 50 * row, 50 * (row - 4))
    assert estimate.seconds > 0 and estimate.backfill_seconds == 50 * 0.25
    assert 'vectors          50' in str(estimate) and 'a backfill       12.5 s' in str(estimate)
    assert 'backfill' not in str(estimate_upgrade(chain.gallery, [chain.h12, chain.h23]))
    assert not Path(chain.out).exists()


@pytest.mark.parametrize('inside', ['.', 'below', '../v1'])
def test_a_gallery_is_not_written_into_itself(chain, inside):
    before = contents(chain.gallery)
    with pytest.raises(ValueError, match='`out` must be another folder than that of the gallery, got'):
        upgrade_gallery(chain.gallery, [chain.h12], str(Path(chain.gallery, inside)))
    assert contents(chain.gallery) == before


def test_large_shards_are_upgraded_in_parts_and_verified_once(chain, tmp_path, monkeypatch):
    """Memory is bounded by the shards of the result, not by those of the gallery."""
    upgrade_gallery(chain.gallery, [chain.h12], chain.out)
    row = 5 * 4 + 4 * 4 + chain.columns['id'].itemsize + 8
    monkeypatch.setattr('mmfct.apis.upgrade_gallery.job._SHARD_BYTES', 3 * row + 1)
    verified, verify = [], Gallery.verify_shard
    monkeypatch.setattr(Gallery, 'verify_shard', lambda self, index: verified.append(index) or verify(self, index))
    parts = upgrade_gallery(chain.gallery, [chain.h12], str(tmp_path / 'parts'))
    assert parts.shard_rows == 3 and verified == list(range(7))
    for name in parts.columns:
        assert np.array_equal(parts.column(name), Gallery(chain.out).column(name)) or name == 'embedding'
    np.testing.assert_allclose(parts.column('embedding'), Gallery(chain.out).column('embedding'), rtol=1e-5)


def test_long_ids_are_carried_along_evaluated_and_found(make_gallery, chain, tmp_path):
    ids = text_array([f'{row}.png' for row in range(40)] + ['x' * 5000])
    rows = np.random.default_rng(0).standard_normal((41, 5))
    path = make_gallery('old', 'a', rows, id=ids, label=np.arange(41) % 4, shard_rows=8)
    model = Provenance.from_metadata(Gallery(path).metadata).embedding
    chain.write_head(tmp_path / 'h', model, chain.V2, (5, 5, 4), side=None)
    upgraded = upgrade_gallery(str(path), [str(tmp_path / 'h')], chain.out)
    assert upgraded.column('id').tolist() == ids.tolist()
    assert estimate_upgrade(str(path), [str(tmp_path / 'h')]).bytes_read < 10_000
    found = search_gallery(chain.out, chain.out, k=1)
    assert [names[0] for names in found.ids] == ids.tolist()
    scores = evaluate_compatibility(dict(new=chain.out), dict(upgraded=chain.out), tmp_path / 'report').scores
    assert scores
