"""Our models as TorchScript files: the signatures of the reference, and the way back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.registry import init_default_scope

from mmfct.apis.export_torchscript import TransformationScript, TransformedModelScript, export_torchscript
from mmfct.apis.training.config import load_config
from mmfct.models import FrozenEncoders
from mmfct.models.item_encoder import ItemEncoder
from mmfct.registry import MODELS
from mmfct.utils.checkpoint import load_state_dict

pytestmark = pytest.mark.filterwarnings('ignore:.*torch.jit')
CONFIGS = Path(__file__).parents[2] / 'configs/fct'

VIT = """
image_size = 16
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='VisionTransformer',
        arch=dict(embed_dims=8, num_layers=1, num_heads=2, feedforward_channels=8),
        img_size=image_size,
        patch_size=8,
    ),
    neck=dict(type='LinearNeck', in_channels=8, out_channels=4),
    head=dict(type='LinearClsHead', num_classes=3, in_channels=4),
)
default_scope = 'mmpretrain'
"""


def final(digits, stage: str = '') -> str:
    return str(digits.root / f'resnet10_digits{stage}/final.pth')


def encoders(digits):
    """The trained encoders of the life cycle, old, side and new."""
    config = load_config(digits.config, digits.cfg_options)
    return FrozenEncoders(**config.model.encoders).encoders


def normalized(encoder, images):
    return encoder.data_preprocessor(dict(inputs=images, data_samples=None))['inputs']


@pytest.mark.parametrize('stage', ['old', 'side', 'new'])
@pytest.mark.parametrize('number', [1, 5])
def test_a_backbone_and_back(digits, stage, number, tmp_path):
    path = str(tmp_path / f'{stage}.pt')
    config = str(CONFIGS / f'resnet10_digits_{stage}.py')
    shape = export_torchscript(config, final(digits, f'_{stage}'), path, cfg_options=digits.cfg_options)
    assert shape == (128, 1, 1)
    encoder = encoders(digits)[stage]
    images = torch.randint(256, (number, 1, 12, 12)).float()  # neither the number nor the size it was traced with
    expected = encoder(images)
    assert torch.jit.load(path)(normalized(encoder, images)).shape == (number, 128, 1, 1)
    preprocessor = load_config(digits.config).model.encoders[stage].data_preprocessor
    published = dict(type='mmfct.TorchScriptBackbone', checkpoint=path)
    loaded = MODELS.build(dict(type='mmfct.FrozenEncoder', backbone=published, data_preprocessor=preprocessor))
    torch.testing.assert_close(loaded(images), expected, rtol=1e-5, atol=1e-5)


def test_weights_of_an_exported_backbone_are_a_checkpoint(digits, tmp_path):
    export_torchscript(
        str(CONFIGS / 'resnet10_digits_old.py'),
        final(digits, '_old'),
        str(tmp_path / 'old.pt'),
        cfg_options=digits.cfg_options,
    )
    cfg = dict(load_config(digits.config).model.encoders.old, checkpoint=str(tmp_path / 'old.pt'))
    images = torch.randint(256, (2, 1, 8, 8)).float()
    loaded = MODELS.build(dict(type='mmfct.FrozenEncoder', **cfg))
    torch.testing.assert_close(loaded(images), encoders(digits)['old'](images), rtol=1e-5, atol=1e-5)


def test_a_transformation_and_back(digits, tmp_path):
    path = str(tmp_path / 'deep/h.pt')
    assert export_torchscript(digits.config, final(digits), path, cfg_options=digits.cfg_options) == (128, 1, 1)
    model = MODELS.build(load_config(digits.config, digits.cfg_options).model)
    model.load_state_dict(load_state_dict(final(digits)))
    other = MODELS.build(load_config(digits.config, digits.cfg_options).model)
    other.load_state_dict(load_state_dict(path))
    old, side = torch.rand(7, 128), torch.rand(7, 128)
    expected = model.eval()(dict(old=old, side=side))
    found = torch.jit.load(path)(old[:, :, None, None], side[:, :, None, None])
    torch.testing.assert_close(found, expected[:, :, None, None], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(other.eval()(dict(old=old, side=side)), expected)


def test_a_transformed_old_model(digits, tmp_path):
    path = str(tmp_path / 'transformed.pt')
    shape = export_torchscript(digits.config, final(digits), path, with_encoders=True, cfg_options=digits.cfg_options)
    assert shape == (128, 1, 1)
    script = torch.jit.load(path)
    assert {'old_model', 'side_info_model', 'transformation'} == {key.partition('.')[0] for key in script.state_dict()}
    model = MODELS.build(load_config(digits.config, digits.cfg_options).model)
    model.load_state_dict(load_state_dict(final(digits)))
    images = torch.randint(256, (4, 1, 8, 8)).float()
    expected = model.eval()(images)
    found = script(normalized(encoders(digits)['old'], images))
    torch.testing.assert_close(found, expected[:, :, None, None], rtol=1e-5, atol=1e-5)


def test_a_transformed_old_model_without_side_information(digits, tmp_path):
    (tmp_path / 'noside.py').write_text(
        f"_base_ = '{digits.config}'\nmodel = dict(encoders=dict(side=None))\n"  # old feeds both branches
    )
    path = str(tmp_path / 'h.pt')
    options = dict(with_encoders=True, cfg_options=digits.cfg_options)
    assert export_torchscript(str(tmp_path / 'noside.py'), final(digits), path, **options) == (128, 1, 1)
    assert 'side_info_model' not in {key.partition('.')[0] for key in torch.jit.load(path).state_dict()}


def test_a_vision_transformer(tmp_path):
    (tmp_path / 'vit.py').write_text(VIT)
    from mmengine.registry import init_default_scope

    init_default_scope('mmpretrain')
    model = MODELS.build(load_config(tmp_path / 'vit.py').model).eval()
    torch.save(model.state_dict(), tmp_path / 'vit.pth')
    path = str(tmp_path / 'vit.pt')
    assert export_torchscript(str(tmp_path / 'vit.py'), str(tmp_path / 'vit.pth'), path) == (4, 1, 1)
    images = torch.randn(5, 3, 16, 16)
    expected = model.extract_feat(images)[-1]
    torch.testing.assert_close(torch.jit.load(path)(images).flatten(1), expected, rtol=1e-5, atol=1e-5)


def test_a_file_needs_none_of_our_packages(digits, tmp_path):
    path = str(tmp_path / 'h.pt')
    export_torchscript(digits.config, final(digits), path, cfg_options=digits.cfg_options)
    code = f'import sys, torch; x = torch.rand(2, 128, 1, 1); print(*torch.jit.load({path!r})(x, x).shape);'
    code += 'assert not {"mmfct", "mmengine", "mmpretrain"} & set(sys.modules)'
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ['2', '128', '1', '1']


def test_a_model_that_depends_on_the_number_of_images_is_refused(digits, tmp_path, monkeypatch):
    monkeypatch.setattr(TransformationScript, 'forward', lambda self, old, side: old * len(old.tolist()))
    with pytest.raises(ValueError, match=r'cannot be traced: .*h\.pt would compute something else for two items'):
        export_torchscript(digits.config, final(digits), str(tmp_path / 'h.pt'), cfg_options=digits.cfg_options)
    assert not list(tmp_path.iterdir())


def test_wrong_arguments(digits, tmp_path):
    old, path = str(CONFIGS / 'resnet10_digits_old.py'), str(tmp_path / 'x.pt')
    with pytest.raises(ValueError, match=r'`with_encoders` needs a config with `model\.encoders`, got .*_old\.py'):
        export_torchscript(old, final(digits, '_old'), path, with_encoders=True)
    for size in (0, -3):
        with pytest.raises(ValueError, match=f'`image_size` must be at least 1, got {size}'):
            export_torchscript(old, final(digits, '_old'), path, image_size=size)
    with pytest.raises(ValueError, match='is of another model'):
        export_torchscript(digits.config, final(digits, '_old'), path)
    with pytest.raises(FileNotFoundError, match=r'none\.pth'):
        export_torchscript(old, str(tmp_path / 'none.pth'), path)
    (tmp_path / 'odd.py').write_text(
        f"_base_ = '{digits.config}'\nmodel = dict(encoders=dict(side=dict(data_preprocessor=dict(mean=[1.0]))))\n"
    )
    with pytest.raises(ValueError, match=r'must normalise images alike .* got .*78.0.* and .*1.0'):
        options = dict(with_encoders=True, cfg_options=digits.cfg_options)
        export_torchscript(str(tmp_path / 'odd.py'), final(digits), path, **options)


@pytest.mark.parametrize('words', [[], ['--with-encoders', '--image-size', '8']])
def test_the_tool(digits, run_tool, words, tmp_path):
    options = ['--cfg-options', *(f'{key}={value}' for key, value in digits.cfg_options.items())]
    assert run_tool('export_torchscript.py', digits.config, final(digits), tmp_path / 'h.pt', *words, *options) == 0
    inputs = [torch.rand(2, 1, 8, 8)] if words else [torch.rand(2, 128, 1, 1)] * 2
    assert torch.jit.load(str(tmp_path / 'h.pt'))(*inputs).shape == (2, 128, 1, 1)


def test_the_tool_says_bad_input_in_one_line(run_tool, tmp_path, capsys):
    assert run_tool('export_torchscript.py', 'no.py', 'a.pth', tmp_path / 'h.pt') == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith('error: ')


def test_side_information_of_several_models_is_refused(digits, tmp_path):
    side = [dict(encoder) for encoder in [load_config(digits.config, digits.cfg_options).model.encoders.side] * 2]
    text = f"model = dict(encoders=dict(side=dict(_delete_=True, type='mmfct.JoinedEncoder', encoders={side!r})))"
    (tmp_path / 'joined.py').write_text(f"_base_ = '{digits.config}'\n{text}\nmodel['head'] = dict(side_dims=256)\n")
    config = load_config(str(tmp_path / 'joined.py'), digits.cfg_options)
    init_default_scope('mmpretrain')
    with pytest.raises(ValueError, match='side-information of several models cannot become one file'):
        TransformedModelScript(ItemEncoder.build(config.model.encoders.old, config.model.encoders.side), None)
