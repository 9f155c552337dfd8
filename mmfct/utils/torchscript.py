"""Read TorchScript files, the format in which the FCT reference publishes its models."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path

import torch


def is_torchscript(path: str | Path) -> bool:
    """Whether a file is a TorchScript archive, and not another archive of torch or something else."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.partition('/')[2] == 'constants.pkl' for name in archive.namelist())
    except zipfile.BadZipFile:  # no archive, or a damaged one
        return False


def load_torchscript(path: str | Path) -> torch.jit.ScriptModule:
    """Load a TorchScript file on the CPU, in evaluation mode.

    The file holds programs in TorchScript, which is not Python; no Python objects are unpickled.

    Raises:
        FileNotFoundError: If ``path`` is no file.
        ValueError: If it is not a TorchScript file, or damaged.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'`checkpoint` must be an existing TorchScript file, got {str(path)!r}')
    try:
        with warnings.catch_warnings():
            # torch advises its newer formats; what is published is in this one.
            warnings.filterwarnings('ignore', message='.*torch.jit', category=FutureWarning)
            warnings.filterwarnings('ignore', message='.*torch.jit', category=DeprecationWarning)
            return torch.jit.load(str(path), map_location='cpu').eval()
    except RuntimeError as error:
        raise ValueError(
            f'`checkpoint` must be a TorchScript file (`torch.jit.save`), got {str(path)!r}, '
            'which is another format or damaged'
        ) from error
