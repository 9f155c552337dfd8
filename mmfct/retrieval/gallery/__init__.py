"""Galleries on disk: folders of `.npy` shards and a manifest that describes and checks them.

From the ground up: `texts` (columns of texts), `description` (columns, shards, metadata), `shard` (the files of a
shard), `manifest`, `provenance` (which models made the embeddings), `reader`, `writer`, `selection` (copy rows),
`mixed` (upgraded and recomputed embeddings together), `extended` (items appended and removed) and `parts` (made by
independent jobs, and merged).
"""
