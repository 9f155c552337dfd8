"""Galleries on disk: folders of `.npy` shards with a checked manifest."""
