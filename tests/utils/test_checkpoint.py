"""Tests of reading checkpoints without running code that they may carry."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from mmfct.utils import checkpoint as checkpoint_module
from mmfct.utils.checkpoint import checkpoint_file, load_checkpoint, load_state_dict, load_weights


class Hostile:
    """Creates a file when it is unpickled the usual way."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


class HostileShell(Hostile):
    """The same through a shell."""

    def __reduce__(self):
        return os.system, (f'touch {self.path}',)


class HostileLookUp(Hostile):
    """Starts from what mmengine's own checkpoints refer to by name."""

    def __reduce__(self):
        return getattr, (HistoryBuffer, '__init__')


@pytest.mark.parametrize('name', ['new.pth', 'legacy.pth'])
def test_weights_come_back(tmp_path, name):
    weights = {'a': torch.randn(2, 3), 'b': torch.arange(4)}
    torch.save(weights, tmp_path / name, _use_new_zipfile_serialization=name == 'new.pth')
    assert load_checkpoint(tmp_path / name).keys() == weights.keys()
    loaded = load_state_dict(tmp_path / name)
    assert all(torch.equal(loaded[key], weights[key]) for key in weights)
    torch.save(dict(state_dict=weights, meta=dict(epoch=3)), tmp_path / name)
    assert load_state_dict(tmp_path / name).keys() == weights.keys()
    assert load_checkpoint(str(tmp_path / name))['meta'] == dict(epoch=3)


def test_hosts_that_read_weights_only_can_resume(tmp_path):
    # As upstream mmengine 0.10.7 calls it; with torch 2.6 that means `weights_only`.
    saved = dict(
        message_hub=dict(log_scalars={'train/loss': HistoryBuffer([2.0, 1.0], [1, 1])}),
        optimizer=dict(state={0: dict(step=torch.tensor(3.0))}, param_groups=[dict(lr=np.float64(0.1))]),
    )
    torch.save(saved, tmp_path / 'epoch_1.pth')
    torch.serialization.add_safe_globals(checkpoint_module._MMENGINE_GLOBALS)  # as when it was imported
    loaded = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)
    assert loaded['message_hub']['log_scalars']['train/loss'].current() == 1.0
    assert loaded['optimizer'] == saved['optimizer']
    for hostile in (Hostile(tmp_path / 'ran'), HostileShell(tmp_path / 'ran'), HostileLookUp(tmp_path / 'ran')):
        torch.save(dict(message_hub=hostile), tmp_path / 'hostile.pth')
        with pytest.raises(pickle.UnpicklingError):
            torch.load(tmp_path / 'hostile.pth', weights_only=True)
    assert not (tmp_path / 'ran').exists()


def test_a_load_by_mmengine_takes_nothing_away(tmp_path):
    torch.save(dict(history=HistoryBuffer([1.0, 3.0], [1, 1])), tmp_path / 'epoch_1.pth')
    with torch.serialization.safe_globals([HistoryBuffer, np.ndarray]):  # which removes them at the end
        pass
    assert load_checkpoint(tmp_path / 'epoch_1.pth')['history'].mean() == 2


def test_a_checkpoint_written_with_numpy_1_loads(tmp_path):
    # There the functions that rebuild arrays are in another module.
    path = tmp_path / 'new.pth'
    torch.save(dict(history=HistoryBuffer([1.0, 3.0], [1, 1]), best=np.float64(0.5)), path)
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(tmp_path / 'old.pth', 'w') as target:
        contents = {name: source.read(name) for name in source.namelist()}
        for name, content in contents.items():
            target.writestr(name, content.replace(b'numpy._core', b'numpy.core'))
    assert any(b'numpy._core' in content for content in contents.values())
    checkpoint = load_checkpoint(tmp_path / 'old.pth')
    assert checkpoint['history'].mean() == 2 and checkpoint['best'] == 0.5


@pytest.mark.parametrize('hostile', [Hostile, HostileShell, HostileLookUp])
@pytest.mark.parametrize('form', ['new', 'legacy', 'pickle'])
@pytest.mark.filterwarnings('ignore:Detected pickle protocol')
def test_code_in_a_checkpoint_does_not_run(tmp_path, hostile, form):
    made, path = tmp_path / 'made', tmp_path / 'hostile.pth'
    checkpoint = dict(state_dict={'a': torch.ones(1)}, meta=hostile(made))
    if form == 'pickle':
        path.write_bytes(pickle.dumps(checkpoint))
    else:
        torch.save(checkpoint, path, _use_new_zipfile_serialization=form == 'new')
    with pytest.raises(ValueError, match=r'hostile.pth.* is refused: it holds Python objects .* could run code'):
        load_checkpoint(path)
    assert not made.exists()
    if hostile is not HostileLookUp:  # the test can fail
        if form == 'pickle':
            pickle.loads(path.read_bytes())
        else:
            torch.load(path, weights_only=False)
        assert made.exists()


def test_a_whole_pickled_model_is_refused(tmp_path):
    torch.save(torch.torch.nn.Linear(2, 2), tmp_path / 'model.pth')
    with pytest.raises(ValueError, match='is refused: it holds Python objects'):
        load_state_dict(tmp_path / 'model.pth')


@pytest.mark.parametrize('legacy', [False, True])
@pytest.mark.parametrize('kept', [0, 1, 3, 30, 60, 200, 0.5, 0.99])
def test_a_truncated_checkpoint_is_named(tmp_path, kept, legacy):
    path = tmp_path / 'half.pth'
    torch.save({'a': torch.randn(100, 100)}, path, _use_new_zipfile_serialization=not legacy)
    data = path.read_bytes()
    path.write_bytes(data[: kept if isinstance(kept, int) else int(kept * len(data))])
    with pytest.raises(ValueError, match='half.pth.* cannot be read: it is truncated, damaged or no checkpoint'):
        load_checkpoint(path)


def test_a_damaged_archive_is_named(tmp_path):
    path = tmp_path / 'damaged.pth'
    torch.save({'a': torch.randn(100, 100)}, path)
    content = bytearray(path.read_bytes())
    content[content.index(b'PK\x01\x02')] = 0  # its table of contents
    path.write_bytes(content)
    with pytest.raises(ValueError, match='damaged.pth.* cannot be read: it is truncated, damaged or no checkpoint'):
        load_checkpoint(path)


@pytest.mark.parametrize('text', ['<html>not found</html>', 'version https://git-lfs.github.com/spec/v1\n'])
def test_a_text_under_the_name_of_a_checkpoint_is_named(tmp_path, text):
    (tmp_path / 'text.pth').write_text(text)
    with pytest.raises(ValueError, match=r'text.pth.* or no checkpoint \(Weights only load failed\)$'):
        load_checkpoint(tmp_path / 'text.pth')


@pytest.mark.filterwarnings('ignore:.*torch.jit')
def test_weights_of_a_torchscript_file(tmp_path):
    model, path = torch.torch.nn.Linear(2, 3), str(tmp_path / 'script.pt')
    torch.jit.save(torch.jit.script(model), path)
    loaded = load_state_dict(path)
    assert loaded.keys() == model.state_dict().keys()
    assert all(torch.equal(loaded[name], value) for name, value in model.state_dict().items())
    assert load_checkpoint(path).keys() == {'state_dict'}


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='checkpoint .*none.pth.* does not exist'):
        load_checkpoint(tmp_path / 'none.pth')
    with pytest.raises(FileNotFoundError, match='does not exist'):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ([torch.ones(1)], 'must hold a dict, got list'),
        (dict(state_dict=[1]), 'the `state_dict` of checkpoint .* must be a dict, got list'),
        (dict(state_dict=dict(a=1, b=torch.ones(1))), r"must map names to tensors, got other values for \['a'\]"),
        (dict(epoch=3), r"must map names to tensors, got other values for \['epoch'\]"),
    ],
)
def test_a_file_without_weights_is_refused(tmp_path, content, message):
    torch.save(content, tmp_path / 'odd.pth')
    with pytest.raises(ValueError, match=message):
        load_state_dict(tmp_path / 'odd.pth')


def test_weights_are_loaded_also_those_of_a_wrapped_model():
    source, target = torch.nn.Linear(2, 3), torch.nn.Linear(2, 3)
    load_weights(target, {f'module.{name}': value for name, value in source.state_dict().items()}, 'a.pth')
    assert torch.equal(target.weight, source.weight)


def test_weights_of_another_model():
    with pytest.raises(ValueError, match=r"'a\.pth' is of another model: 1 of 2 weights are missing, such as 'bias'"):
        load_weights(torch.nn.Linear(2, 3), dict(weight=torch.zeros(3, 2)), 'a.pth')
    with pytest.raises(ValueError, match=r"'a\.pth' is of another model: size mismatch for weight"):
        load_weights(torch.nn.Linear(2, 3), torch.nn.Linear(3, 3).state_dict(), 'a.pth')


@pytest.mark.parametrize(
    'rename', ['{}', 'module.{}', '_orig_mod.{}', 'module.module._orig_mod.{}', '_fsdp_wrapped_module.{}']
)
def test_levels_of_wrappers_are_removed(tmp_path, rename):
    model = torch.nn.Sequential(torch.nn.Linear(2, 3))
    weights = {rename.format(name): value for name, value in model.state_dict().items()}
    torch.save(dict(state_dict=weights), tmp_path / 'a.pth')
    loaded = load_state_dict(tmp_path / 'a.pth')
    assert loaded.keys() == model.state_dict().keys()


def test_a_compiled_part_and_a_module_of_that_name(tmp_path):
    torch.save({'backbone._orig_mod.w': torch.ones(1), 'module.w': torch.zeros(1)}, tmp_path / 'a.pth')
    assert load_state_dict(tmp_path / 'a.pth').keys() == {'backbone.w', 'module.w'}  # not every name is below it


@pytest.mark.parametrize(('entry', 'average'), [('ema_state_dict', 'steps'), ('model_ema', 'n_averaged')])
def test_a_second_set_of_weights_is_told_of_and_can_be_named(tmp_path, capsys, entry, average):
    path = tmp_path / 'ema.pth'
    other = {'module.w': torch.zeros(2), average: torch.tensor(7)}
    torch.save({'state_dict': dict(w=torch.ones(2)), entry: other, 'optimizer': dict(state={}), 'epoch': 3}, path)
    assert load_state_dict(path)['w'].tolist() == [1, 1]
    said = capsys.readouterr().out
    assert f'`state_dict` is used{", which is the average" if "state" in entry else ";"}' in said
    assert f"for `{entry}`, name it '{path}::{entry}'" in said
    load_state_dict(path)
    assert capsys.readouterr().out == ''  # once is enough
    named = load_state_dict(f'{path}::{entry}')
    assert named.keys() == {'w'} and named['w'].tolist() == [0, 0]
    assert checkpoint_file(f'{path}::{entry}') == checkpoint_file(path) == path
    with pytest.raises(ValueError, match=f"has no weights under 'emma'; it has weights under .*{entry}"):
        load_state_dict(f'{path}::emma')


def test_weights_under_another_entry_are_offered(tmp_path):
    path = tmp_path / 'trainer.pth'
    torch.save(dict(model=dict(w=torch.ones(2)), epoch=3), path)
    with pytest.raises(ValueError, match=r"got other values for .*; it holds weights under 'model': .*::model'"):
        load_state_dict(path)
    assert load_state_dict(f'{path}::model')['w'].tolist() == [1, 1]
