"""Class image (semantic): each value above 0 is a class, the first of `classes` 1 -> one object a class."""

from typing import TYPE_CHECKING

import numpy as np

from ..table import from_labels
from ._file import File, Wanted, refuse
from ._raster import join, read_pixels
from .labels import drop_axis

if TYPE_CHECKING:
    import pandas as pd


def recognise(file: File) -> bool:
    """Never by itself: see labels.py."""
    return False


def read(file: File, wanted: Wanted) -> "pd.DataFrame":
    """Values -> table; classes are called by their number where no names are given.

    Raises
    ------
    DataError
        ANNOTATION when there are more values than names.
    """
    pixels = read_pixels(file, wanted)
    values = [int(one) for one in np.unique(pixels) if one]
    if wanted.classes and values and values[-1] > len(wanted.classes):
        raise refuse(file, f"the value {values[-1]} is of no class, there are {len(wanted.classes)}", "name them all in `classes`, in the order of their values")  # fmt: skip
    names = {one: wanted.classes[one - 1] if wanted.classes else str(one) for one in values}
    return join([from_labels(drop_axis(stack), names) for stack in pixels])
