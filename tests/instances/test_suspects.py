"""Tests of weights by what an earlier training found."""

from __future__ import annotations

import pytest

from mmfct.instances.keys import InstanceKeys
from mmfct.instances.suspects import read_weights

KEYS = InstanceKeys([f'/data/{name}.png' for name in 'abcd'])
TASKS = ('seg', 'depth')


def write(folder, task: str, *lines: str, header: str = 'file,task,probability,rank') -> None:
    (folder / f'suspects_{task}.csv').write_text('\n'.join([header, *lines, '']))


def test_weights_come_to_the_rows_of_their_instances(tmp_path):
    write(tmp_path, 'seg', 'c.png,seg,0.75,0.6', 'a.png,seg,1,0.9', 'b.png,seg,0,0.1')
    write(tmp_path, 'depth', 'd.png,depth,0.25,0.3', 'a.png,depth,,0.2')
    weights = read_weights(tmp_path, TASKS, KEYS)
    # Never 0: the earlier training may be wrong. Without evidence, and without a label, as if it was right.
    for column, right in enumerate(([1e-3, 1, 0.25, 1], [1, 1, 1, 0.75])):
        assert weights[:, column].tolist() == pytest.approx([4 * value / sum(right) for value in right])


@pytest.mark.parametrize('lines', [None, ['a.png,depth,,0.2']])
def test_a_task_that_nobody_judged_counts_as_right_and_is_named(tmp_path, capsys, lines):
    write(tmp_path, 'seg', 'a.png,seg,0.5,0.6')
    if lines is not None:  # without evidence
        write(tmp_path, 'depth', *lines)
    assert read_weights(str(tmp_path), TASKS, KEYS)[:, 1].eq(1).all()
    told = capsys.readouterr().out
    assert "tells nothing of 'depth': there, this is no second pass" in told and "'seg'" not in told


def test_tables_that_a_spreadsheet_has_saved(tmp_path):
    write(tmp_path, 'seg', 'a.png,seg,0.5,0.6', header='\ufefffile,task,probability,rank')
    assert read_weights(tmp_path, TASKS[:1], KEYS)[0] < 1


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"`mmfct suspects` wrote .* \['seg', 'depth'\], got '.*', which has"):
        read_weights(tmp_path, TASKS, KEYS)


@pytest.mark.parametrize(
    ('line', 'header', 'message'),
    [
        ('x.png,seg,0.5,0', 'file,task,probability,rank', "another training set: it names 'x.png', which is not"),
        ('a.png,seg,much,0', 'file,task,probability,rank', r"must have probabilities in \[0, 1\], got 'much'"),
        ('a.png,seg,1.5,0', 'file,task,probability,rank', r"must have probabilities in \[0, 1\], got '1.5'"),
        ('a.png,seg,nan,0', 'file,task,probability,rank', r"must have probabilities in \[0, 1\], got 'nan'"),
        ('a.png,seg', 'file,task', r"must have columns `file` and `probability`, got \['file', 'task'\]"),
    ],
)
def test_a_table_that_says_something_else_is_refused(tmp_path, line, header, message):
    write(tmp_path, 'seg', line, header=header)
    with pytest.raises(ValueError, match=message):
        read_weights(tmp_path, TASKS, KEYS)
