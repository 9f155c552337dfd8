"""Training instances: their keys, their table of parameters, and what a batch says about them."""
