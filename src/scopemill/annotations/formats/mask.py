"""Binary mask: everything above 0 -> its connected parts as objects (touching at a corner counts), or one object."""

from typing import TYPE_CHECKING

import numpy as np

from ..table import from_labels
from ._file import File, Wanted
from ._raster import join, read_pixels
from .labels import drop_axis

if TYPE_CHECKING:
    import pandas as pd


def recognise(file: File) -> bool:
    """Never by itself: see labels.py."""
    return False


def read(file: File, wanted: Wanted) -> "pd.DataFrame":
    """Mask -> table, each time point and (in all three dimensions) each part by itself."""
    from scipy import ndimage

    tables = []
    for stack in read_pixels(file, wanted):
        mask = drop_axis(stack) > 0
        if wanted.components:
            tables.append(from_labels(ndimage.label(mask, np.ones((3,) * mask.ndim))[0]))
        else:
            tables.append(from_labels(mask.astype(np.uint32)))
    return join(tables)
