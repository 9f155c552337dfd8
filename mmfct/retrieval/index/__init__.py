"""Nearest neighbours in a gallery: exact search (`exact`), FAISS indexes (`faiss_index`) and their files (`file`)."""
