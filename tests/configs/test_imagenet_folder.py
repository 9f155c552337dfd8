"""The paper's configs from end to end, on miniatures of their data sets and a shallower network."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest
import torch

from mmfct.apis.training.options import TrainingOptions
from mmfct.apis.training.train import train

ROOT = Path(__file__).parents[2]
TINY = dict(
    depth=18,
    image_size=32,
    old_classes=2,
    epochs=2,
    side_epochs=2,
    transform_epochs=2,
    warmup_epochs=1,
    batch_size=4,
    num_views=2,
    num_workers=0,
)


@pytest.fixture(scope='module')
def imagenet(imagenet_root, tmp_path_factory) -> dict:
    """Options that run the ImageNet configs on the miniature."""
    return TINY | dict(data_root=imagenet_root, work_root=str(tmp_path_factory.mktemp('work')), num_classes=4)


@pytest.fixture(scope='module')
def with_side_information(imagenet, plain_config_text) -> Path:
    """Folder of all trainings, after the command for ImageNet."""
    options = [f'{name}={value}' for name, value in imagenet.items()]
    command = ['tools/train.py', 'configs/fct/resnet50_imagenet.py', '--auto-scale-lr', '--cfg-options', *options]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setattr('sys.argv', command)
        patch.setenv('LOCAL_RANK', '0')
        runpy.run_path('tools/train.py', run_name='__main__')
    return Path(imagenet['work_root'])


def check_result(folder: Path, *, queries: int, views: int) -> None:
    metrics = json.loads((folder / 'compatibility.json').read_text())
    assert metrics['compatibility/num_queries'] == queries
    assert all(0 <= metrics[f'compatibility/{pair}_map'] <= 1 for pair in ('old/old', 'new/upgraded', 'new/new'))
    assert (folder / 'embeddings.png').is_file()
    tables = {path.parent.name: json.loads(path.read_text())['num_rows'] for path in folder.glob('*/manifest.json')}
    assert tables == (dict(embeddings_train=16 * views, embeddings_test=queries) if views else {})


def test_imagenet_with_side_information(with_side_information):
    stages = {path.parent.name for path in with_side_information.glob('*/final.pth')}
    assert stages == {'resnet50_imagenet', *(f'resnet50_imagenet_{stage}' for stage in ('old', 'side', 'new'))}
    check_result(with_side_information / 'resnet50_imagenet', queries=12, views=2)
    old = torch.load(with_side_information / 'resnet50_imagenet_old/final.pth', weights_only=True)['state_dict']
    assert old['head.fc.weight'].shape == (4, 128)  # outputs for all classes, also those it has not seen


@pytest.mark.parametrize(('variant', 'views'), [('noside', 2), ('online', 0)])
def test_imagenet_variants_use_the_same_models(variant, views, imagenet, with_side_information, plain_config_text):
    new = with_side_information / 'resnet50_imagenet_new/final.pth'
    before = new.stat().st_mtime_ns
    metrics = train(
        str(ROOT / f'configs/fct/resnet50_imagenet_{variant}.py'),
        TrainingOptions(auto_scale_lr=True, cfg_options=imagenet),
    )
    assert new.stat().st_mtime_ns == before
    folder = with_side_information / f'resnet50_imagenet_{variant}'
    check_result(folder, queries=12, views=views)
    first = json.loads((with_side_information / 'resnet50_imagenet/compatibility.json').read_text())
    assert metrics['compatibility/new/new_map'] == pytest.approx(first['compatibility/new/new_map'], abs=1e-6)


def test_cifar100(cifar100_root, tmp_path, plain_config_text):
    options = TINY | dict(data_root=cifar100_root, work_root=str(tmp_path))
    config = str(ROOT / 'configs/fct/resnet50_cifar100_noside.py')
    metrics = train(config, TrainingOptions(auto_scale_lr=True, cfg_options=options))
    assert metrics['compatibility/num_queries'] == 12
    check_result(tmp_path / 'resnet50_cifar100_noside', queries=12, views=2)
