"""The renderer behind :mod:`renderers.street_scenes`: a small ray caster in numpy."""
