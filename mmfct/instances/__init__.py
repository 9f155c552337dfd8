"""Training instances: their keys, and what a model keeps about each of them."""
