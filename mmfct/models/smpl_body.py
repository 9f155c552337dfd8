"""The body model SMPL, from user-supplied files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mmfct.datasets.smpl_skeleton import JOINTS, NUM_SHAPES, PARENTS
from mmfct.datasets.surreal_files import GENDERS
from mmfct.registry import MODELS

# Arrays of a file, and the sizes that do not depend on the number V of vertices; there may be more shapes than used.
_ARRAYS = dict(
    v_template=('V', 3),
    shapedirs=('V', 3, None),
    posedirs=('V', 3, 207),
    J_regressor=(24, 'V'),
    weights=('V', 24),
    kintree_table=(2, 24),
)


@MODELS.register_module()
class SmplBody(nn.Module):
    """SMPL (Loper et al., "SMPL: A Skinned Multi-Person Linear Model", SIGGRAPH Asia 2015), skinned by ``smplx``.

    A file is ``SMPL_FEMALE.npz`` or the like with the arrays ``v_template``, ``shapedirs``, ``posedirs``,
    ``J_regressor``, ``weights`` and ``kintree_table`` of the published model. The published files are pickles, which
    can run any program when they are opened, and are refused. Convert one that you trust, with ``chumpy`` and
    ``scipy`` installed if it needs them: ``numpy.savez(path, J_regressor=model['J_regressor'].toarray(), ...)``, and
    ``numpy.array(model[name])`` for the five others.

    Args:
        files: File by gender, ``'female'`` and ``'male'``.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a gender is unknown, or a file has another gender or another format.
        ImportError: If ``smplx`` is not installed.
    """

    def __init__(self, files: Mapping[str, str]) -> None:
        super().__init__()
        if not files or not set(files) <= set(GENDERS):
            raise ValueError(f'`files` must be a file by gender, of {GENDERS}, got {dict(files)!r}')
        self.genders = tuple(files)
        for gender, path in files.items():
            for name, array in _read_body(path, gender).items():
                self.register_buffer(f'{gender}_{name}', torch.from_numpy(array), persistent=False)
        self.register_buffer('parents', torch.tensor(PARENTS), persistent=False)
        try:
            import smplx.lbs
        except ImportError as error:
            raise ImportError("mmfct.SmplBody needs smplx; install it with `pip install 'mmfct[smpl]'`") from error
        self._skin = smplx.lbs.lbs

    def forward(self, rotations: Tensor, shape: Tensor, gender: Tensor) -> tuple[Tensor, Tensor]:
        """Pose bodies.

        Args:
            rotations: Rotation matrices of shape (B, 24, 3, 3), each relative to the joint before.
            shape: Shapes (B, 10).
            gender: 0 for female, 1 for male, (B,); files of one gender are for people of this gender only.

        Returns:
            Vertices (B, V, 3) and joints (B, 24, 3), in metres.

        Raises:
            ValueError: If there is no file for a gender.
        """
        bodies = [
            self._pose(GENDERS[int(sex)], rotations[i : i + 1], shape[i : i + 1]) for i, sex in enumerate(gender)
        ]
        vertices, joints = zip(*bodies, strict=True)
        return torch.cat(vertices), torch.cat(joints)

    def _pose(self, gender: str, rotations: Tensor, shape: Tensor) -> tuple[Tensor, Tensor]:
        if gender not in self.genders:
            raise ValueError(f'`files` must have a body model for every gender in the data, got none for {gender!r}')
        arrays = {name: self.get_buffer(f'{gender}_{name}') for name in _ARRAYS if name != 'kintree_table'}
        posedirs = arrays['posedirs'].flatten(0, 1).mT  # (207, 3 V)
        return self._skin(
            shape,
            rotations,
            arrays['v_template'],
            arrays['shapedirs'],
            posedirs,
            arrays['J_regressor'],
            self.parents,
            arrays['weights'],
            pose2rot=False,
        )


def _read_body(path: str, gender: str) -> dict[str, np.ndarray]:
    """Read and check a file; return its arrays as float32, without the tree."""
    if not Path(path).is_file():
        raise FileNotFoundError(f'the {gender} body model {path} does not exist')
    if not str(path).endswith('.npz'):
        raise ValueError(
            f'`files` must be .npz files: a pickle can run any program when it is opened, got {str(path)!r}; convert '
            'one that you trust as the documentation of mmfct.SmplBody says'
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files if name in (*_ARRAYS, 'gender')}
    except Exception as error:  # damaged bytes raise anything, from BadZipFile to zlib.error
        raise ValueError(
            f'{path} is not a readable .npz file of plain arrays ({error}); the documentation of mmfct.SmplBody says '
            'how to convert a published file'
        ) from error
    # `female` has `male` in it.
    named = re.search(r'female|male|neutral', Path(path).name.lower())
    said = str(found.pop('gender', named[0] if named else gender)).lower()
    if said != gender:
        raise ValueError(f'`files` must have the {gender} body model for {gender!r}, got that of {said!r}: {path}')
    missing = sorted(set(_ARRAYS) - set(found))
    if missing:
        raise ValueError(f'{path} must be a body model of SMPL with {sorted(_ARRAYS)}, got none of {missing}')
    odd = [name for name in _ARRAYS if found[name].dtype.kind not in 'iuf' or not np.isfinite(found[name]).all()]
    if odd:
        raise ValueError(f'{path} must hold finite numbers, got something else in {odd}')
    count = len(np.atleast_1d(found['v_template']))
    for name, sizes in _ARRAYS.items():
        expected = tuple(count if size == 'V' else size for size in sizes)
        shape = found[name].shape
        if len(shape) != len(expected) or any(e not in (None, s) for e, s in zip(expected, shape, strict=True)):
            raise ValueError(f'{path} must have {name!r} of shape {sizes}, with V = {count}, got {shape}')
    if found['shapedirs'].shape[2] < NUM_SHAPES:
        raise ValueError(f"{path} must have {NUM_SHAPES} shapes in 'shapedirs', got {found['shapedirs'].shape[2]}")
    found['shapedirs'] = found['shapedirs'][..., :NUM_SHAPES]
    tree = found.pop('kintree_table')
    if tuple(tree[0, 1:].tolist()) != PARENTS[1:]:
        raise ValueError(f'{path} must have the tree of the {len(JOINTS)} joints of SMPL, got {tree[0].tolist()}')
    return {name: array.astype(np.float32) for name, array in found.items()}
