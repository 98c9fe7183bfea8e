"""Simulate: settings and a seed -> images as a microscope would take them, with what is truly in them."""
