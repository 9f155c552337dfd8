"""Tests of making galleries from images, and of exporting h, on the tiny life cycle of the digits."""

from __future__ import annotations

import errno
import json
import shutil

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmfct.apis.evaluate_compatibility import evaluate_compatibility
from mmfct.apis.export_torchscript import export_torchscript
from mmfct.apis.export_transform import export_transform
from mmfct.apis.extract_gallery import extract_gallery
from mmfct.apis.extract_gallery.encoder import load_encoder
from mmfct.apis.extract_gallery.file_names import folder_label
from mmfct.apis.extract_gallery.images import GalleryImages
from mmfct.apis.mix_galleries import mix_galleries
from mmfct.apis.search_gallery import search_gallery
from mmfct.apis.training.config import load_config
from mmfct.apis.upgrade_gallery import upgrade_gallery
from mmfct.datasets import CutMixImages
from mmfct.functional import retrieval_metrics
from mmfct.retrieval import Gallery, GalleryWriter, is_complete
from mmfct.retrieval.gallery.provenance import Provenance, check_same_model

FOLDER_PIPELINE = [dict(type='LoadImageFromFile', color_type='grayscale'), dict(type='PackInputs')]


@pytest.fixture(scope='module')
def galleries(digits, tmp_path_factory):
    """Galleries of the old model, with side-information, and of the new one, and the exported transform."""
    folder = tmp_path_factory.mktemp('galleries')
    options = dict(cfg_options=digits.cfg_options, shard_rows=200)
    for role in ('old', 'new'):
        checkpoint = str(digits.root / f'resnet10_digits_{role}/final.pth')
        extract_gallery(digits.config, checkpoint, str(folder / role), role=role, **options)
    checkpoint = str(digits.root / 'resnet10_digits/final.pth')
    export_transform(digits.config, checkpoint, str(folder / 'h'), cfg_options=digits.cfg_options)
    return folder


def test_embeddings_are_those_of_the_evaluation(digits, galleries):
    table = Gallery(digits.root / 'resnet10_digits/embeddings_test')
    old, new = Gallery(galleries / 'old'), Gallery(galleries / 'new')
    for gallery, column, role in ((old, 'embedding', 'old'), (old, 'side_info', 'side'), (new, 'embedding', 'new')):
        np.testing.assert_allclose(gallery.column(column), table.column(role), rtol=1e-4, atol=1e-5)
    assert np.array_equal(old.column('label'), table.column('label'))
    assert len(old.shards) > 1 and set(new.columns) == {'embedding', 'id', 'label'}


def test_the_upgraded_gallery_scores_what_training_reported(digits, galleries, tmp_path):
    upgraded = upgrade_gallery(str(galleries / 'old'), [str(galleries / 'h')], str(tmp_path / 'upgraded'))
    new = Gallery(galleries / 'new')
    check_same_model(Provenance.from_metadata(new.metadata).embedding, Provenance.from_metadata(upgraded.metadata))
    query, gallery, labels = (
        torch.from_numpy(np.array(column))
        for column in (new.column('embedding'), upgraded.column('embedding'), new.column('label'))
    )
    ids = torch.arange(len(labels))
    scores = retrieval_metrics(query, gallery, labels, labels, query_ids=ids, gallery_ids=ids)
    assert scores['map'] == pytest.approx(digits.metrics['compatibility/new/upgraded_map'], abs=1e-4)
    assert scores['cmc1'] == pytest.approx(digits.metrics['compatibility/new/upgraded_cmc1'], abs=2e-3)


def test_the_exported_file_says_what_was_measured(digits, galleries):
    from mmfct.retrieval.transform.file import read_transform

    description = read_transform(galleries / 'h')[0]
    old = Provenance.from_metadata(Gallery(galleries / 'old').metadata)
    assert (description.old, description.side) == (old.embedding, old.side_info)
    assert (description.old.name, description.new.name) == ('resnet10_digits_old', 'resnet10_digits_new')
    assert description.quality['compatibility/new/upgraded_map'] == digits.metrics['compatibility/new/upgraded_map']
    assert description.training['config'] == 'resnet10_digits.py' and description.backfill_seconds > 0


def test_a_checkpoint_saved_again_keeps_its_identity(digits, tmp_path):
    init_default_scope('mmpretrain')
    config = load_config(digits.config)
    path = digits.root / 'resnet10_digits_new/final.pth'
    torch.save(dict(state_dict=torch.load(path, weights_only=True)['state_dict']), tmp_path / 'renamed.pth')
    first, second = (load_encoder(config, str(file), role='new') for file in (path, tmp_path / 'renamed.pth'))
    assert first.embedding.fingerprint == second.embedding.fingerprint and second.embedding.name == 'renamed'


@pytest.fixture
def folder(tmp_path):
    """Five pictures in two folders."""
    rng = np.random.default_rng(0)
    for number in range(5):
        path = tmp_path / 'photos' / 'ab'[number % 2] / f'{number}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), rng.integers(0, 255, (16, 16), dtype=np.uint8))
    return tmp_path / 'photos'


@pytest.fixture
def folder_options(digits) -> dict:
    return dict(cfg_options=digits.cfg_options | dict(folder_pipeline=FOLDER_PIPELINE))


def test_a_folder_of_images(digits, folder, folder_options, tmp_path):
    checkpoint = str(digits.root / 'resnet10_digits_old/final.pth')
    out = str(tmp_path / 'out')
    gallery = extract_gallery(digits.config, checkpoint, out, images=str(folder), **folder_options)
    assert gallery.column('id').tolist() == ['a/0.png', 'a/2.png', 'a/4.png', 'b/1.png', 'b/3.png']
    assert set(gallery.columns) == {'embedding', 'side_info', 'id'}
    plain = extract_gallery(
        digits.config, checkpoint, str(tmp_path / 'plain'), images=str(folder), with_side=False, **folder_options
    )
    assert set(plain.columns) == {'embedding', 'id'}
    assert np.array_equal(plain.column('embedding'), gallery.column('embedding'))


def test_an_unreadable_image_is_named(digits, folder, folder_options, tmp_path):
    (folder / 'b/3.png').write_bytes(b'no picture')
    checkpoint = str(digits.root / 'resnet10_digits_old/final.pth')
    with pytest.raises(ValueError, match="image 'b/3.png' cannot be read"):
        extract_gallery(digits.config, checkpoint, str(tmp_path / 'out'), images=str(folder), **folder_options)
    with pytest.raises(ValueError, match='must be a complete gallery'):
        Gallery(tmp_path / 'out')


def test_distance_and_another_model_of_the_side_information(digits, folder, folder_options, tmp_path):
    old, new = (str(digits.root / f'resnet10_digits_{role}/final.pth') for role in ('old', 'new'))
    gallery = extract_gallery(
        digits.config,
        old,
        str(tmp_path / 'out'),
        images=str(folder),
        side_checkpoint=new,
        distance='cosine',
        batch_size=2,
        device='cpu',
        **folder_options,
    )
    provenance = Provenance.from_metadata(gallery.metadata)
    assert (provenance.side_info.name, provenance.distance) == ('resnet10_digits_new', 'cosine')
    other = extract_gallery(
        digits.config, new, str(tmp_path / 'new'), images=str(folder), role='new', **folder_options
    )
    np.testing.assert_allclose(gallery.column('side_info'), other.column('embedding'), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="`distance` must be one of .*, got 'l1'"):
        extract_gallery(digits.config, old, str(tmp_path / 'l1'), distance='l1')


@pytest.mark.parametrize('workers', [0, 1])
def test_a_truncated_image_is_named(digits, folder, folder_options, tmp_path, workers):
    file = folder / 'b/3.png'
    file.write_bytes(file.read_bytes()[:-60])
    checkpoint, options = (
        str(digits.root / 'resnet10_digits_old/final.pth'),
        folder_options | dict(num_workers=workers),
    )
    with pytest.raises(ValueError, match="image 'b/3.png' cannot be read: .*truncated"):
        extract_gallery(digits.config, checkpoint, str(tmp_path / 'out'), images=str(folder), **options)


def test_other_images_do_not_continue_a_gallery(digits, folder, folder_options, tmp_path):
    checkpoint = str(digits.root / 'resnet10_digits_old/final.pth')
    for name, match in (('a/0.png', None), ('c.png', 'another .*metadata.images')):
        cv2.imwrite(str(folder / name), np.zeros((16, 16), np.uint8))
        call = (digits.config, checkpoint, str(tmp_path / 'out'))
        if match is None:
            extract_gallery(*call, images=str(folder), **folder_options)
        else:
            with pytest.raises(ValueError, match=match):
                extract_gallery(*call, images=str(folder), **folder_options)


@pytest.mark.parametrize('changed', ['data_preprocessor', 'pipeline'])
def test_other_preprocessing_does_not_continue_a_gallery(digits, folder, folder_options, tmp_path, changed):
    # The weights, by which a model is known, say nothing of it.
    call = (digits.config, str(digits.root / 'resnet10_digits_old/final.pth'), str(tmp_path / 'out'))
    extract_gallery(*call, images=str(folder), **folder_options)
    options = dict(folder_options['cfg_options'])
    if changed == 'data_preprocessor':
        options['model.encoders.old.data_preprocessor.std'] = [10.0]
    else:
        options['folder_pipeline'] = [FOLDER_PIPELINE[0], dict(type='Resize', scale=16), FOLDER_PIPELINE[1]]
    entry = dict(data_preprocessor='preprocessing', pipeline='images')[changed]
    with pytest.raises(ValueError, match=f'another .*metadata.{entry}'):
        extract_gallery(*call, images=str(folder), **dict(folder_options, cfg_options=options))


def test_what_cannot_be_extracted(digits, folder, tmp_path):
    checkpoint, out = str(digits.root / 'resnet10_digits_new/final.pth'), str(tmp_path / 'out')
    options = dict(cfg_options=digits.cfg_options)
    with pytest.raises(ValueError, match="`role` must be 'old' or 'new', one of the config's encoders, got 'side'"):
        extract_gallery(digits.config, checkpoint, out, role='side', **options)
    with pytest.raises(ValueError, match='`side_checkpoint` needs side-information in the config'):
        extract_gallery(digits.config, checkpoint, out, role='new', side_checkpoint=checkpoint, **options)
    with pytest.raises(
        ValueError, match="`split` must be 'train', 'val' or 'test', a loader of the config, got 'val'"
    ):
        extract_gallery(digits.config, checkpoint, out, split='val', **options)
    with pytest.raises(ValueError, match='must say how to load image files: a `folder_pipeline`'):
        extract_gallery(digits.config, checkpoint, out, images=str(folder), **options)
    new = digits.config.replace('digits.py', 'digits_new.py')
    with pytest.raises(ValueError, match="`split` must not be 'train' where the config has no pipeline of a test"):
        extract_gallery(new, checkpoint, out, split='train', **options)
    with pytest.raises(ValueError, match='must be the config of a transformation with `model.encoders`'):
        export_transform(new, checkpoint, out, **options)
    with pytest.raises(ValueError, match='must be the config of a transformation or of a model with a backbone'):
        load_encoder(Config(dict(model=dict(type='X'))), checkpoint)
    twice = dict(type='mmengine.RepeatDataset', times=2, dataset=dict(type='mmfct.Digits'))
    with pytest.raises(ValueError, match=r"must have a name of its own, got 'digits/\d+' 2 times"):
        GalleryImages(Config(dict(test_dataloader=dict(dataset=twice))))
    empty = Config(dict(test_dataloader=dict(dataset=dict(type='mmfct.Digits', indices=[], serialize_data=False))))
    with pytest.raises(ValueError, match="the data set of `split` 'test' must hold images, got none"):
        GalleryImages(empty)


def test_a_plain_classifier(digits, tmp_path):
    """Any config of mmpretrain with a test set; its training images go through the pipeline of the test."""
    config = Config.fromfile(digits.config.replace('digits.py', 'digits_new.py'))
    config.test_dataloader = dict(dataset=dict(config.test_set, pipeline=config.test_pipeline))
    config.data_preprocessor = config.model.pop('data_preprocessor')  # as mmpretrain's own configs say it
    del config.data_preprocessor['type']
    config.dump(str(tmp_path / 'classifier.py'))
    checkpoint = str(digits.root / 'resnet10_digits_new/final.pth')
    gallery = extract_gallery(str(tmp_path / 'classifier.py'), checkpoint, str(tmp_path / 'out'), split='train')
    assert len(gallery) == len(gallery.column('label')) > 1000 and gallery.width('embedding') == 128


def test_manifests_are_plain_json(galleries):
    manifest = json.loads((galleries / 'old/manifest.json').read_text())
    assert manifest['metadata']['embedding_model']['name'] == 'resnet10_digits_old'


def test_a_transform_of_other_encoders_than_today_is_not_exported(digits, tmp_path):
    root = tmp_path / 'root'
    shutil.copytree(digits.root, root)
    options = digits.cfg_options | dict(work_root=str(root))
    checkpoint = str(root / 'resnet10_digits/final.pth')
    export_transform(digits.config, checkpoint, str(tmp_path / 'h'), cfg_options=options)  # only the folder has moved
    retrained = torch.load(root / 'resnet10_digits_new/final.pth', weights_only=True)
    retrained['state_dict']['backbone.conv1.weight'] += 0.1
    torch.save(retrained, root / 'resnet10_digits_new/final.pth')
    with pytest.raises(ValueError, match='was trained with other weights than .*digits_new/final.pth. holds now'):
        export_transform(digits.config, checkpoint, str(tmp_path / 'again'), cfg_options=options)
    with pytest.raises(ValueError, match='was trained with other weights'):
        export_torchscript(digits.config, checkpoint, str(tmp_path / 'h.pt'), with_encoders=True, cfg_options=options)


def test_what_was_measured_of_other_weights_is_not_noted(digits, tmp_path):
    other = tmp_path / 'best_x.pth'
    shutil.copy(digits.root / 'resnet10_digits/final.pth', other)
    (tmp_path / 'compatibility.json').write_text('{"a": 1}')
    assert not export_transform(digits.config, str(other), str(tmp_path / 'h'), cfg_options=digits.cfg_options).quality
    (tmp_path / 'test_best_x').mkdir()
    (tmp_path / 'test_best_x/compatibility.json').write_text('{"a": 2}')
    description = export_transform(digits.config, str(other), str(tmp_path / 'i'), cfg_options=digits.cfg_options)
    assert description.quality == dict(a=2)


def test_without_test_images_nothing_is_timed(digits, tmp_path):
    options = digits.cfg_options | dict(test_dataloader=None, test_evaluator=None, test_cfg=None)
    checkpoint = str(digits.root / 'resnet10_digits/final.pth')
    assert (
        export_transform(digits.config, checkpoint, str(tmp_path / 'h'), cfg_options=options).backfill_seconds is None
    )


def test_names_do_not_depend_on_how_the_folder_is_written(digits, folder, folder_options, tmp_path, monkeypatch):
    checkpoint = str(digits.root / 'resnet10_digits_old/final.pth')
    monkeypatch.chdir(tmp_path)
    gallery = extract_gallery(digits.config, checkpoint, 'out', images='photos', **folder_options)
    assert gallery.column('id').tolist() == ['a/0.png', 'a/2.png', 'a/4.png', 'b/1.png', 'b/3.png']


def test_images_without_files_are_named_after_their_split(digits, galleries, monkeypatch):
    config = load_config(digits.config, digits.cfg_options)
    for loader in (config.train_dataloader, config.test_dataloader):
        loader.dataset.dataset = dict(type='mmfct.CutMixImages', dataset=loader.dataset.dataset)
    monkeypatch.setattr(CutMixImages, 'get_data_info', lambda self, index: dict(sample_idx=index, gt_label=0))
    init_default_scope('mmpretrain')
    names = {split: GalleryImages(config, split=split).ids.tolist() for split in ('train', 'test')}
    assert names['test'][:2] == ['test/0', 'test/1'] and not set(names['train']) & set(names['test'])


def test_replaced_images_do_not_continue_a_gallery(digits, folder, folder_options, tmp_path):
    call = (digits.config, str(digits.root / 'resnet10_digits_old/final.pth'), str(tmp_path / 'out'))
    extract_gallery(*call, images=str(folder), **folder_options)
    cv2.imwrite(str(folder / 'a/0.png'), np.zeros((16, 16), np.uint8))
    with pytest.raises(ValueError, match='another .*metadata.images'):
        extract_gallery(*call, images=str(folder), **folder_options)


@pytest.mark.parametrize('forgotten', ['image_size', 'normalisation', 'transforms'])
def test_a_gallery_of_images_that_were_preprocessed_otherwise_is_refused(digits, galleries, tmp_path, forgotten):
    other = dict(
        image_size=dict(image_size=16),
        normalisation={f'model.encoders.{role}.data_preprocessor.std': [50.0] for role in ('old', 'new')},
        transforms={
            'test_dataloader.dataset.dataset.pipeline': [
                dict(type='Resize', scale=8, keep_ratio=True),
                dict(type='PackInputs'),
            ]
        },
    )[forgotten]
    name = dict(image_size='data_set_size', normalisation='normalization', transforms='transforms')[forgotten]
    for role in ('old', 'new'):
        checkpoint = str(digits.root / f'resnet10_digits_{role}/final.pth')
        options = digits.cfg_options | other
        extract_gallery(digits.config, checkpoint, str(tmp_path / role), role=role, cfg_options=options)
    with pytest.raises(ValueError, match=f'transform .*h of resnet10_digits_old .* got `{name}`'):
        upgrade_gallery(str(tmp_path / 'old'), [str(galleries / 'h')], str(tmp_path / 'upgraded'))
    upgraded = upgrade_gallery(str(galleries / 'old'), [str(galleries / 'h')], str(tmp_path / 'upgraded')).path
    with pytest.raises(ValueError, match=f'queries and gallery of resnet10_digits_new .* got `{name}`'):
        search_gallery(upgraded, tmp_path / 'new')
    with pytest.raises(ValueError, match=f"queries 'new' and gallery 'upgraded' of .* got `{name}`"):
        evaluate_compatibility(dict(new=tmp_path / 'new'), dict(upgraded=upgraded), tmp_path / 'report')
    with pytest.raises(ValueError, match=f'recomputed embeddings and gallery of .* got `{name}`'):
        mix_galleries(upgraded, tmp_path / 'new', tmp_path / 'mixed')


def test_files_and_data_set_of_one_config_are_one_preprocessing(digits, galleries, folder, folder_options, tmp_path):
    pipeline = [FOLDER_PIPELINE[0], dict(type='Resize', scale=8), FOLDER_PIPELINE[1]]
    options = folder_options['cfg_options'] | dict(folder_pipeline=pipeline)
    checkpoint = str(digits.root / 'resnet10_digits_old/final.pth')
    gallery = extract_gallery(
        digits.config, checkpoint, str(tmp_path / 'files'), images=str(folder), cfg_options=options
    )
    made_by, wanted = (Provenance.from_metadata(g.metadata) for g in (gallery, Gallery(galleries / 'old')))
    assert made_by.embedding.preprocessing['input'] == [1, 8, 8]
    check_same_model(made_by.embedding, wanted)
    assert upgrade_gallery(str(gallery.path), [str(galleries / 'h')], str(tmp_path / 'upgraded')).columns


def test_the_classifiers_own_config_is_the_same_preprocessing(digits, galleries, tmp_path):
    config = digits.config.replace('digits.py', 'digits_old.py')
    options = {key: digits.cfg_options[key] for key in ('image_size', 'work_root')}
    options |= dict(
        test_dataloader=dict(
            batch_size=8,
            num_workers=0,
            sampler=dict(type='DefaultSampler'),
            dataset=load_config(digits.config, digits.cfg_options).test_dataloader.dataset.dataset.to_dict(),
        )
    )
    checkpoint = str(digits.root / 'resnet10_digits_old/final.pth')
    gallery = extract_gallery(config, checkpoint, str(tmp_path / 'out'), cfg_options=options)
    ours, theirs = (Provenance.from_metadata(g.metadata).embedding for g in (gallery, Gallery(galleries / 'old')))
    assert ours == theirs and ours.preprocessing['normalization'] == [dict(mean=[78.0], std=[96.0])]


def test_labels_come_from_folders(digits, folder, folder_options, tmp_path):
    cv2.imwrite(str(folder / 'loose.png'), np.zeros((16, 16), np.uint8))
    call = (digits.config, str(digits.root / 'resnet10_digits_old/final.pth'))
    options = dict(labels_from_folders=True, **folder_options)
    gallery = extract_gallery(*call, str(tmp_path / 'out'), images=str(folder), **options)
    a, b = folder_label('a'), folder_label('b')
    assert gallery.column('label').tolist() == [a, a, a, b, b, -1]
    assert gallery.metadata['label_names'] == {str(a): 'a', str(b): 'b'}
    shutil.rmtree(folder / 'a')
    (folder / 'loose.png').unlink()
    fewer = extract_gallery(*call, str(tmp_path / 'fewer'), images=str(folder), **options)
    assert fewer.column('label').tolist() == [b, b]  # whatever other classes there are
    evaluation = evaluate_compatibility(dict(q=gallery.path), dict(g=gallery.path), tmp_path / 'report')
    assert evaluation.scores  # the unknown one is no class
    with pytest.raises(ValueError, match='`labels_from_folders` needs `images`, a folder'):
        extract_gallery(*call, str(tmp_path / 'o'), labels_from_folders=True, cfg_options=digits.cfg_options)


@pytest.mark.parametrize('workers', [0, 1])
def test_broken_images_are_skipped_and_listed_if_that_is_wanted(digits, folder, folder_options, tmp_path, workers):
    (folder / 'a/0.png').write_bytes(b'no picture')
    whole = (folder / 'b/3.png').read_bytes()
    (folder / 'b/3.png').write_bytes(whole[:-60])
    (folder / 'empty.png').touch()
    broken_name = 'caf\udce9.png'
    (folder / broken_name).write_bytes(whole)
    call = (digits.config, str(digits.root / 'resnet10_digits_old/final.pth'))
    options = dict(images=str(folder), batch_size=1, shard_rows=2, num_workers=workers, **folder_options)
    gallery = extract_gallery(*call, str(tmp_path / 'out'), skip_broken=True, labels_from_folders=True, **options)
    assert gallery.column('id').tolist() == ['a/2.png', 'a/4.png', 'b/1.png'] and gallery.metadata['skipped'] == 4
    listed = json.loads((tmp_path / 'out/skipped.json').read_text())
    assert [entry['id'] for entry in listed] == ['a/0.png', 'b/3.png', broken_name, 'empty.png']
    assert 'truncated' in listed[1]['error'] and 'valid Unicode' in listed[2]['error']
    assert sorted(path.name for path in tmp_path.iterdir()) == ['out', 'photos']
    before = files_of(tmp_path / 'out')
    extract_gallery(*call, str(tmp_path / 'out'), skip_broken=True, labels_from_folders=True, **options)
    assert files_of(tmp_path / 'out') == before
    for path in (folder / 'a/0.png', folder / 'b/3.png', folder / 'empty.png', folder / broken_name):
        path.unlink()
    plain = extract_gallery(*call, str(tmp_path / 'plain'), **options)
    np.testing.assert_allclose(plain.column('embedding'), gallery.column('embedding'), rtol=1e-4, atol=1e-5)


def files_of(path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


def test_an_interrupted_job_that_skips_goes_on(digits, folder, folder_options, tmp_path, monkeypatch):
    (folder / 'a/2.png').write_bytes(b'no picture')
    call = (digits.config, str(digits.root / 'resnet10_digits_old/final.pth'))
    options = dict(images=str(folder), shard_rows=1, skip_broken=True, **folder_options)
    extract_gallery(*call, str(tmp_path / 'whole'), **options)
    write, stops = GalleryWriter.write_shard, iter([3, 4, 100])
    while (stop := next(stops)) < 100:
        written: list[int] = []

        def killed(self, index, arrays, written=written, stop=stop):
            if len(written) == stop:
                raise KeyboardInterrupt
            written.append(index)
            write(self, index, arrays)

        monkeypatch.setattr(GalleryWriter, 'write_shard', killed)
        with pytest.raises(KeyboardInterrupt):
            extract_gallery(*call, str(tmp_path / 'out'), **options)
        assert not is_complete(tmp_path / 'out')
    monkeypatch.undo()
    extract_gallery(*call, str(tmp_path / 'out'), **options)
    assert files_of(tmp_path / 'out') == files_of(tmp_path / 'whole')
    assert not (tmp_path / 'out.with_broken').exists()


def test_skipping_does_not_hide_other_faults(digits, folder, folder_options, tmp_path, monkeypatch):
    call = (digits.config, str(digits.root / 'resnet10_digits_old/final.pth'), str(tmp_path / 'out'))
    options = dict(images=str(folder), skip_broken=True, **folder_options)
    check = 'mmfct.apis.extract_gallery.images.check_whole_image'
    for error in (OSError(errno.EIO, 'Input/output error'), MemoryError()):  # of the disk, not of an image
        with monkeypatch.context() as patch:
            patch.setattr(check, lambda path, error=error: (_ for _ in ()).throw(error))
            with pytest.raises(ValueError, match=r"image 'a/0.png' cannot be read: [^;]*$"):
                extract_gallery(*call, **options)
    for path in folder.rglob('*.png'):
        path.write_bytes(b'no picture')
    with pytest.raises(ValueError, match='an image must be readable, got 5 that are not'):
        extract_gallery(*call, **options)
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out/mine').touch()
    cv2.imwrite(str(folder / 'a/0.png'), np.zeros((16, 16), np.uint8))
    with pytest.raises(ValueError, match='`out` must be a new folder, .* with other files'):
        extract_gallery(*call, **options)
    other = (*call[:2], str(tmp_path / 'other'))
    extract_gallery(*other, **options)
    cv2.imwrite(str(folder / 'a/2.png'), np.zeros((16, 16), np.uint8))
    with pytest.raises(ValueError, match='that the same command has begun, .* another metadata.images; give'):
        extract_gallery(*other, **options)
    with pytest.raises(ValueError, match='a new folder'):
        extract_gallery(*call, **dict(options, skip_broken=True))


def test_a_name_that_is_no_text_is_refused_before_anything_is_computed(digits, folder, folder_options, tmp_path):
    shutil.copy(folder / 'a/0.png', folder / 'caf\udce9.png')
    call = (digits.config, str(digits.root / 'resnet10_digits_old/final.pth'), str(tmp_path / 'out'))
    with pytest.raises(ValueError, match=r"must be valid Unicode, got 'caf\\udce9.png'; rename .*`--skip-broken`"):
        extract_gallery(*call, images=str(folder), **folder_options)
    assert not (tmp_path / 'out').exists()
