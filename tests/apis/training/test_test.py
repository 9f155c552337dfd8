"""Testing a checkpoint."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch

from mmfct.apis.training.options import TrainingOptions
from mmfct.apis.training.test import test as run_test
from mmfct.utils.json import without_nan

CONFIGS = Path(__file__).parents[3] / 'configs'

# A classifier of the digits with a test set, as anybody's config.
CLASSIFIER = f"""
_base_ = ['{CONFIGS}/_base_/datasets/digits.py', '{CONFIGS}/_base_/models/resnet10_gray.py',
          '{CONFIGS}/_base_/default_runtime.py']
image_size = 8
model = dict(head=dict(num_classes=10), data_preprocessor=_base_.image_preprocessor)
test_dataloader = dict(
    batch_size=64,
    num_workers=0,
    dataset=dict(_base_.test_set, image_size=image_size, indices=100),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
test_evaluator = dict(type='Accuracy')
test_cfg = dict()
"""


@pytest.fixture
def classifier(tmp_path, plain_config_text) -> str:
    path = tmp_path / 'classifier.py'
    path.write_text(CLASSIFIER)
    return str(path)


def final(digits, stage: str = 'resnet10_digits') -> str:
    return str(digits.root / stage / 'final.pth')


def test_metrics_and_report_are_those_at_the_end_of_the_training(digits, tmp_path):
    options = TrainingOptions(work_dir=str(tmp_path / 'work'), cfg_options=digits.cfg_options)
    metrics = run_test(digits.config, final(digits), options, out=str(tmp_path / 'm.json'), out_item='metrics')
    assert metrics == pytest.approx(digits.metrics, abs=1e-6, nan_ok=True)
    assert json.loads((tmp_path / 'm.json').read_text()) == pytest.approx(metrics, nan_ok=True)
    assert json.loads((tmp_path / 'work/compatibility.json').read_text()) == without_nan(metrics)
    assert (tmp_path / 'work/embeddings.png').is_file()


def test_another_checkpoint_leaves_the_report_of_the_final_one(digits, classifier, tmp_path):
    weights = torch.load(final(digits, 'resnet10_digits_new'), weights_only=True)
    work = tmp_path / 'work'
    work.mkdir()
    for name in ('final.pth', 'epoch_1.pth'):
        torch.save(weights, work / name)
    for name in ('final.pth', 'epoch_1.pth'):
        run_test(classifier, str(work / name), TrainingOptions(work_dir=str(work)))
    assert {str(path.relative_to(work)) for path in work.rglob('metrics.json')} == {
        'metrics.json',
        'test_epoch_1/metrics.json',
    }


def test_the_config_of_the_training_stays(digits, classifier, tmp_path):
    left = tmp_path / 'work' / Path(classifier).name
    left.parent.mkdir()
    left.write_text('# of the training')
    options = TrainingOptions(work_dir=str(left.parent), cfg_options={'test_dataloader.batch_size': 8})
    run_test(classifier, final(digits, 'resnet10_digits_new'), options)
    assert left.read_text() == '# of the training'
    (tested,) = left.parent.glob('*/vis_data/config.py')
    assert 'batch_size=8,' in tested.read_text()


def test_training_checkpoints_of_mmengine_and_of_a_wrapped_model(digits, classifier, tmp_path):
    options = TrainingOptions(work_dir=str(tmp_path))
    folder = digits.root / 'resnet10_digits_new'
    weights = torch.load(folder / 'final.pth', weights_only=True)['state_dict']
    torch.save({f'module.{name}': value for name, value in weights.items()}, tmp_path / 'wrapped.pth')
    files = [folder / 'final.pth', folder / 'epoch_2.pth', tmp_path / 'wrapped.pth']
    first, *others = (run_test(classifier, str(file), options) for file in files)
    assert first['accuracy/top1'] > 20 and all(metrics == first for metrics in others)


def test_predictions_of_a_classifier_and_its_accuracy(digits, classifier, tmp_path):
    options = TrainingOptions(work_dir=str(tmp_path / 'work'))
    checkpoint = final(digits, 'resnet10_digits_new')
    metrics = run_test(classifier, checkpoint, options, out=str(tmp_path / 'plain.pkl'))
    predictions = pickle.loads((tmp_path / 'plain.pkl').read_bytes())
    assert len(predictions) == 100
    right = [int(sample['pred_label']) == int(sample['gt_label']) for sample in predictions]
    assert metrics == pytest.approx({'accuracy/top1': sum(right)})
    assert not (tmp_path / 'work/compatibility.md').exists()
    # The mean of the scores of an image and its mirror image.
    run_test(classifier, checkpoint, options, tta=True, out=str(tmp_path / 'tta.pkl'))
    averaged = pickle.loads((tmp_path / 'tta.pkl').read_bytes())
    changed = [
        not torch.allclose(a['pred_score'], b['pred_score']) for a, b in zip(predictions, averaged, strict=True)
    ]
    assert sum(changed) > 50


def test_tta_of_the_config(digits, classifier, tmp_path):
    Path(classifier).write_text(
        CLASSIFIER
        + "tta_model = dict(type='AverageClsScoreTTA')\n"
        + "tta_pipeline = [dict(type='TestTimeAug', transforms=[[dict(type='PackInputs')]])]\n"
    )
    options = TrainingOptions(work_dir=str(tmp_path))
    checkpoint = final(digits, 'resnet10_digits_new')
    plain = run_test(classifier, checkpoint, options)
    assert run_test(classifier, checkpoint, options, tta=True) == plain


def test_tta_without_a_pipeline(digits, tmp_path):
    options = TrainingOptions(work_dir=str(tmp_path), cfg_options=digits.cfg_options)
    config = tmp_path / 'config.py'
    config.write_text(f"_base_ = '{digits.config}'\ntest_dataloader = dict(dataset=dict(_delete_=True, type='X'))\n")
    with pytest.raises(ValueError, match=r'`--tta` needs `test_dataloader\.dataset\.pipeline` in the config'):
        run_test(str(config), final(digits), options, tta=True)


def test_show_dir(digits, classifier, tmp_path):
    options = TrainingOptions(work_dir=str(tmp_path), cfg_options={'test_dataloader.dataset.indices': 4})
    checkpoint = final(digits, 'resnet10_digits_new')
    with pytest.raises(ValueError, match=r'`--show-dir` needs `default_hooks\.visualization` in the config'):
        run_test(classifier, checkpoint, options, show_dir=str(tmp_path / 'pictures'))
    hook = dict(type='VisualizationHook', enable=False, interval=1)
    with_hook = Path(classifier).read_text() + f'default_hooks = dict(visualization={hook!r})\n'
    Path(classifier).write_text(with_hook)
    run_test(classifier, checkpoint, options, show_dir=str(tmp_path / 'pictures'))
    assert len(list((tmp_path / 'pictures').rglob('*.png'))) == 4


def test_a_config_without_test_set(digits):
    config = str(CONFIGS / 'fct/resnet10_digits_old.py')
    with pytest.raises(ValueError, match=r"resnet10_digits_old\.py' has no `test_dataloader`"):
        run_test(config, final(digits, 'resnet10_digits_old'))


def test_missing_files(digits, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.py. does not exist'):
        run_test(str(tmp_path / 'none.py'), final(digits))
    with pytest.raises(FileNotFoundError, match=r'none\.pth. does not exist'):
        run_test(digits.config, str(tmp_path / 'none.pth'))
    with pytest.raises(FileNotFoundError, match=r'`data_root` must be the folder of the data'):
        options = TrainingOptions(cfg_options=dict(data_root=str(tmp_path / 'none')))
        run_test(str(CONFIGS / 'fct/resnet50_imagenet.py'), final(digits), options)


def test_a_checkpoint_that_is_refused(digits, tmp_path):
    path = tmp_path / 'half.pth'
    path.write_bytes(Path(final(digits)).read_bytes()[:5000])
    with pytest.raises(ValueError, match=r'half\.pth. cannot be read'):
        run_test(digits.config, str(path))
    torch.save(dict(state_dict={}, hook=Path), path)
    with pytest.raises(ValueError, match=r'half\.pth. is refused'):
        run_test(digits.config, str(path))


def test_a_checkpoint_of_another_model(digits, classifier, tmp_path):
    options = TrainingOptions(work_dir=str(tmp_path))
    with pytest.raises(ValueError, match=r"resnet10_digits/final\.pth' is of another model: .* weights are missing"):
        run_test(classifier, final(digits), options)
    options = TrainingOptions(work_dir=str(tmp_path), cfg_options={'model.head.num_classes': 7})
    with pytest.raises(ValueError, match=r'is of another model: size mismatch for head\.fc\.weight'):
        run_test(classifier, final(digits, 'resnet10_digits_new'), options)


def test_weights_of_a_wrapper_and_a_second_set_of_weights(digits, classifier, tmp_path):
    weights = torch.load(final(digits, 'resnet10_digits_new'), weights_only=True)['state_dict']
    path, work = tmp_path / 'final.pth', tmp_path / 'work'
    zeros = {f'module.{name}': torch.zeros_like(value) for name, value in weights.items()}
    average = {f'module.{name}': value for name, value in weights.items()} | dict(steps=torch.tensor(3))
    torch.save(dict(state_dict=zeros, ema_state_dict=average), path)
    work.mkdir()
    path.rename(work / 'final.pth')
    path = work / 'final.pth'
    metrics = {
        name: run_test(classifier, f'{path}{name}', TrainingOptions(work_dir=str(work)))
        for name in ('', '::ema_state_dict')
    }
    expected = run_test(classifier, final(digits, 'resnet10_digits_new'), TrainingOptions(work_dir=str(tmp_path)))
    assert metrics['::ema_state_dict'] == expected != metrics['']
    assert json.loads((work / 'metrics.json').read_text()) == metrics['']
    assert json.loads((work / 'test_final_ema_state_dict/metrics.json').read_text()) == expected
