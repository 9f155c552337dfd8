"""Galleries as Parquet."""
