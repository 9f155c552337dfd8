"""The config for everybody's class folders, from the command to a gallery of other photographs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from mmfct.apis.extract_gallery import extract_gallery
from mmfct.apis.training.config import config_variables, load_config
from mmfct.apis.training.options import TrainingOptions
from mmfct.apis.training.train import train

FCT = Path(__file__).parents[2] / 'configs/fct'
CONFIG = str(FCT / 'resnet18_folders.py')
STAGES = ('resnet18_folders', 'resnet18_folders_old', 'resnet18_folders_side', 'resnet18_folders_new')
LISTED = re.findall(r'^    (\w+)  +\S.*  +(\S.*)$|^    (\w+)  +\S.* (\d+)$', Path(CONFIG).read_text(), re.M)


def test_the_variables_that_scale_it_are_listed_with_their_values():
    listed = {first or second: value or number for first, value, second, number in LISTED}
    assert {'data_root', 'num_classes', 'image_size', 'epochs', 'side_batch_size', 'work_root'} <= listed.keys()
    configs = [load_config(FCT / f'{stage}.py') for stage in STAGES]
    for name, value in listed.items():
        assert any(name in config_variables(FCT / f'{stage}.py') for stage in STAGES)
        if value != 'half of them':
            assert {repr(config[name]) for config in configs if name in config} == {value}, name


@pytest.mark.parametrize('size', [32, 64, 128])
def test_stages_agree_whatever_the_size_and_width(size):
    options = dict(num_classes=24, image_size=size, base_channels=16, data_root='photos', work_root='here')
    main, old, side, new = (load_config(FCT / f'{stage}.py', options) for stage in STAGES)
    for stage, config in dict(old=old, side=side, new=new).items():
        assert config.model.backbone == main.model.encoders[stage].backbone
        assert config.model.backbone.base_channels == 16
        assert main.model.encoders[stage].checkpoint == f'here/resnet18_folders_{stage}/final.pth'
    assert old.train_dataloader.dataset.num_classes == side.train_dataloader.dataset.num_classes == 12
    assert new.model.head.num_classes == old.model.head.num_classes == 24
    assert new.train_dataloader.dataset.data_root == 'photos'
    assert main.test_dataloader.dataset.dataset.pipeline[2].crop_size == size


def test_from_class_folders_to_a_gallery(imagenet_root, tmp_path, plain_config_text):
    options = dict(
        data_root=imagenet_root,
        num_classes=4,
        image_size=32,
        base_channels=4,
        epochs=2,
        side_epochs=2,
        side_batch_size=4,
        transform_epochs=2,
        warmup_epochs=1,
        num_views=1,
        num_workers=0,
        work_root=str(tmp_path),
    )
    metrics = train(CONFIG, TrainingOptions(cfg_options=options))
    assert metrics['compatibility/num_queries'] == 12
    left = tmp_path / 'resnet18_folders/resnet18_folders.py'
    weights = str(tmp_path / 'resnet18_folders_old/final.pth')
    photographs = f'{imagenet_root}/val/n00'
    given = extract_gallery(CONFIG, weights, str(tmp_path / 'a'), images=photographs, cfg_options=options)
    found = extract_gallery(str(left), weights, str(tmp_path / 'b'), images=photographs)
    assert len(found) == 3 and found.metadata == given.metadata
    np.testing.assert_array_equal(found.column('side_info'), given.column('side_info'))
