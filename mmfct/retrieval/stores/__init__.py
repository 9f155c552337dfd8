"""Vectors of other programs: Parquet, ``.npy``, LanceDB and Qdrant, read as galleries (`source.open_source`)."""
