"""Scopemill: raw microscopy images -> converted, segmented, detected, classified and quantified artifacts.

`scopemill.load("results/study")` opens a study's tables in a notebook.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

try:
    __version__ = version("scopemill")
except PackageNotFoundError:  # run from a checkout that is not installed
    __version__ = "0+unknown"


def load(folder: str) -> Any:
    """Tables of a results folder, with the sheet's metadata joined (see `scopemill.results.Results`)."""
    from .results import Results

    return Results(folder)
