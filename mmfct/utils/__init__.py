"""Helpers that every other package may import: files, fingerprints, checkpoints, tables, progress, ranks, errors."""
