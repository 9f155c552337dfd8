"""Files about the project that other programs read: workflow, issue forms, citation, changelog."""

from __future__ import annotations

import datetime
import re
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from mmfct import __version__

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / '.github'
FORMS = sorted(path for path in GITHUB.glob('ISSUE_TEMPLATE/*.yml') if path.name != 'config.yml')
# What GitHub asks of each kind of element besides `type`.
ELEMENTS = dict(
    markdown={'value'},
    textarea={'label'},
    input={'label'},
    dropdown={'label', 'options'},
    checkboxes={'label', 'options'},
)


def read(path: Path) -> dict:
    """The content of a YAML file."""
    return yaml.safe_load(path.read_text())


@pytest.fixture
def workflow() -> dict:
    return read(GITHUB / 'workflows/checks.yml')


def test_the_workflow_tests_every_python_that_can_be_installed(workflow):
    pythons = workflow['jobs']['tests']['strategy']['matrix']['python']
    supported = SpecifierSet(metadata.metadata('mmfct')['Requires-Python'])
    assert [f'3.{minor}' for minor in range(30) if supported.contains(f'3.{minor}.1')] == pythons
    assert workflow['jobs'].keys() == {'lint', 'tests', 'docs'}
    assert workflow[True].keys() == {'push', 'pull_request'}  # YAML 1.1 reads the key `on` as true


def test_the_workflow_may_only_read(workflow):
    assert workflow['permissions'] == dict(contents='read')
    assert not any('permissions' in job for job in workflow['jobs'].values())


def test_the_workflow_runs_scripts_that_exist_with_pinned_packages(workflow):
    steps = [step for job in workflow['jobs'].values() for step in job['steps']]
    commands = [step['run'] for step in steps if 'run' in step]
    scripts = [command.split()[1] for command in commands if command.startswith('bash ')]
    assert len(scripts) == 3 and all((ROOT / script).is_file() for script in scripts)
    installs = [command for command in commands if 'pip install' in command]
    assert len(installs) == 3 and all('-c constraints.txt' in command for command in installs)
    assert all(re.search(r'@v\d+$', step['uses']) for step in steps if 'uses' in step)


@pytest.mark.parametrize('path', FORMS, ids=lambda path: path.stem)
def test_issue_forms_are_what_github_takes(path):
    form = read(path)
    assert form.keys() == {'name', 'description', 'labels', 'body'}
    names = [element.get('id') for element in form['body'] if element['type'] != 'markdown']
    assert None not in names and len(names) == len(set(names)) >= 3
    for element in form['body']:
        attributes = element['attributes']
        assert ELEMENTS[element['type']] <= attributes.keys(), element
        assert all(isinstance(value, str) for key, value in attributes.items() if key != 'options'), element
    assert any(element.get('validations') == dict(required=True) for element in form['body'])


def test_there_are_issue_forms():
    assert {path.stem for path in FORMS} == {'bug', 'feature', 'result'}
    assert read(GITHUB / 'ISSUE_TEMPLATE/config.yml').keys() == {'blank_issues_enabled'}


@pytest.mark.parametrize(
    'name', ['SECURITY.md', '.github/PULL_REQUEST_TEMPLATE.md', *(str(path.relative_to(ROOT)) for path in FORMS)]
)
def test_files_that_outsiders_are_sent_to_exist(name):
    text = (ROOT / name).read_text()
    for path in re.findall(r'`((?:bash )?[\w./-]+\.(?:md|py|sh|txt))`', text):
        path = path.removeprefix('bash ')
        reports = {'compatibility.md', 'metrics.md', 'detection.md'}  # of a training
        assert path in reports or (ROOT / path).is_file(), path


def test_the_citation_is_complete():
    citation = read(ROOT / 'CITATION.cff')
    assert {'cff-version', 'message', 'title', 'authors', 'license', 'type'} <= citation.keys()
    assert (citation['cff-version'], citation['title'], citation['version']) == ('1.2.0', 'mmfct', __version__)
    papers = citation['references']
    assert [paper['identifiers'][0]['value'] for paper in papers] == ['arXiv:2112.02805', 'arXiv:2106.06129']
    for paper in papers:
        assert {'type', 'title', 'authors', 'year'} <= paper.keys()
        assert all(author.keys() == {'family-names', 'given-names'} for author in paper['authors'])


def test_the_changelog_has_the_version_with_its_ten_things():
    text = (ROOT / 'CHANGELOG.md').read_text()
    released = read(ROOT / 'CITATION.cff')['date-released']
    datetime.date.fromisoformat(released)
    assert text.index('## [Unreleased]') < text.index(f'## [{__version__}] - {released}\n')
    release = re.search(rf'^## \[{re.escape(__version__)}\].*?(?=^## \[|\Z)', text, re.MULTILINE | re.DOTALL)[0]
    if __version__ == '0.1.0':
        first = release[: release.index('### Added')]
        assert re.findall(r'^(\d+)\. \*\*', first, re.MULTILINE) == [str(number) for number in range(1, 11)]
