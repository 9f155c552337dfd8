"""Renderers of small data sets: street scenes in CityScapes' format, clips of people in SURREAL's.

Each folder has ``data_set`` (what to render, and the folder as a whole), ``render`` (one scene or clip, from a random
generator to its labels) and ``files`` (the published format); the other modules draw. ``folder`` knows which rendered
folders are complete. Scripts in ``tools/`` import this package; other programs run ``tools/render_*.py``.
"""
