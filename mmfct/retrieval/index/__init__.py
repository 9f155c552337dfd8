"""Nearest neighbours: exact search (`exact`), FAISS (`faiss_index`, `file`), queries of newer models (`adapted`)."""
