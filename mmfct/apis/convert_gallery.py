"""Convert galleries to Parquet and back."""

from __future__ import annotations

from pathlib import Path

from mmengine.logging import print_log

from mmfct.retrieval import Gallery
from mmfct.retrieval.gallery_manifest import MANIFEST
from mmfct.retrieval.parquet_reader import read_parquet
from mmfct.retrieval.parquet_writer import write_parquet
from mmfct.retrieval.provenance import ModelIdentity, Provenance


def convert_gallery(
    source: str | Path,
    out: str | Path,
    *,
    model: str | None = None,
    fingerprint: str | None = None,
    distance: str = 'l2',
    shard_rows: int = 16384,
) -> Path:
    """Write a gallery as Parquet, or Parquet as a gallery.

    Args:
        source: Folder of a gallery; or a Parquet file or a folder of them.
        out: Where the other goes; Parquet becomes one file if the name ends with ``.parquet``, else a folder.
        model: Name of the model that made the embeddings, for Parquet that this project did not write.
        fingerprint: `fingerprint_state_dict` of its weights.
        distance: How its embeddings are compared.
        shard_rows: Rows per shard of a gallery from such Parquet.

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
        provenance = None
        if model is not None or fingerprint is not None:
            if model is None or fingerprint is None:
                raise ValueError(
                    f'`model` and `fingerprint` must be given together, got {model!r} and {fingerprint!r}'
                )
            provenance = Provenance(ModelIdentity(model, fingerprint), None, distance)
        gallery = read_parquet(source, out, provenance=provenance, shard_rows=shard_rows)
    print_log(f'{out}: {len(gallery)} rows of {", ".join(gallery.columns)}', 'current')
    return out
