"""Finding wrong labels, from the checkpoint to the files."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib import image
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner
from torch.nn import functional as F

from mmfct.apis.find_corrupt_labels import find_corrupt_labels
from mmfct.apis.find_corrupt_labels.data import TrainingInstances
from mmfct.apis.find_corrupt_labels.model import Judgement, build_model, judge_labels
from mmfct.apis.training.config import load_config
from mmfct.utils.checkpoint import load_checkpoint

CONFIGS = Path(__file__).parents[3] / 'configs'


def rows_of(path: Path) -> list[dict]:
    with path.open(newline='') as file:
        return list(csv.DictReader(file))


@pytest.fixture
def changed(street, tmp_path):
    """Function that writes the checkpoint with another table, or with none."""

    def changed(**changes) -> str:
        checkpoint = load_checkpoint(street.checkpoint)
        checkpoint['instance_task_weights'] = street.table | changes
        torch.save(checkpoint, tmp_path / 'changed.pth')
        return str(tmp_path / 'changed.pth')

    return changed


def judge_as_trained(street):
    """The losses of the network, and ranks as if it had learned its tasks: it has random weights."""

    def judge(*args, **options) -> Judgement:
        judgement = judge_labels(*args, **options)
        ranks = np.linspace(0, 0.05, 12)[:, None].repeat(2, axis=1)
        ranks[street.corrupted, 1] = 0.4, 0.5, 0.8  # enough for evidence among eleven
        return Judgement(judgement.losses, np.where(np.isnan(judgement.ranks), np.nan, ranks))

    return judge


@pytest.fixture(scope='module')
def found(street, tmp_path_factory) -> Path:
    """The folder that a run with all defaults has left."""
    folder = tmp_path_factory.mktemp('found')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('mmfct.apis.find_corrupt_labels.find.judge_labels', judge_as_trained(street))
        find_corrupt_labels(street.config, street.checkpoint, folder, device='cpu')
    return folder


def test_all_files_are_written_and_nothing_else(found):
    tasks = ('seg', 'depth')
    expected = {'fiftyone.csv', 'detection.json', 'detection.md'}
    expected |= {f'{kind}_{task}.csv' for kind in ('suspects', 'cleanlab') for task in tasks}
    expected |= {f'{kind}_{task}.png' for kind in ('suspects', 'detection') for task in tasks}
    assert {path.name for path in found.iterdir()} == expected


def test_labels_are_ordered_by_their_rank_and_have_the_learned_parameter(street, found):
    for column, task in enumerate(('seg', 'depth')):
        rows = rows_of(found / f'suspects_{task}.csv')
        without = {'seg': 2, 'depth': 4}[task]  # has no label of the task
        scores = {
            f'aachen_{i:02d}_leftImg8bit.png': street.table['deviation'][i, column] for i in range(12) if i != without
        }
        ranks = [float(row['rank']) for row in rows]
        assert ranks == sorted(ranks, reverse=True) and len(set(ranks)) == 11
        assert {row['file'] for row in rows} == set(scores)
        assert [float(row['score']) for row in rows] == pytest.approx([float(scores[row['file']]) for row in rows])
        probabilities = [float(row['probability']) for row in rows]
        assert probabilities == sorted(probabilities, reverse=True)
        assert {row['task'] for row in rows} == {task}


def test_weight_and_mean_loss_are_those_of_the_table(street, found):
    table = street.table
    for column, task in enumerate(('seg', 'depth')):
        for row in rows_of(found / f'suspects_{task}.csv'):
            i = int(row['file'][7:9])
            s = table['log_variance'][column] + table['deviation'][i, column]
            assert float(row['weight']) == pytest.approx(float(torch.exp(-table['exponent'][column] * s)), rel=1e-5)
            mean = table['loss_sum'][i, column] / table['visits'][i, column]
            assert float(row['mean_loss']) == pytest.approx(float(mean), rel=1e-5)


def test_final_loss_is_that_of_each_image_alone(street, found):
    config = load_config(street.config)
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(config.model)
        dataset = TrainingInstances.of(config).dataset
    model.load_state_dict(load_checkpoint(street.checkpoint)['state_dict'])
    model.eval()
    seg, depth = (
        {row['file']: float(row['final_loss']) for row in rows_of(found / f'suspects_{task}.csv')}
        for task in ('seg', 'depth')
    )
    for item in dataset:
        data = model.data_preprocessor(dict(inputs=[item['inputs']], data_samples=[item['data_samples']]))
        with torch.no_grad():
            outputs = model(data['inputs'])
        name = Path(item['data_samples'].img_path).name
        if name in seg:
            loss = F.cross_entropy(outputs['seg'], item['data_samples'].gt_sem_seg.data, ignore_index=255)
            assert seg[name] == pytest.approx(float(loss), rel=1e-4)
        if name in depth:
            target = item['data_samples'].gt_depth_map.data[None]
            assert depth[name] == pytest.approx(float((outputs['depth'] - target)[target > 0].abs().mean()), rel=1e-4)
    assert (len(seg), len(depth)) == (11, 11)


def test_corruption_of_the_data_set_is_known_and_found(street, found):
    rows = rows_of(found / 'suspects_depth.csv')
    assert {int(row['file'][7:9]) for row in rows if row['corrupted'] == '1'} == set(np.flatnonzero(street.corrupted))
    assert 'corrupted' not in rows_of(found / 'suspects_seg.csv')[0]
    detection = json.loads((found / 'detection.json').read_text())
    seg, depth = detection['seg'], detection['depth']
    assert seg.keys() == {'labels', 'share', 'interval', 'evidence', 'finding', 'flagged'}
    assert (seg['labels'], seg['share'], seg['flagged'], seg['evidence']) == (11, 0, 0, True)
    assert depth['corrupted'] == depth['flagged'] == street.corrupted.sum()
    assert depth['precision'] == depth['recall'] == 1
    assert depth['rankings']['rank'] == dict(auroc=1, ap=1, precision_at_rate=1)
    assert depth['rankings'].keys() == {'rank', 'score', 'final_loss', 'mean_loss'}
    assert depth['score_name'] == 'learned parameter'


def test_exports_have_a_row_per_label_and_per_image(street_root, found):
    cleanlab = rows_of(found / 'cleanlab_depth.csv')
    assert [int(row['index']) for row in cleanlab] == [i for i in range(12) if i != 4]
    suspects = {row['file']: row for row in rows_of(found / 'suspects_depth.csv')}
    for row in cleanlab:
        assert row['is_label_issue'] == str(suspects[row['file']]['corrupted'] == '1')
    fiftyone = rows_of(found / 'fiftyone.csv')
    folder = street_root / 'leftImg8bit/train/aachen'
    assert [row['filepath'] for row in fiftyone] == [str(path) for path in sorted(folder.iterdir())]
    assert (fiftyone[2]['seg_score'], fiftyone[4]['depth_score']) == ('', '')
    assert fiftyone[2]['depth_score'] == suspects['aachen_02_leftImg8bit.png']['score']


def test_pictures_are_not_blank(found):
    for task in ('seg', 'depth'):
        for kind in ('suspects', 'detection'):
            assert np.ptp(image.imread(found / f'{kind}_{task}.png')[..., :3]) > 0.5


def test_default_folder_is_beside_the_checkpoint_and_tasks_can_be_chosen(street, changed):
    checkpoint = changed()
    detection = find_corrupt_labels(street.config, checkpoint, tasks=['depth'], top=0, device='cpu')
    assert detection.keys() == {'depth'}
    folder = Path(checkpoint).parent / 'suspects'
    assert {path.name for path in folder.iterdir()} == {
        'suspects_depth.csv', 'cleanlab_depth.csv', 'fiftyone.csv', 'detection.json', 'detection.md',
        'detection_depth.png',
    }  # fmt: skip
    assert rows_of(folder / 'fiftyone.csv')[0].keys() & {'depth_score', 'seg_score'} == {'depth_score'}


def test_truth_from_a_file(street, tmp_path):
    (tmp_path / 'known.csv').write_text('file,task\naachen_00_leftImg8bit.png,seg\n')
    detection = find_corrupt_labels(
        street.config, street.checkpoint, tmp_path, corrupted=tmp_path / 'known.csv', top=0, device='cpu'
    )
    assert detection['seg']['corrupted'] == 1
    assert 'corrupted' not in detection['depth']


def test_table_without_losses(street, changed, tmp_path):
    table = {name: value for name, value in street.table.items() if name not in ('loss_sum', 'visits')}
    checkpoint = changed()
    content = torch.load(checkpoint) | dict(instance_task_weights=table)
    torch.save(content, checkpoint)
    detection = find_corrupt_labels(street.config, checkpoint, tmp_path, top=0, device='cpu')
    assert detection['depth']['rankings']['mean_loss'] is None
    assert rows_of(tmp_path / 'suspects_depth.csv')[0]['mean_loss'] == ''
    assert '| depth | mean loss | not tracked |' in re.sub(' +', ' ', (tmp_path / 'detection.md').read_text())


def test_checkpoint_of_a_real_training_of_a_repeated_data_set(street, tmp_path):
    config = Config.fromfile(street.config)
    repeated = dict(type='RepeatDataset', times=2, dataset=config.train_dataloader.dataset)
    options = {'train_dataloader.dataset': repeated, 'val_dataloader.batch_size': 1}
    config.merge_from_dict({'train_dataloader.dataset': dict(repeated, _delete_=True)})
    config.update(work_dir=str(tmp_path), train_cfg=dict(by_epoch=True, max_epochs=1), val_dataloader=None)
    config.optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01))
    Runner.from_cfg(config).train()
    options['train_dataloader.dataset']['_delete_'] = True
    find_corrupt_labels(street.config, str(tmp_path / 'epoch_1.pth'), cfg_options=options, top=2, device='cpu')
    rows = rows_of(tmp_path / 'suspects/suspects_depth.csv')
    assert len(rows) == 11
    assert sum(row['corrupted'] == '1' for row in rows) == street.corrupted.sum()
    assert all(float(row['mean_loss']) > 0 and float(row['score']) != 0 for row in rows)


def write_checkpoint(filename: str, options: dict, task: str, path: Path) -> str:
    """A checkpoint of a stock model with random weights; what was learned grows with the row."""
    config = load_config(filename, options)
    with DefaultScope.overwrite_default_scope(config.default_scope):
        model = MODELS.build(config.model)
        instances = TrainingInstances.of(config)
    count = len(instances.files)
    score = torch.arange(float(count))[:, None] / count
    if options.get('weighting') == 'itp':
        table = dict(contrast_sum=score, contrast_count=torch.ones(count, 1), weight=1 - score)
    else:
        table = dict(log_variance=torch.zeros(1), deviation=score)
    table |= dict(tasks=[task], fingerprint=instances.keys.fingerprint)
    torch.save(dict(state_dict=model.state_dict(), instance_task_weights=table), path)
    return str(path)


@pytest.mark.parametrize('weighting', ['itp', 'itp_gradient', 'data_parameters'])
def test_classifier_of_mmpretrain(weighting, tmp_path):
    filename = str(CONFIGS / 'itp/resnet10_digits_noisy.py')
    options = {'weighting': weighting, 'image_size': 8, 'train_dataloader.dataset.dataset.indices': 40}
    checkpoint = write_checkpoint(filename, options, 'label', tmp_path / 'classifier.pth')
    detection = find_corrupt_labels(filename, checkpoint, cfg_options=options, top=3, device='cpu')
    assert detection['label']['labels'] == 40
    assert detection['label']['corrupted'] == pytest.approx(16, abs=4)  # some get a label of their own class
    rows = rows_of(tmp_path / 'suspects/suspects_label.csv')
    assert all(np.isfinite(float(row['final_loss'])) and 0 <= float(row['rank']) <= 1 for row in rows)
    assert image.imread(tmp_path / 'suspects/suspects_label.png').shape[1] > 300


def stock_segmentor(street, tmp_path, task: str, **options) -> tuple[str, str]:
    """A config with a stock segmentor, and a checkpoint of it; ``options`` are merged into it."""
    text = Path(street.config).read_text()
    start, end = text.index('model = '), text.index('train_dataloader')
    loss = f"dict(type='mmfct.InstanceTaskWeightLoss', task={task!r}, loss=seg_loss)"
    head = f'dict(head, num_classes=7, loss_decode={loss})'
    model = (
        f"model = dict(type='EncoderDecoder', data_preprocessor=preprocessor, backbone=backbone, decode_head={head},\n"
    )
    model += "    test_cfg=dict(mode='whole'))\n"
    (tmp_path / 'stock.py').write_text(text[:start] + model + text[end:])
    config = Config.fromfile(tmp_path / 'stock.py')
    config.merge_from_dict(options)
    config.dump(tmp_path / 'changed.py')
    file = str(tmp_path / 'changed.py')
    return file, write_checkpoint(file, {}, task, tmp_path / 'segmentor.pth')


def test_segmentor_of_mmseg(street, tmp_path):
    file, checkpoint = stock_segmentor(street, tmp_path, 'labels')
    detection = find_corrupt_labels(file, checkpoint, top=2, device='cpu')
    assert detection.keys() == {'labels'} and detection['labels']['labels'] == 11
    assert 'corrupted' not in detection['labels']
    assert (tmp_path / 'suspects/suspects_labels.png').is_file()


def test_binary_segmentor_with_one_score(street, tmp_path):
    """Its predictions are floats, and its labels 0 and 1."""
    labels = {'label_ids': {7: 0, 11: 1, 23: 1}, 'num_classes': 2}
    options = {f'train_dataloader.dataset.dataset.{key}': value for key, value in labels.items()}
    options |= {f'val_dataloader.dataset.{key}': value for key, value in labels.items()}
    options |= {
        'model.decode_head.num_classes': 2,
        'model.decode_head.out_channels': 1,
        'model.decode_head.threshold': 0.5,
        'model.decode_head.loss_decode.loss.use_sigmoid': True,
    }
    file, checkpoint = stock_segmentor(street, tmp_path, 'labels', **options)
    detection = find_corrupt_labels(file, checkpoint, top=3, device='cpu')
    assert detection['labels']['labels'] == 11
    rows = rows_of(tmp_path / 'suspects/suspects_labels.csv')
    assert all(0.3 < float(row['final_loss']) < 2 for row in rows)  # about log 2, untrained
    assert image.imread(tmp_path / 'suspects/suspects_labels.png').std() > 0.05


@pytest.mark.parametrize('late', [False, True])
def test_padding_of_the_test_is_left_out_of_the_losses(street, tmp_path, late):
    """As the head sees it: scores of the padded image, without those of the padding."""
    divisor = 24  # of 16 x 32 pixels, or of 8 x 16 where the maps are loaded after the image was halved
    options: dict = {'model.data_preprocessor.test_cfg': dict(size_divisor=divisor)}
    if late:
        resize, load = dict(type='Resize', scale=(16, 8)), Config.fromfile(street.config).load
        pack = Config.fromfile(street.config).pack
        options['val_dataloader.dataset.pipeline'] = [load[0], resize, *load[1:], pack]
    file, checkpoint = stock_segmentor(street, tmp_path, 'labels', **options)
    find_corrupt_labels(file, checkpoint, top=0, device='cpu')
    rows = {row['file']: float(row['final_loss']) for row in rows_of(tmp_path / 'suspects/suspects_labels.csv')}
    with DefaultScope.overwrite_default_scope('mmseg'):
        config = Config.fromfile(file)
        instances = TrainingInstances.of(config)
        model = build_model(config, torch.load(checkpoint), checkpoint, 'cpu')
        for name, batch in zip(instances.files, instances.loader(_one_by_one(config)), strict=True):
            if name not in rows:
                continue  # not annotated
            data = model.data_preprocessor(batch, False)
            labels = data['data_samples'][0].gt_sem_seg.data
            assert labels.shape == (1, 16, 32) and data['inputs'].shape[2:] == ((24, 24) if late else (24, 48))
            scores = F.interpolate(
                model.decode_head(model.extract_feat(data['inputs'])), (48, 48) if late else (24, 48), mode='bilinear'
            )
            expected = F.cross_entropy(scores[..., :16, :32], labels, ignore_index=255)
            assert rows[name] == pytest.approx(expected.item(), rel=1e-5)


def _one_by_one(config: Config) -> Config:
    config.val_dataloader.batch_size = 1
    return config


def test_a_failure_leaves_the_files_that_were_there(street, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError('disk full')

    (tmp_path / 'suspects_seg.csv').write_text('good')
    monkeypatch.setattr('os.replace', fail)
    with pytest.raises(OSError, match='disk full'):
        find_corrupt_labels(street.config, street.checkpoint, tmp_path, top=0, device='cpu')
    assert [path.name for path in tmp_path.iterdir()] == ['suspects_seg.csv']
    assert (tmp_path / 'suspects_seg.csv').read_text() == 'good'


def test_files_that_do_not_exist(street, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'config .*none\.py. does not exist'):
        find_corrupt_labels(str(tmp_path / 'none.py'), street.checkpoint)
    with pytest.raises(FileNotFoundError, match=r'checkpoint .*none\.pth. does not exist'):
        find_corrupt_labels(street.config, str(tmp_path / 'none.pth'))


def test_a_checkpoint_without_a_table(street, tmp_path):
    torch.save(dict(state_dict={}), tmp_path / 'plain.pth')
    with pytest.raises(ValueError, match=r"plain\.pth' has no 'instance_task_weights'; .* mmfct\.MultiTaskSegmentor"):
        find_corrupt_labels(street.config, str(tmp_path / 'plain.pth'))


def test_a_table_of_another_training_set(street, changed):
    options = {'train_dataloader.dataset.dataset.indices': 8}
    match = r'is of another training set: its table has 12 instances and fingerprint sha256:.*, .* 8 and sha256:'
    with pytest.raises(ValueError, match=match):
        find_corrupt_labels(street.config, street.checkpoint, cfg_options=options)
    with pytest.raises(
        ValueError, match=r'12 instances and fingerprint sha256:0, the data set of the config 12 and sha256:'
    ):
        find_corrupt_labels(street.config, changed(fingerprint='sha256:0'))


def test_unknown_tasks_are_listed(street):
    with pytest.raises(ValueError, match=r"`tasks` must be among .* \['seg', 'depth'\], got \['normals'\]"):
        find_corrupt_labels(street.config, street.checkpoint, tasks=['depth', 'normals'])


def test_a_negative_number_of_suspects(street):
    with pytest.raises(ValueError, match='`top` must be at least 0, got -1'):
        find_corrupt_labels(street.config, street.checkpoint, top=-1)


def test_a_checkpoint_of_another_model(street):
    with pytest.raises(ValueError, match=r"epoch_1\.pth' is of another model: size mismatch"):
        find_corrupt_labels(street.config, street.checkpoint, cfg_options={'model.tasks.seg.head.num_classes': 9})


def test_the_host_of_the_config_is_imported_without_its_remarks(street, monkeypatch, tmp_path):
    imported = []
    monkeypatch.setattr('mmfct.apis.find_corrupt_labels.find.import_host', imported.append)
    with pytest.raises(FileNotFoundError, match=r'none\.pth'):
        find_corrupt_labels(street.config, str(tmp_path / 'none.pth'))
    assert imported == ['mmseg']
