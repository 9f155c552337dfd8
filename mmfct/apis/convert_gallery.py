"""Convert galleries to Parquet and back."""

from __future__ import annotations

import logging
from pathlib import Path

from mmengine.logging import print_log

from mmfct.retrieval import Gallery
from mmfct.retrieval.gallery.manifest import MANIFEST
from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance
from mmfct.retrieval.parquet.convert import read_parquet, write_parquet
from mmfct.retrieval.parquet.gallery import find_parquet


def convert_gallery(
    source: str | Path,
    out: str | Path,
    *,
    model: str | None = None,
    fingerprint: str | None = None,
    side_model: str | None = None,
    side_fingerprint: str | None = None,
    distance: str = 'l2',
    shard_rows: int = 16384,
    accept_changes: bool = False,
) -> Path:
    """Write a gallery as Parquet, or Parquet as a gallery.

    Args:
        source: Folder of a gallery; or a Parquet file, or a folder of them.
        out: Where to write; Parquet becomes one file if the name ends with ``.parquet``, else a folder.
        model: For Parquet of another program: name of the model that made the embeddings.
        fingerprint: `fingerprint_state_dict` of its weights.
        side_model: For Parquet of another program: name of the model that made the column ``side_info``.
        side_fingerprint: Fingerprint of its weights.
        distance: For Parquet of another program: distance by which the embeddings are compared.
        shard_rows: For Parquet of another program: rows per shard of the gallery.
        accept_changes: For Parquet that was written from a gallery: whether another program may have changed its rows.

    Returns:
        ``out``.

    Raises:
        FileExistsError: If ``out`` exists.
        FileNotFoundError: If ``source`` is neither.
        ImportError: If pyarrow is not installed.
        ValueError: If ``source`` is damaged, or a gallery cannot be made of it.
    """
    out = Path(out)
    if (Path(source) / MANIFEST).is_file():
        gallery = Gallery(source)
        write_parquet(gallery, out)
    else:
        embedding = _identity('model', model, 'fingerprint', fingerprint)
        side_info = _identity('side_model', side_model, 'side_fingerprint', side_fingerprint)
        if side_info is not None and embedding is None:
            raise ValueError(f'`side_model` needs `model`, got {side_model!r} alone')
        provenance = None if embedding is None else Provenance(embedding, side_info, distance)
        files, passed_over = find_parquet(Path(source))
        if passed_over:
            text = (
                f'{source}: {len(files)} Parquet files are read, {len(passed_over)} other files are passed over, such '
            )
            print_log(f'{text}as {passed_over[0]}', 'current', logging.WARNING)
        gallery = read_parquet(
            source, out, provenance=provenance, shard_rows=shard_rows, accept_changes=accept_changes
        )
        if 'side_info' in gallery.columns and Provenance.from_metadata(gallery.metadata).side_info is None:
            text = f'{out} has side-information of an unknown model: no transform will use it; give `side_model`'
            print_log(text, 'current', logging.WARNING)
    print_log(f'{out}: {len(gallery)} rows of {", ".join(gallery.columns)}', 'current')
    return out


def _identity(name: str, model: str | None, key: str, fingerprint: str | None) -> ModelIdentity | None:
    if model is None and fingerprint is None:
        return None
    if model is None or fingerprint is None:
        raise ValueError(f'`{name}` and `{key}` must be given together, got {model!r} and {fingerprint!r}')
    return ModelIdentity(model, fingerprint)
