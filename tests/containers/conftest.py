"""Fixtures of the container tests; tests/cluster takes the same ones from image_fixtures."""

from image_fixtures import apptainer, base, image

__all__ = ["apptainer", "base", "image"]
