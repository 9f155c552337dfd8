"""How encoders are named."""

from __future__ import annotations

import pytest
from torch import nn

from mmfct.apis.extract_gallery.encoder import identify
from mmfct.utils.fingerprint import fingerprint_state_dict


@pytest.mark.parametrize(
    ('config', 'name'),
    [
        (dict(checkpoint='work/model_v1/final.pth'), 'model_v1'),
        (dict(checkpoint='work/model_v1/final.pth::ema_state_dict'), 'model_v1'),
        (dict(checkpoint='work/model_v2.pth', backbone=dict(type='X')), 'model_v2'),
        (dict(backbone=dict(type='mmfct.TorchScriptBackbone', checkpoint='published.pt')), 'published'),
        (dict(backbone=dict(type='ResNet', init_cfg=dict(type='Pretrained', checkpoint='w/r50.pth'))), 'r50'),
        (dict(type='mmfct.JoinedEncoder', encoders=[dict(checkpoint='a/final.pth'), dict(checkpoint='b.pth')]), 'a+b'),
    ],
)
def test_name_and_fingerprint(config, name):
    encoder = nn.Linear(2, 3)
    identity = identify(encoder, config)
    assert (identity.name, identity.fingerprint) == (name, fingerprint_state_dict(encoder.state_dict()))
