"""The renderer behind :mod:`mmfct.datasets.street_scenes`: a small ray caster in numpy."""
