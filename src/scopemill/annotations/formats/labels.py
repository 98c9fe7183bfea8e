"""Label image (TIFF, PNG, BMP; planes and times as the image has them): each value above 0 is one object."""

from typing import TYPE_CHECKING

import numpy as np

from ..table import from_labels
from ._file import File, Wanted, refuse
from ._raster import is_picture, join, read_pixels

if TYPE_CHECKING:
    import pandas as pd

MASK_VALUES = (1, 255)


def recognise(file: File) -> bool:
    """Any picture: what its values mean cannot be seen, and this is what they mostly are."""
    return is_picture(file)


def read(file: File, wanted: Wanted) -> "pd.DataFrame":
    """Values -> table.

    Raises
    ------
    DataError
        ANNOTATION also for a picture, not called labels, that looks like a mask: one value, 1 or 255, in several parts.
    """
    pixels = read_pixels(file, wanted)
    if wanted.guessed:
        refuse_mask(file, pixels)
    tables = [from_labels(drop_axis(one)) for one in pixels]
    return join(tables)


def drop_axis(stack: np.ndarray) -> np.ndarray:
    """(Z, Y, X) -> (Y, X) where there is one plane."""
    return stack[0] if len(stack) == 1 else stack


def refuse_mask(file: File, pixels: np.ndarray) -> None:
    """Taking a mask for labels would make one object of all."""
    from scipy import ndimage

    highest = pixels.max(initial=0)
    if highest in MASK_VALUES and not ((pixels > 0) & (pixels < highest)).any():
        parts = ndimage.label(pixels > 0, np.ones((3,) * pixels.ndim))[1]
        if parts > 1:
            raise refuse(file, f"its only value is {highest}, in {parts} parts: labels of one object, or a mask?", "set `format` to labels, mask or classes")  # fmt: skip
