"""A transformation that looks trained, and its transform file."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from mmfct.models.heads import TransformationHead
from mmfct.retrieval.gallery.provenance import ModelIdentity
from mmfct.retrieval.transform.file import TransformDescription, write_transform
from mmfct.utils.fingerprint import fingerprint_json

OLD, SIDE, NEW = (ModelIdentity(name, digit * 64) for name, digit in (('old', '0'), ('side', '1'), ('new', '2')))


@pytest.fixture
def make_head():
    """Function that makes a head with BN statistics and gains of its own."""

    def make_head(old=6, side=4, new=5, **options) -> TransformationHead:
        head = TransformationHead(old, side, new, hidden_dims=8, **options)
        for module in head.modules():
            if isinstance(module, torch.nn.BatchNorm1d):
                module.running_mean.normal_()
                module.running_var.uniform_(0.3, 3)
                torch.nn.init.normal_(module.weight)
                torch.nn.init.normal_(module.bias)
        return head.eval()

    return make_head


@pytest.fixture
def describe():
    """Function that describes a head, with changes."""

    def describe(head, **changes) -> TransformDescription:
        widths = dict(old_dims=head.old_dims, side_dims=head.side_dims, new_dims=head.new_dims)
        return TransformDescription(**(dict(old=OLD, new=NEW, side=SIDE, quality=dict(map=0.5)) | widths | changes))

    return describe


@pytest.fixture
def head(make_head):
    return make_head()


@pytest.fixture
def path(head, describe, tmp_path):
    """Transform file of ``head``."""
    path = tmp_path / 'sub' / 'h.safetensors'
    write_transform(path, head.state_dict(), describe(head))
    return path


@pytest.fixture
def rewrite(path):
    """Function that changes entries of the header of ``path``; ``...`` removes one."""

    def rewrite(**changes) -> None:
        with safe_open(path, framework='pt') as file:
            header = json.loads(file.metadata()['mmfct_transform'])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        header = {name: value for name, value in {**header, **changes}.items() if value is not ...}
        del header['checksum']
        header['checksum'] = fingerprint_json(header)
        save_file(weights, path, metadata=dict(mmfct_transform=json.dumps(header)))

    return rewrite
