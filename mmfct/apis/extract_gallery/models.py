"""Which models a transformation is for."""

from __future__ import annotations

from mmengine.config import Config

from mmfct.apis.extract_gallery.encoder import identify, used_encoders
from mmfct.apis.extract_gallery.images import GalleryImages
from mmfct.models import FrozenEncoders
from mmfct.retrieval.gallery.provenance import ModelIdentity


def identify_models(
    config: Config, network: FrozenEncoders | None = None, images: GalleryImages | None = None
) -> dict[str, ModelIdentity]:
    """Identify the models by role as galleries of them do, so that a transform fits these galleries.

    Args:
        config: Config of a `mmfct.ForwardTransform`.
        network: Its encoders; ``None`` to load them.
        images: Images that galleries are made of, whose preprocessing belongs to the models; ``None`` for those of
            the config, if it has any.
    """
    encoders = used_encoders(config.model)
    network = network or FrozenEncoders(**encoders)
    models = {role: identify(network.encoders[role], encoders[role]) for role in network.roles}
    if images is None and config.get('test_dataloader') is not None:
        images = GalleryImages(config)
    if images is None:
        return models
    preprocessing = images.preprocessing(images[0]['inputs'])
    return {role: model.with_preprocessing(preprocessing) for role, model in models.items()}
