"""Options and variables of configs that mean nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmfct.apis.training.variables import check_variables

CONFIGS = Path(__file__).parents[3] / 'configs'
STREETS = CONFIGS / 'itp/unet_street_scenes.py'


@pytest.mark.parametrize(
    ('name', 'hint'),
    [('seting', "; did you mean 'setting'\\?"), ('old_clases', "; did you mean 'old_classes'\\?")],
)
def test_misspelt_variables(name, hint):
    config = str(CONFIGS / 'fct/resnet50_imagenet.py')
    omniglot = config.replace('resnet50_imagenet', 'resnet10_omniglot')
    with pytest.raises(ValueError, match=f'has no variable or entry {name!r}{hint}'):
        check_variables(omniglot if name == 'seting' else config, {name: 1})


def test_variables_of_other_configs_are_told_of(capsys):
    config = CONFIGS / 'fct/resnet50_imagenet_noside.py'
    check_variables(config, dict(side_epochs=1))
    assert "has no variable or entry 'side_epochs': it has no effect" in capsys.readouterr().out


def test_known_variables():
    config = CONFIGS / 'fct/resnet10_omniglot.py'
    names = [
        'seed',
        'train_drawers',
        'side_epochs',
        'epochs',
        'load_from',
        'model.head.any',
        'custom_imports',
        'work_dir',
    ]
    check_variables(config, dict.fromkeys(names, 1) | dict(train_drawers=(1, 2)))


@pytest.fixture
def warned(capsys):
    """Function that returns which options are warned of."""

    def check(config: Path, **options) -> list[str]:
        check_variables(config, options)
        lines = capsys.readouterr().out.splitlines()
        return [
            line.partition('WARNING - ')[2].partition('=')[0] for line in lines if 'has no effect: with the' in line
        ]

    return check


def test_options_that_another_one_makes_useless(warned):
    options = dict(instance_lr=0.5, seg_weight=2.0, tasks=['seg', 'depth'], seed=3, temperature=2.0, epochs=4)
    assert warned(STREETS, weighting='uncertainty', **options) == ['instance_lr', 'seg_weight']
    assert warned(STREETS, weighting='dwa', temperature=3.0, corrupted_seg=0.1) == []


def test_a_rate_without_parameters_and_a_kind_without_a_share(warned):
    options = dict(log_variance_lr=0.5, depth_error='mirrored')
    assert warned(STREETS, weighting='equal', **options) == ['depth_error', 'log_variance_lr']
    assert warned(STREETS, weighting='torchjd', corrupted_depth=0.4, **options) == []


def test_options_of_prerequisites_have_an_effect(warned):
    omniglot = CONFIGS / 'fct/resnet10_omniglot.py'
    assert warned(omniglot, side_epochs=7, work_root='elsewhere', num_classes=5) == []


def test_variables_that_a_config_sets_after_its_base_has_used_them(tmp_path, capsys):
    child = tmp_path / 'child.py'
    child.write_text(
        f"_base_ = '{STREETS}'\nweighting, epochs = 'x', 1\nweighting = 'dwa'\nepochs = 30\nseed = 4\n"
        "randomness = dict(seed=seed)\nwork_dir = 'mine'\n"
    )
    check_variables(child, {})
    (line,) = [line for line in capsys.readouterr().out.splitlines() if 'without effect' in line]
    assert f"child.py sets weighting='dwa' without effect: {STREETS.name} has computed with 'itp' before; set " in line
    check_variables(child, dict(weighting='dwa'))
    assert 'without effect' not in capsys.readouterr().out
