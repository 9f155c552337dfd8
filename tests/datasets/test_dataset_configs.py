"""Tests of the base configs of data sets for segmentation and depth."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner

import mmfct.datasets.cityscapes_multi_task
import mmfct.datasets.transforms
import mmfct.evaluation.depth_error_metric  # noqa: F401

CONFIGS = Path(__file__).parents[2] / 'configs/_base_/datasets'
SIZES = dict(cityscapes_multi_task=(128, 256), cityscapes_multi_task_npy=(128, 256), street_scenes=(64, 128))


@pytest.fixture(params=SIZES)
def config(request, tmp_path, files) -> Config:
    """A base config with a tiny data set: full frames of CityScapes are twice as large as what is trained on."""
    config = Config.fromfile(CONFIGS / f'{request.param}.py')
    size = SIZES[request.param]
    if request.param.endswith('npy'):
        files.write_npy(tmp_path, size=size)
    else:
        factor = 2 if request.param.startswith('cityscapes') else 1
        files.write_cityscapes(tmp_path, size=(size[0] * factor, size[1] * factor))
    for loader in (config.train_dataloader, config.val_dataloader):
        loader.dataset.data_root = str(tmp_path)
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
    return config


def test_batches_for_training_and_validation(config):
    pytest.importorskip('mmseg.models')
    size = SIZES[Path(config.filename).stem]
    assert config.test_dataloader.dataset.split == 'val'
    with DefaultScope.overwrite_default_scope('mmseg'):
        preprocessor = MODELS.build(config.image_preprocessor)
        for loader, training in ((config.train_dataloader, True), (config.val_dataloader, False)):
            loader = Runner.build_dataloader(loader.to_dict(), seed=0)
            assert len(loader.dataset) == (4 if training else 2)
            batch = preprocessor(next(iter(loader)), training=training)
            assert batch['inputs'].shape == (2, 3, *size) and batch['inputs'].dtype == torch.float32
            for sample in batch['data_samples']:
                assert sample.gt_sem_seg.shape == sample.gt_depth_map.shape == sample.ori_shape == size
                assert Path(sample.img_path).is_file() and Path(sample.depth_map_path).is_file()
                assert {'seg_map_path', 'sample_idx', 'img_shape'} <= set(sample.metainfo_keys())
                assert len(loader.dataset.metainfo['classes']) == config.num_classes == 7


def test_perfect_predictions_have_perfect_scores(config):
    pytest.importorskip('mmseg.evaluation')
    from mmengine.structures import PixelData

    with DefaultScope.overwrite_default_scope('mmseg'):
        loader = Runner.build_dataloader(config.val_dataloader.to_dict(), seed=0)
        evaluator = Evaluator(config.val_evaluator)
        evaluator.dataset_meta = loader.dataset.metainfo
        for batch in loader:
            for sample in batch['data_samples']:
                sample.pred_sem_seg = PixelData(data=sample.gt_sem_seg.data.clamp(max=6))
                sample.set_data(dict(pred_depth_map=PixelData(data=sample.gt_depth_map.data.clone())))
            evaluator.process(batch['data_samples'], batch)
        scores = evaluator.evaluate(2)
    assert scores['mIoU'] == scores['aAcc'] == 100
    assert scores['depth/abs_error'] == 0
