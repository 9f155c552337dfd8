"""Nearest-neighbour search in galleries: exact, and by FAISS indexes."""
