"""What every room uses: files, fingerprints, checkpoints, progress, tables, figures, ranks, errors."""
