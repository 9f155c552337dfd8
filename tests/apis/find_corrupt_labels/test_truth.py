"""Which labels are known to be wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmfct.apis.find_corrupt_labels.data import TrainingInstances
from mmfct.apis.find_corrupt_labels.truth import corruption_in_csv, corruption_of_wrappers

TASKS = ('seg', 'depth')


def build(street, train: dict | None = None) -> TrainingInstances:
    config = Config.fromfile(street.config)
    if train is not None:
        config.merge_from_dict({'train_dataloader.dataset': dict(train, _delete_=True)})
    with DefaultScope.overwrite_default_scope('mmseg'):
        return TrainingInstances.of(config)


def part(street, indices: list[int], **fractions: float) -> dict:
    inner = Config.fromfile(street.config).train_dataloader.dataset.dataset
    inner = dict(inner, indices=indices)
    return dict(type='mmfct.CorruptLabels', fractions=fractions, dataset=inner) if fractions else inner


def test_that_of_the_wrapper(street):
    known = corruption_of_wrappers(build(street), TASKS)
    assert known.keys() == {'depth'}
    assert known['depth'].tolist() == street.corrupted.tolist()


def test_wrappers_in_a_concatenation_and_in_one_another(street):
    parts = [part(street, [0, 1, 3, 5], depth=1.0), part(street, [6, 7]), part(street, [8, 9, 10], seg=1.0)]
    repeated = dict(type='RepeatDataset', times=2, dataset=dict(type='ConcatDataset', datasets=parts))
    known = corruption_of_wrappers(build(street, repeated), TASKS)
    assert {task: np.flatnonzero(flags).tolist() for task, flags in known.items()} == dict(
        depth=[0, 1, 2, 3], seg=[6, 7, 8]
    )


def test_without_a_wrapper_and_of_unknown_tasks(street):
    assert corruption_of_wrappers(build(street, part(street, [0, 1, 2])), TASKS) == {}
    assert corruption_of_wrappers(build(street), ('seg', 'normals')) == {}


def write(path, *lines: str) -> str:
    path.write_text('\n'.join(lines) + '\n')
    return str(path)


def test_a_file_with_keys_and_paths(street, tmp_path):
    instances = build(street)
    path = write(tmp_path / 'a.csv', 'task,file', f'seg,{instances.files[3]}', f'depth,{instances.paths[0]}')
    known = corruption_in_csv(path, instances, TASKS)
    assert {task: np.flatnonzero(flags).tolist() for task, flags in known.items()} == dict(seg=[3], depth=[0])


def test_a_file_that_says_of_each_label_whether_it_is_wrong(street, tmp_path):
    instances = build(street)
    lines = [f'{file},seg,{flag}' for file, flag in zip(instances.files, ['0', '1', 'False', 'True'], strict=False)]
    known = corruption_in_csv(write(tmp_path / 'a.csv', 'file,task,corrupted', *lines), instances, TASKS)
    assert np.flatnonzero(known['seg']).tolist() == [1, 3]


def test_a_file_that_other_programs_have_written(street, tmp_path):
    instances = build(street)
    lines = [f'{file},seg,{flag}' for file, flag in zip(instances.files, ['1.0', '', 'TRUE', '0.0'], strict=False)]
    text = '\ufeff' + '\r\n'.join(['file,task,corrupted', *lines, ''])
    (tmp_path / 'a.csv').write_bytes(text.encode())
    known = corruption_in_csv(tmp_path / 'a.csv', instances, TASKS)
    assert np.flatnonzero(known['seg']).tolist() == [0, 2]


def test_a_file_of_what_the_wrapper_knows(street, tmp_path):
    instances = build(street, part(street, list(range(12)), depth=0.5, seg=0.4))
    wrapped = corruption_of_wrappers(instances, TASKS)
    lines = [f'{instances.files[row]},{task}' for task, flags in wrapped.items() for row in np.flatnonzero(flags)]
    read = corruption_in_csv(write(tmp_path / 'a.csv', 'file,task', *lines), instances, TASKS)
    assert {task: flags.tolist() for task, flags in read.items()} == {
        task: flags.tolist() for task, flags in wrapped.items()
    }


def test_the_label_of_a_classifier_has_any_name(street, tmp_path):
    instances = build(street)
    path = write(tmp_path / 'a.csv', 'file,task', f'{instances.files[3]},label')
    assert corruption_in_csv(path, instances, ['product'])['product'].sum() == 1


@pytest.mark.parametrize(
    ('lines', 'match'),
    [
        (['name,task'], r"columns `file` and `task`, got \['name', 'task'\] in '.*a\.csv'"),
        ([''], 'columns `file` and `task`, got'),
        (['file,task', 'aachen_00_leftImg8bit.png,normals'], r"tasks out of \['seg', 'depth'\], got 'normals'"),
        (['file,task', 'aachen_00_leftImg8bit.png,label'], r"tasks out of \['seg', 'depth'\], got 'label'"),
        (['file,task', 'x.png,seg'], r"files of the training set, such as 'aachen_00_leftImg8bit\.png', got 'x\.png'"),
        (
            ['file,task,corrupted', 'aachen_00_leftImg8bit.png,seg,maybe'],
            "must say 1 or 0 of a label, got 'maybe' for",
        ),
    ],
)
def test_files_that_are_refused(street, tmp_path, lines, match):
    with pytest.raises(ValueError, match=match):
        corruption_in_csv(write(tmp_path / 'a.csv', *lines), build(street), TASKS)


def test_a_missing_file(street, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'`corrupted` .*none\.csv. does not exist'):
        corruption_in_csv(tmp_path / 'none.csv', build(street), TASKS)


def test_a_path_of_several_annotations_says_too_little(street, tmp_path):
    instances = build(street)
    shared = replace(
        instances, paths=['/a.png', '/a.png', *instances.paths[2:]], files=['a.png#0', 'a.png#1', *instances.files[2:]]
    )
    with pytest.raises(ValueError, match=r"say which annotation .* 'a.png#0', got '/a.png', which has 2"):
        corruption_in_csv(write(tmp_path / 'a.csv', 'task,file', 'seg,/a.png'), shared, TASKS)
    known = corruption_in_csv(write(tmp_path / 'b.csv', 'task,file', 'seg,a.png#1'), shared, TASKS)
    assert np.flatnonzero(known['seg']).tolist() == [1]
