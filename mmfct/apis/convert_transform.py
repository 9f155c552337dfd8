"""Write the network of a transform file as ONNX or TorchScript."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from mmfct.retrieval.transform.apply import Transform
from mmfct.retrieval.transform.network import TransformNetwork
from mmfct.utils.files import replaced_when_done
from mmfct.utils.fingerprint import canonical_json
from mmfct.utils.torchscript import load_torchscript

# Of the standard operators of ONNX, which the file states, too.
OPSET = 18
# Entry of the metadata of an ONNX file, and name of the extra file of a TorchScript file, with what the file is.
METADATA = 'mmfct_transform'
OUTPUT = 'upgraded'
# Of a result from that of the transform file, relative to the largest value: float32, summed in another order.
_TOLERANCE = 1e-5
# Rows that the file is traced with and those that it is compared on.
_TRACED_ROWS, _COMPARED_ROWS = 3, (1, 8)
_ONNX, _TORCHSCRIPT = ('.onnx',), ('.pt', '.pth', '.ts')

Run = Callable[[Sequence[Tensor]], Tensor]


def convert_transform(transform: str | Path, out: str | Path) -> dict[str, Any]:
    """Write the network of a transform file for programs that run ONNX or TorchScript.

    The inputs are ``old`` (N, D) and, if the transformation uses side-information, ``side`` (N, S); the output is
    ``upgraded`` (N, D'), all float32, with any N. The written file is run on other rows, and only kept if it computes
    the same to 1e-5 of the largest value. It does not refuse vectors of another model, as an upgrade does: which
    models and which lengths it was learned for is in its metadata. An uncertainty is not part of it.

    Args:
        transform: The transform file.
        out: The file: ``.onnx``, or ``.pt``, ``.pth`` or ``.ts`` for TorchScript.

    Returns:
        The metadata: models (``old``, ``new``, ``side``), widths, ``direction`` (``query`` of an adapter, else
        ``gallery``), ``distance``, ``inputs`` and the ``fingerprint`` of the transform file. In ONNX they are JSON
        under ``mmfct_transform`` of ``metadata_props``, in TorchScript the extra file of that name.

    Raises:
        FileNotFoundError: If there is no transform file.
        ImportError: If ONNX is asked for and onnx or onnxruntime is not installed.
        ValueError: If the transform file is damaged, ``out`` has another suffix, or the written file computes
            something else.
    """
    out = Path(out)
    if out.suffix not in _ONNX + _TORCHSCRIPT:
        raise ValueError(
            f'`out` must end in .onnx for ONNX, or in {", ".join(_TORCHSCRIPT)} for TorchScript, got {str(out)!r}'
        )
    is_onnx = out.suffix in _ONNX
    if is_onnx:
        onnx_modules()  # before anything is done
    loaded = Transform(transform)
    metadata = transform_metadata(loaded)
    network = loaded.network if _takes_side(loaded) else _OldAlone(loaded.network)
    write, read = (_write_onnx, _read_onnx) if is_onnx else (_write_torchscript, _read_torchscript)
    out.parent.mkdir(parents=True, exist_ok=True)
    with replaced_when_done(out) as temporary:
        write(network.eval(), _rows(loaded, _TRACED_ROWS), canonical_json(metadata), temporary)
        _compare(loaded, read(temporary), out)
    inputs = ', '.join(f'{name} (N, {metadata[f"{name}_dims"]})' for name in _input_names(loaded))
    kind = f'ONNX of opset {OPSET}' if is_onnx else 'TorchScript'
    left_out = ', without its uncertainty' if loaded.predicts_uncertainty else ''
    print_log(f'{out}: {kind}, {inputs} -> {OUTPUT} (N, {metadata["new_dims"]}){left_out}', 'current')
    return metadata


def transform_metadata(transform: Transform) -> dict[str, Any]:
    """Return what a converted file says about itself, as plain JSON."""
    description = transform.description
    names = ('old', 'new', 'side', 'old_dims', 'side_dims', 'new_dims')
    known = description.to_json()
    inputs = {role: dict(entries) for role, entries in description.inputs.items()}
    direction = 'query' if description.maps_queries else 'gallery'
    further = dict(
        direction=direction, distance=description.distance, inputs=inputs, fingerprint=transform.fingerprint
    )
    return {name: known[name] for name in names} | further


def onnx_modules() -> tuple[ModuleType, ModuleType]:
    """Import onnx and onnxruntime.

    Raises:
        ImportError: If one is not installed.
    """
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise ImportError(
            'ONNX needs onnx, and onnxruntime to check what is written; install both with '
            f"`pip install 'mmfct[onnx]'` ({error})"
        ) from error
    return onnx, onnxruntime


class _OldAlone(nn.Module):
    """A network whose only input is the old embedding."""

    def __init__(self, network: TransformNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, old: Tensor) -> Tensor:
        """Old embeddings (N, D) -> upgraded embeddings (N, D')."""
        return self.network(old)


def _takes_side(transform: Transform) -> bool:
    return transform.description.side is not None and transform.network.uses_side


def _input_names(transform: Transform) -> list[str]:
    return ['old', 'side'] if _takes_side(transform) else ['old']


def _rows(transform: Transform, number: int) -> list[Tensor]:
    """Return random inputs, as long as those that the transformation was learned from."""
    rows = []
    for name in _input_names(transform):
        width = getattr(transform.description, f'{name}_dims')
        values = torch.randn(number, width, generator=torch.Generator().manual_seed(number))
        profile = transform.profiles.get(name)
        if profile is not None:
            values = values / values.norm(dim=1, keepdim=True) * profile.norms[len(profile.norms) // 2]
        rows.append(values)
    return rows


def _write_onnx(network: nn.Module, inputs: list[Tensor], metadata: str, path: Path) -> None:
    onnx, _ = onnx_modules()
    names = ['old', 'side'][: len(inputs)]
    with torch.no_grad(), warnings.catch_warnings():
        # The exporter that torch recommends needs another package, and makes the same of a few matrix products.
        warnings.simplefilter('ignore')
        torch.onnx.export(
            network,
            tuple(inputs),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=names,
            output_names=[OUTPUT],
            dynamic_axes={name: {0: 'rows'} for name in (*names, OUTPUT)},
        )
    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, {METADATA: metadata})
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))


def _read_onnx(path: Path) -> Run:
    _, onnxruntime = onnx_modules()
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    names = [value.name for value in session.get_inputs()]

    def run(rows: Sequence[Tensor]) -> Tensor:
        values = {name: value.numpy() for name, value in zip(names, rows, strict=True)}
        return torch.from_numpy(session.run([OUTPUT], values)[0])

    return run


def _write_torchscript(network: nn.Module, inputs: list[Tensor], metadata: str, path: Path) -> None:
    with torch.no_grad(), warnings.catch_warnings():
        # torch recommends other formats.
        warnings.filterwarnings('ignore', message='.*torch.jit', category=FutureWarning)
        warnings.filterwarnings('ignore', message='.*torch.jit', category=DeprecationWarning)
        script = torch.jit.trace(network, tuple(inputs), check_trace=False)
        torch.jit.save(script, str(path), _extra_files={METADATA: metadata.encode()})


def _read_torchscript(path: Path) -> Run:
    script = load_torchscript(path)
    return lambda rows: script(*rows)


@torch.no_grad()
def _compare(transform: Transform, run: Run, out: Path) -> None:
    for number in _COMPARED_ROWS:
        rows = _rows(transform, number)
        wanted, got = transform(*rows), run(rows)
        scale = wanted.abs().max().clamp_min(1e-30)
        error = (got - wanted).abs().max() / scale if got.shape == wanted.shape else torch.tensor(torch.inf)
        if not error <= _TOLERANCE:
            raise ValueError(
                f'{out} must compute what {transform.path} does to {_TOLERANCE:g} of the largest value, got a '
                f'difference of {error.item():.2g} for {number} rows; it was not written'
            )
