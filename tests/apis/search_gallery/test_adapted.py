"""Queries of a newer model than the gallery's: through an adapter, and directly where items are upgraded already."""

from __future__ import annotations

import hashlib
import json

import cv2
import numpy as np
import pytest
import torch

from mmfct.apis.build_index import index_gallery
from mmfct.apis.extract_gallery import extract_gallery
from mmfct.apis.search_gallery import AdapterFiles, search_gallery, search_images
from mmfct.apis.upgrade_gallery import upgrade_into_store
from mmfct.apis.upgrade_gallery.rows import compute_columns
from mmfct.retrieval import Gallery
from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance
from mmfct.retrieval.source import open_source
from mmfct.retrieval.stores.options import SourceOptions
from mmfct.retrieval.transform.file import TransformDescription, write_network
from mmfct.retrieval.transform.network import TransformNetwork

LABELS = np.arange(80) % 4


def identity(name):
    return ModelIdentity(name, hashlib.sha256(name.encode()).hexdigest())


def write_map(path, matrix, old, new, direction='query'):
    matrix = torch.as_tensor(matrix).double()
    network = TransformNetwork.affine(matrix, torch.zeros(matrix.shape[1], dtype=torch.float64))
    widths = dict(old_dims=matrix.shape[0], side_dims=matrix.shape[0], new_dims=matrix.shape[1])
    described = TransformDescription(old=old, new=new, side=None, **widths, training=dict(direction=direction))
    write_network(path, network, described)
    return path


@pytest.fixture
def files(tmp_path, make_gallery):
    """A rotation: galleries old (all), part (60 of 80 upgraded) and new, queries of the new model, and the adapter."""
    rng = np.random.default_rng(0)
    new, rotation = rng.standard_normal((80, 6)), np.linalg.qr(rng.standard_normal((6, 6)))[0]
    rows = rng.permutation(80)[:60]
    ids = np.array([f'{row:03d}.png' for row in range(80)])
    make_gallery('old', 'old', new @ rotation, label=LABELS)
    make_gallery('part', 'new', new[rows], label=LABELS[rows], id=ids[rows])
    make_gallery('new', 'new', new, label=LABELS)
    make_gallery('queries', 'new', rng.standard_normal((5, 6)), label=[0, 1, 2, 3, 0])
    make_gallery('unlabelled', 'new', new[rows], id=ids[rows])
    write_map(tmp_path / 'a.safetensors', rotation, identity('new'), identity('old'))
    return tmp_path


@pytest.mark.parametrize('indexed', [False, True])
@pytest.mark.parametrize('upgraded', [None, 'part', 'new'])
def test_what_the_gallery_of_the_new_model_finds(files, upgraded, indexed):
    wanted = search_gallery(files / 'new', files / 'queries', k=7)
    indexes = [None, None]
    if indexed:
        pytest.importorskip('faiss')
        for place, name in enumerate(['old', upgraded]):
            if name is not None:
                indexes[place] = files / f'{name}.faiss'
                index_gallery(files / name, indexes[place])
    adapter = AdapterFiles(files / 'a.safetensors', None if upgraded is None else files / upgraded, indexes[1])
    found = search_gallery(files / 'old', files / 'queries', k=7, adapter=adapter, index=indexes[0])
    assert (found.ids, found.labels, found.query_labels) == (wanted.ids, wanted.labels, [0, 1, 2, 3, 0])
    np.testing.assert_allclose(found.distances, wanted.distances, atol=1e-4)
    part = set() if upgraded is None else set(Gallery(files / upgraded).column('id').tolist())
    assert found.upgraded == [[name in part for name in line] for line in found.ids]


def test_labels_that_only_one_of_the_two_has(files):
    adapter = AdapterFiles(files / 'a.safetensors', files / 'unlabelled')
    found = search_gallery(files / 'old', files / 'queries', adapter=adapter)
    assert found.labels is None and 'label' not in found.table()


def test_labels_are_numbered_as_in_the_gallery(files, tmp_path):
    """Vectors of another program: those of three classes, which would number themselves from 0, are upgraded."""
    names = np.array(['ant', 'bee', 'cat', 'dog'])
    for store, rows in (('old', np.arange(80)), ('new', np.flatnonzero(LABELS))):
        (tmp_path / f'{store}_files').mkdir()
        gallery = Gallery(files / store)
        for name, values in (('x', gallery.column('embedding')), ('x.ids', gallery.column('id'))):
            np.save(tmp_path / f'{store}_files/{name}.npy', values[rows])
        np.save(tmp_path / f'{store}_files/x.labels.npy', names[LABELS[rows]])
    old, new = (Gallery(files / store).column('embedding').astype(np.float64) for store in ('old', 'new'))
    models = [ModelIdentity.named(name) for name in ('new', 'old')]
    adapter = write_map(tmp_path / 'named.safetensors', np.linalg.lstsq(new, old, rcond=None)[0], *models)
    paths = [tmp_path / f'{store}_files/x.npy' for store in ('old', 'new')]
    options = SourceOptions(model='new', distance='l2')
    given = AdapterFiles(adapter, paths[1], gallery_model='old')
    found = search_gallery(*paths, k=80, adapter=given, options=options)
    classes = dict(zip(Gallery(files / 'new').column('id').tolist(), names[LABELS].tolist(), strict=True))
    assert [found.class_of(label) for label in found.labels[0]] == [classes[name] for name in found.ids[0]]
    assert [name for name, direct in zip(found.ids[0], found.upgraded[0], strict=True) if not direct] == [
        name for name in found.ids[0] if classes[name] == 'ant'
    ]
    with pytest.raises(ValueError, match='name it with `--model NAME`'):
        search_gallery(*paths, adapter=AdapterFiles(adapter, paths[1]), options=options)


def test_models_and_options_that_do_not_fit(files, make_gallery):
    adapter = AdapterFiles(files / 'a.safetensors', files / 'part')
    with pytest.raises(ValueError, match='queries must be those that the adapter maps, of new .* own model of the ga'):
        search_gallery(files / 'old', files / 'old', adapter=adapter)
    other = make_gallery('other', 'other', np.eye(6))
    with pytest.raises(ValueError, match=r'of new \(\w+\), got queries of other \(\w+\)$'):
        search_gallery(files / 'old', other, adapter=adapter)
    with pytest.raises(ValueError, match='an adapter must map queries into the space of the gallery, new'):
        search_gallery(files / 'new', files / 'queries', adapter=adapter)
    cosine = make_gallery('cosine', 'new', np.eye(6), distance='cosine')
    with pytest.raises(ValueError, match="same `distance`, got 'cosine' and 'l2'"):
        search_gallery(files / 'old', cosine, adapter=adapter)
    with pytest.raises(ValueError, match="`upgraded_index` needs the upgraded items, `upgraded`, got 'i' alone"):
        AdapterFiles('a', None, 'i')
    with pytest.raises(FileNotFoundError, match='transform .* does not exist'):
        search_gallery(files / 'old', files / 'queries', adapter=AdapterFiles(files / 'no'))


def test_command_line(files, run_tool, capsys):
    words = [files / 'old', '--query', files / 'queries', '--k', '3']
    adapter = ['--adapter', files / 'a.safetensors']
    assert run_tool('search_gallery.py', *words, *adapter, '--upgraded', files / 'part', '--out', files / 'out') == 0
    said = capsys.readouterr().out
    assert '60 of 80 items are upgraded and searched directly in' in said
    assert '| upgraded item |' in said and '|       adapter |' in said
    entries = json.loads((files / 'out/neighbours.json').read_text())
    assert [len(entry['upgraded']) for entry in entries] == [3] * 5
    assert run_tool('search_gallery.py', *words, *adapter) == 0
    assert '80 items are searched by queries that' in capsys.readouterr().out
    assert run_tool('search_gallery.py', *words, '--upgraded', files / 'part') == 2
    assert 'need --adapter' in capsys.readouterr().err
    assert run_tool('search_gallery.py', *words) == 2
    assert 'got queries of new' in capsys.readouterr().err


@pytest.mark.parametrize('kind', ['lancedb', 'qdrant'])
def test_an_upgrade_that_is_under_way(files, kind, monkeypatch, capsys):
    """What an interrupted upgrade has written into a database is searched directly, the rest by the adapter."""
    pytest.importorskip('lancedb')
    pytest.importorskip('qdrant_client')
    old, new = (Gallery(files / name).column('embedding').astype(np.float64) for name in ('old', 'new'))
    matrix = np.linalg.lstsq(old, new, rcond=None)[0]
    h = str(write_map(files / 'h.safetensors', matrix, identity('old'), identity('new'), 'gallery'))
    store, written = f'{kind}:{files}/database/items', 0

    def interrupted(chain, source, start, stop):
        nonlocal written
        written += stop - start
        if written > 60:
            raise OSError('the power is gone')
        return compute_columns(chain, source, start, stop)

    monkeypatch.setattr('mmfct.apis.upgrade_gallery.into_store.compute_columns', interrupted)
    monkeypatch.setattr('mmfct.apis.upgrade_gallery.into_store._MAX_ROWS', 10)
    with pytest.raises(OSError, match='the power is gone'):
        upgrade_into_store(str(files / 'old'), [h], store, batch_size=10)
    wanted = search_gallery(files / 'new', files / 'queries', k=7)
    adapter = AdapterFiles(files / 'a.safetensors', store)
    found = search_gallery(files / 'old', files / 'queries', k=7, adapter=adapter)
    assert found.ids == wanted.ids and found.labels == wanted.labels
    so_far = open_source(store, options=SourceOptions(skip_missing=True, unfinished=True))
    part = set(so_far.column('id').tolist())
    assert 50 <= len(part) < 80
    assert found.upgraded == [[name in part for name in line] for line in found.ids]
    said = capsys.readouterr().out
    assert (
        f'{len(part)} of 80 items are upgraded' in said
        and 'has not finished; what it has written so far is read' in said
    )
    with pytest.raises(ValueError, match='must be complete, got vectors of an upgrade'):
        search_gallery(store, files / 'queries')


def test_images_of_a_newer_model(digits, tmp_path):
    photos, rng = tmp_path / 'photos', np.random.default_rng(0)
    photos.mkdir()
    for number in range(60):
        cv2.imwrite(str(photos / f'{number}.png'), rng.integers(0, 255, (16, 16), dtype=np.uint8))
    pipeline = [dict(type='LoadImageFromFile', color_type='grayscale'), dict(type='PackInputs')]
    options = dict(cfg_options=digits.cfg_options | dict(folder_pipeline=pipeline))
    paths = {role: str(digits.root / f'resnet10_digits_{role}/final.pth') for role in ('old', 'new')}
    for role, path in paths.items():
        extract_gallery(digits.config, path, tmp_path / role, role=role, images=str(photos), **options)
    galleries = {role: Gallery(tmp_path / role) for role in paths}
    models = {role: Provenance.from_metadata(one.metadata).embedding for role, one in galleries.items()}
    rows = [galleries[role].column('embedding') for role in ('new', 'old')]
    solved = np.linalg.lstsq(rows[0].astype(np.float64), rows[1].astype(np.float64), rcond=None)[0]
    adapter = write_map(tmp_path / 'a.safetensors', solved, models['new'], models['old'])
    images = [str(photos / name) for name in ('4.png', '33.png')]
    given = AdapterFiles(adapter, tmp_path / 'new')
    found = search_images(tmp_path / 'old', images, digits.config, paths['new'], adapter=given, **options)
    assert [ids[0] for ids in found.ids] == ['4.png', '33.png'] and all(map(all, found.upgraded))
    alone = search_images(
        tmp_path / 'old', images, digits.config, paths['new'], adapter=AdapterFiles(adapter), **options
    )
    assert len(alone.ids[0]) == 5 and not any(map(any, alone.upgraded))
    with pytest.raises(ValueError, match='queries must be those that the adapter maps, of resnet10_digits_new'):
        search_images(tmp_path / 'old', images, digits.config, paths['old'], role='old', adapter=given, **options)
