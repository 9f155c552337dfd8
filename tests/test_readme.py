"""What the README files name must exist, and their Python must run."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmfct.cli import COMMANDS, main

ROOT = Path(__file__).parents[1]
TOOLS = sorted([*(ROOT / 'tools').rglob('*.py'), *(ROOT / 'mmfct/cli').glob('*.py')])
READMES = sorted(
    [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *ROOT.glob('configs/*/README.md'), *ROOT.glob('docs/**/*.md')]
)


def test_there_are_readmes():
    assert len(READMES) >= 2


@pytest.mark.parametrize('readme', READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files(readme):
    for target in re.findall(r'\]\((?!http|#)([^)#\s]+)', readme.read_text()):
        assert (readme.parent / target).exists(), target


@pytest.mark.parametrize('readme', [*READMES, *TOOLS], ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_name_existing_tools_and_configs(readme):
    for path in re.findall(r'\b((?:tools|configs|mmfct|tests)/[\w/.-]+\.(?:py|sh))\b', readme.read_text()):
        assert (ROOT / path).exists(), path


def commands(readme: Path) -> list[tuple[str, str]]:
    """Commands of mmfct and Python scripts that a page starts, with their arguments."""
    text = readme.read_text().replace('\\\n', ' ')
    found = re.findall(r'(?:\bpython(?: -\S+)* tools/|\bmmfct(?:\.cli)? )([a-z][\w/.-]*)([^\n`#;&|]*)', text)
    return [(name, arguments) for name, arguments in found if name in COMMANDS or name.endswith('.py')]


@pytest.fixture(scope='module')
def options() -> dict[str, set[str]]:
    """Options of tools that were asked for their help."""
    return {}


@pytest.mark.parametrize('readme', READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_options_are_those_of_the_tool(readme, options, run_tool, capsys, monkeypatch):
    for tool, arguments in commands(readme):
        if tool not in options:
            if tool in COMMANDS:
                with pytest.raises(SystemExit, match='0'):
                    main([tool, '--help'])
            else:
                monkeypatch.syspath_prepend((ROOT / 'tools' / tool).parent)
                assert run_tool(tool, '--help') == 0
            options[tool] = set(re.findall(r'(?<!\S)--[a-z][\w-]*', capsys.readouterr().out))
        given = set(re.findall(r'(?<!\S)--[a-z][\w-]*', arguments))
        assert given <= options[tool], (tool, given - options[tool])


@pytest.mark.parametrize('readme', READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_options_are_variables_of_the_config_they_are_given_to(readme):
    from mmfct.configs import find_config

    text = readme.read_text().replace('\\\n', ' ')  # a command may go on in the next line
    commands = re.findall(r'mmfct train (\S+\.py)[^\n]*--cfg-options ([^\n`#]+)', text)
    for config, options in commands:
        words = [option.strip('\'"').split('=')[0] for option in options.split()]
        names = {word for word in words if '.' not in word}
        path = find_config(config)
        assert path is None or names <= variables(path), (config, names)  # a config of the reader is none of ours


def variables(config: Path) -> set[str]:
    """Variables of a config and of the trainings that it needs."""
    from mmfct.apis.training.config import config_variables

    needed = Config.fromfile(config).get('prerequisites', [])
    return config_variables(config).union(*(variables(config.parent / entry['config']) for entry in needed))


def test_retrieval_metrics_snippet_runs():
    code = next(block for block in _python_blocks(ROOT / 'docs/training.md') if 'retrieval_metrics(' in block)
    ids = torch.arange(4)
    names = dict(query=torch.eye(4), gallery=torch.eye(4), query_labels=ids // 2, gallery_labels=ids // 2, ids=ids)
    exec(code, names)


def test_the_config_of_your_own_models_loads(tmp_path):
    code = next(block for block in _python_blocks(ROOT / 'configs/fct/README.md') if '_base_' in block)
    (tmp_path / 'mine.py').write_text(code.replace("'./resnet50", f"'{ROOT}/configs/fct/resnet50"))
    config = Config.fromfile(tmp_path / 'mine.py')
    for encoders in (config.model.encoders, config.train_dataloader.dataset.encoders):
        assert {role: encoder.checkpoint for role, encoder in encoders.items()} == {
            role: f'{role}.pth' for role in ('old', 'side', 'new')
        }
    assert config.prerequisites == [] and config.test_dataloader.dataset.path == 'work_dirs/mine/embeddings_test'


@pytest.mark.parametrize('readme', READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_python_blocks_compile(readme):
    for block in _python_blocks(readme):
        compile(block.replace(', ...)', ')'), str(readme), 'exec')


def _python_blocks(readme: Path) -> list[str]:
    return re.findall(r'```python\n(.*?)```', readme.read_text(), re.S)


def test_modules_that_the_changelog_moves_things_to_exist():
    rows = re.findall(r'^  \| (`mmfct.*?) \| (.*) \|$', (ROOT / 'CHANGELOG.md').read_text(), re.MULTILINE)
    assert len(rows) > 20
    for before, now in rows:
        for place in re.findall('`(mmfct[^`]*)`', now):
            parts = re.findall(r'\{(.*?)\}', before if '{...}' in place else place)
            for name in parts[0].split(',') if parts else ['']:
                path = re.sub(r'\{.*?\}', name, place)
                try:
                    importlib.import_module(path)
                except ModuleNotFoundError:  # a function of a module
                    module, _, function = path.rpartition('.')
                    assert hasattr(importlib.import_module(module), function), path
