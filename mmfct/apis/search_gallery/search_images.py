"""Search a gallery for the neighbours of image files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.device import get_device

from mmfct.apis.extract_gallery.encoder import load_encoder, load_model_config
from mmfct.apis.extract_gallery.images import GalleryImages
from mmfct.apis.search_gallery.adapted import Adapted, AdapterFiles
from mmfct.apis.search_gallery.neighbours import Found, find_neighbours
from mmfct.apis.search_gallery.report import check_sheet, report_neighbours
from mmfct.retrieval import Gallery
from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance, check_same_model


def search_images(
    gallery: str | Path,
    images: Sequence[str],
    filename: str,
    checkpoint: str,
    *,
    role: str = 'new',
    k: int = 5,
    index: str | Path | None = None,
    image_root: str | Path | None = None,
    out: str | Path | None = None,
    cfg_options: dict[str, Any] | None = None,
    adapter: AdapterFiles | None = None,
) -> Found:
    """Embed image files with the gallery's model and report their neighbours.

    Args:
        gallery: Folder of the gallery.
        images: Image files; a file may occur more than once.
        filename: Config of the model, see `load_encoder`.
        checkpoint: Its checkpoint.
        role: See `load_encoder`.
        k: Number of neighbours.
        index: File of a FAISS index of the gallery; ``None`` for an exact search.
        image_root: Folder of the images that the ids of the gallery are relative to, for the sheet.
        out: Folder of ``neighbours.json`` and, with ``image_root``, ``neighbours.png``; ``None`` for no files.
        cfg_options: Options of the config, see `load_config`.
        adapter: How images that a newer model embeds search the gallery; ``None`` for the gallery's own model.

    Returns:
        The neighbours.

    Raises:
        FileNotFoundError: If a folder or file is missing.
        ImportError: If an index is given and FAISS is not installed.
        ValueError: If the model is not the gallery's, or not that of the adapter, an image cannot be read, or
            something is damaged.
    """
    check_sheet(image_root, None, out)
    opened = Gallery(gallery)
    config = load_model_config(filename, cfg_options)
    encoder = load_encoder(config, checkpoint, role=role, with_side=False)
    adapted = None if adapter is None else Adapted.open(adapter, opened, index=index)

    def check_model(model: ModelIdentity) -> None:
        if adapted is None:
            check_same_model(model, Provenance.from_metadata(opened.metadata))
        else:
            adapted.check_model(model)

    check_model(encoder.embedding)  # before any image is read
    files = [Path(image).absolute() for image in images]
    once = list(dict.fromkeys(str(file) for file in files))  # items of a data set have names of their own
    data = GalleryImages(config, folder='/', files=once)
    encode = encoder.encode.to(device := get_device())
    made_by = encoder.embedding.with_preprocessing(data.preprocessing(data[0]['inputs']))
    check_model(made_by)
    rows = [encode(data[number]['inputs'][None].to(device)).embedding for number in range(len(data))]
    embeddings = np.asarray(torch.cat(rows).float().cpu())[[once.index(str(file)) for file in files]]
    found = find_neighbours(opened, embeddings, made_by, names=list(images), k=k, index=index, adapted=adapted)
    return report_neighbours(found, list(files), image_root, out)
