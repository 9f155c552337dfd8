"""Every kind of transform file computes the same as ONNX and as TorchScript, is upgraded with, and is chained."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from mmfct.apis import convert_transform as module
from mmfct.apis.convert_transform import convert_transform, transform_metadata
from mmfct.apis.learn_transform.candidates import FITS, fit_candidate
from mmfct.apis.learn_transform.mixture import mix
from mmfct.apis.learn_transform.problem import Problem
from mmfct.apis.learn_transform.settings import LearnSettings
from mmfct.apis.upgrade_gallery import upgrade_gallery
from mmfct.apis.upgrade_gallery.job import UpgradeJob
from mmfct.models.heads import TransformationHead
from mmfct.retrieval import Gallery, GalleryWriter
from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance
from mmfct.retrieval.transform.apply import Transform
from mmfct.retrieval.transform.file import TransformDescription, write_network, write_transform
from mmfct.retrieval.transform.profile import InputProfile

ROWS, WIDTH, SIDE_WIDTH = 120, 6, 4
QUICK = LearnSettings(epochs=2, hidden_dims=16, rank=3)
V1, V2, V3, SIDE = map(ModelIdentity.named, ('v1', 'v2', 'v3', 'side'))
CANDIDATES = [*FITS, *(f'{name}+side' for name in list(FITS)[2:]), 'mixture', 'mixture+side']


def rows(seed: int, number: int = ROWS) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return (
        3 + torch.randn(number, WIDTH, generator=generator),
        torch.randn(number, SIDE_WIDTH, generator=generator) - 1,
    )


def fit(name, problem):
    if not name.startswith('mixture'):
        return fit_candidate(name, problem, QUICK)
    parts = ['inflated', 'fct', 'residual+side' if name.endswith('+side') else 'residual']
    return mix([(weight, fit_candidate(part, problem, QUICK)) for weight, part in enumerate(parts, 1)], torch.ones(6))


@pytest.fixture
def write(tmp_path):
    """Function that fits a candidate to random pairs and writes its transform file."""

    def write(name, *, old=V1, new=V2, unit=False, length=None) -> str:
        values, side = rows(1)
        target = values @ torch.randn(WIDTH, WIDTH) + values.roll(1, 0)
        if unit:
            values, side = (torch.nn.functional.normalize(inputs, dim=1) for inputs in (values, side))
        network = fit(name, Problem(values, side, target, unit))
        network.length = length
        takes_side = network.uses_side
        description = TransformDescription(
            old=old,
            new=new,
            side=SIDE if takes_side else None,
            old_dims=WIDTH,
            side_dims=SIDE_WIDTH if takes_side else WIDTH,
            new_dims=WIDTH,
            distance='l2',
        )
        path = tmp_path / f'{name}_{old}.safetensors'
        write_network(path, network, description, dict(old=InputProfile.of(values, unit=unit)))
        return str(path)

    return write


def run_onnx(path, values, side) -> torch.Tensor:
    session = pytest.importorskip('onnxruntime').InferenceSession(str(path), providers=['CPUExecutionProvider'])
    given = dict(old=values.numpy(), side=side.numpy())
    inputs = {one.name: given[one.name] for one in session.get_inputs()}
    assert [one.name for one in session.get_outputs()] == ['upgraded']
    return torch.from_numpy(session.run(['upgraded'], inputs)[0])


def run_torchscript(path, values, side) -> torch.Tensor:
    script = torch.jit.load(str(path))
    inputs = len(list(script.forward.schema.arguments)) - 1
    return script(*(values, side)[:inputs])


def assert_same(got, wanted):
    assert got.shape == wanted.shape and got.dtype == torch.float32
    assert (got - wanted).abs().max() <= 1e-5 * wanted.abs().max()


@pytest.mark.filterwarnings('ignore:.*torch.jit')
@pytest.mark.parametrize('unit', [False, True])
@pytest.mark.parametrize('name', CANDIDATES)
def test_every_candidate_is_the_same_everywhere(write, tmp_path, name, unit):
    pytest.importorskip('onnx')
    path = write(name, unit=unit, length=(0.5, 1.5) if unit else None)
    values, side = rows(2, 33)
    transform = Transform(path)
    wanted = transform(values, side if name.endswith('+side') else None)
    for out, run in (('h.onnx', run_onnx), ('sub/h.pt', run_torchscript)):
        convert_transform(path, tmp_path / out)
        assert_same(run(tmp_path / out, values, side), wanted)
        assert run(tmp_path / out, values[:1], side[:1]).shape == (1, WIDTH)


@pytest.mark.filterwarnings('ignore:.*torch.jit')
@pytest.mark.parametrize('side', [SIDE, None])
@pytest.mark.parametrize('uncertain', [False, True])
def test_the_head_of_the_paper(tmp_path, capsys, side, uncertain):
    pytest.importorskip('onnx')
    width = SIDE_WIDTH if side else WIDTH
    head = TransformationHead(WIDTH, width, 5, hidden_dims=8, with_uncertainty=uncertain).eval()
    dims = dict(old_dims=WIDTH, side_dims=width, new_dims=5)
    write_transform(tmp_path / 'h', head.state_dict(), TransformDescription(old=V1, new=V2, side=side, **dims))
    values, extra = rows(3, 9)
    with torch.no_grad():
        wanted = head(values, extra if side else values)
    for out, run in (('h.onnx', run_onnx), ('h.ts', run_torchscript)):
        metadata = convert_transform(tmp_path / 'h', tmp_path / out)
        assert_same(run(tmp_path / out, values, extra), wanted)
        assert metadata['distance'] is None and metadata['inputs'] == {}
        assert ('without its uncertainty' in capsys.readouterr().out) == uncertain


@pytest.mark.filterwarnings('ignore:.*torch.jit')
def test_files_say_what_they_are(write, tmp_path):
    onnx = pytest.importorskip('onnx')
    path = write('ridge+side')
    metadata = convert_transform(path, tmp_path / 'h.onnx')
    convert_transform(path, tmp_path / 'h.pt')
    assert metadata == transform_metadata(Transform(path))
    assert (metadata['old'], metadata['new'], metadata['side']) == tuple(one.to_json() for one in (V1, V2, SIDE))
    assert (metadata['distance'], metadata['fingerprint']) == ('l2', Transform(path).fingerprint)
    assert metadata['direction'] == 'gallery'
    model = onnx.load(str(tmp_path / 'h.onnx'))
    assert json.loads({entry.key: entry.value for entry in model.metadata_props}['mmfct_transform']) == metadata
    assert [entry.version for entry in model.opset_import] == [module.OPSET]
    extra = dict(mmfct_transform='')
    torch.jit.load(str(tmp_path / 'h.pt'), _extra_files=extra)
    assert json.loads(extra['mmfct_transform']) == metadata


def test_what_computes_something_else_is_not_written(write, tmp_path, monkeypatch):
    path = write('ridge')
    read = module._read_torchscript
    for change in (
        lambda values: values * (1 + 3e-5),
        lambda values: values[:, 1:],
        lambda values: values * torch.nan,
    ):
        monkeypatch.setattr(
            module, '_read_torchscript', lambda file, change=change: lambda inputs: change(read(file)(inputs))
        )
        with pytest.raises(ValueError, match=r'must compute what .* to 1e-05 of the largest value, got a difference'):
            convert_transform(path, tmp_path / 'h.pt')
    assert [file.name for file in tmp_path.iterdir()] == ['ridge_v1.safetensors']


def test_bad_arguments(write, tmp_path, monkeypatch):
    path = write('ridge')
    with pytest.raises(ValueError, match=r"`out` must end in \.onnx .*, got '.*h\.safetensors'"):
        convert_transform(path, tmp_path / 'h.safetensors')
    with pytest.raises(FileNotFoundError, match='does not exist'):
        convert_transform(tmp_path / 'other', tmp_path / 'h.pt')
    monkeypatch.setitem(__import__('sys').modules, 'onnxruntime', None)
    with pytest.raises(ImportError, match=r"pip install 'mmfct\[onnx\]'"):
        convert_transform(path, tmp_path / 'h.onnx')
    assert [file.name for file in tmp_path.iterdir()] == ['ridge_v1.safetensors']


@pytest.fixture
def gallery(tmp_path):
    """A gallery of v1 in shards of 32 rows, with side-information."""
    values, side = rows(4)
    ids = np.array([f'{row}.png' for row in range(ROWS)])
    columns = dict(embedding=('float32', WIDTH), side_info=('float32', SIDE_WIDTH), id=(ids.dtype.str, None))
    metadata = Provenance(V1, SIDE, 'l2').to_metadata()
    writer = GalleryWriter(tmp_path / 'v1', columns=columns, num_rows=ROWS, shard_rows=32, metadata=metadata)
    for index, start, stop in writer.pending():
        part = dict(embedding=values[start:stop].numpy(), side_info=side[start:stop].numpy(), id=ids[start:stop])
        writer.write_shard(index, part)
    writer.finish()
    return str(tmp_path / 'v1')


@pytest.mark.parametrize('name', CANDIDATES)
def test_every_candidate_upgrades_and_is_chained(write, gallery, tmp_path, name):
    first, second = write(name), write('residual+side', old=V2, new=V3)
    values, side = rows(4)
    upgraded = Transform(first)(values, side if name.endswith('+side') else None)
    got = upgrade_gallery(gallery, [first], str(tmp_path / 'v2'), device='cpu')
    np.testing.assert_allclose(got.column('embedding'), upgraded, rtol=1e-4, atol=1e-5)
    assert Provenance.from_metadata(got.metadata).embedding == V2
    chained = upgrade_gallery(gallery, [first, second], str(tmp_path / 'v3'), device='cpu')
    np.testing.assert_allclose(chained.column('embedding'), Transform(second)(upgraded, side), rtol=1e-4, atol=1e-4)
    assert Provenance.from_metadata(chained.metadata).embedding == V3


def test_an_upgrade_with_a_learned_transform_is_resumed(write, gallery, tmp_path, monkeypatch):
    path, out = write('mixture+side'), str(tmp_path / 'out')
    wanted = upgrade_gallery(gallery, [path], str(tmp_path / 'wanted'), device='cpu').fingerprint
    compute = UpgradeJob.compute
    done: list[int] = []

    def interrupted(self, shard, *rest):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(shard.index)
        return compute(self, shard, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(UpgradeJob, 'compute', interrupted)
        with pytest.raises(KeyboardInterrupt):
            upgrade_gallery(gallery, [path], out, device='cpu')
    with pytest.raises(ValueError, match='must be a complete gallery'):
        Gallery(out)
    left: list[int] = []
    monkeypatch.setattr(
        UpgradeJob, 'compute', lambda self, shard, *rest: left.append(shard.index) or compute(self, shard, *rest)
    )
    assert upgrade_gallery(gallery, [path], out, device='cpu').fingerprint == wanted
    assert 0 < len(left) < 4


@pytest.mark.filterwarnings('ignore:.*torch.jit')
def test_the_tool(write, tmp_path, run_tool, capsys):
    path = write('ridge+side')
    assert run_tool('convert_transform.py', path, tmp_path / 'h.pt') == 0
    assert 'TorchScript, old (N, 6), side (N, 4) -> upgraded (N, 6)' in capsys.readouterr().out
    assert run_tool('convert_transform.py', path, tmp_path / 'h.txt') == 2
    assert 'error: `out` must end in .onnx' in capsys.readouterr().err
