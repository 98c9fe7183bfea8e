"""Tissue share: a slide's small copy of itself -> which part of it is tissue."""

import numpy as np

from ..errors import DataError
from ..readers import Raw
from ..readers._overview import read_small_copy
from ..stains import estimate_white
from ..tissue import TISSUE, Limits, find_tissue

SPECK = 1e-4  # of the slide: smaller pieces of tissue and holes do not matter here


def measure_tissue(raw: Raw) -> float | None:
    """The share, 0 to 1; None where the file holds no small copy."""
    try:
        copy = read_small_copy(raw)
    except DataError:
        return None  # nothing but the forecast uses it: the image itself may be well
    return None if copy is None else share_of_tissue(copy, raw.rgb)


def share_of_tissue(overview: np.ndarray, rgb: bool) -> float:
    """Of an overview (C, y, x)."""
    white = estimate_white(overview.reshape(len(overview), -1).T) if rgb else None
    speck_px = SPECK * overview[0].size
    classes = find_tissue(overview, white, Limits(speck_px, speck_px))
    return round(float((classes == TISSUE).mean()), 4)
