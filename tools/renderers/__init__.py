"""Renderers of the embedded data: street scenes and clips of people."""
