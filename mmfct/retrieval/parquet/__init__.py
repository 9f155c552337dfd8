"""Galleries as Parquet: `columns` reads files and their columns, `gallery` reads rows in place, `convert` converts."""
