"""The trained transformation as a file, and how it is applied to stored embeddings."""
