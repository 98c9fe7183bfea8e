"""Staining: a raw colour picture and the study's settings -> its stains and the colour of its empty background."""

from collections.abc import Callable, Iterator

import numpy as np

from ..config import Staining
from ..errors import DataError
from ..frames import sample_windows
from ..readers import Raw
from ..stains import Stains, Vector, absorb, estimate_vectors, estimate_white
from ..tissue import LIKELY, TISSUE, find_stained, is_cold

MOST_PX = 10**6  # of tissue, from which vectors are estimated


def find_stains(
    raw: Raw, wanted: Staining | None, note: Callable[[str], None] = lambda text: None
) -> Stains | None:
    """Stains of a raw picture, estimated on sample windows where that is wanted; None where none are.

    Raises
    ------
    DataError
        CHANNELS where the file is no colour picture.
    """
    if wanted is None:
        return None
    if not raw.rgb:
        raise DataError(
            "CHANNELS",
            f"{raw.path.name}: no colour picture, so it has no stains; exclude it in the sheet, or take "
            "`stains` out of the config",
        )
    vectors, white = dict(wanted.expected), wanted.white
    if white is None or wanted.estimate:
        windows = list(read_sample(raw))
        if white is None:
            white = estimate_white(np.concatenate([one.reshape(-1, 3) for one in windows]))
        if wanted.estimate:
            try:
                vectors = estimate_vectors(
                    choose_tissue(windows, white, wanted), white, wanted.expected
                )
            except ValueError as error:
                note(f"stain vectors are those of {wanted.method}, not estimated: {error}")
    return Stains(tuple(vectors), tuple(map(tuple, vectors.values())), tuple(white))


def read_sample(raw: Raw) -> Iterator[np.ndarray]:
    """Windows (Y, X, 3) spread over the middle plane of the first time point; nothing is decoded twice."""
    z, whole = raw.shape[2] // 2, slice(None)
    rows, band = whole, None
    for y, x in sample_windows(raw.shape[3:]):
        if raw.pieces == "tiles":
            yield np.moveaxis(raw.read_rgb(0, z, y, x), 0, -1)
            continue
        if band is None or (raw.pieces == "rows" and rows != y):
            rows = y if raw.pieces == "rows" else whole
            band = raw.read_rgb(0, z, rows, whole)
        inside = whole if raw.pieces == "rows" else y
        yield np.moveaxis(band[:, inside, x], 0, -1)


def choose_tissue(windows: list[np.ndarray], white: Vector, wanted: Staining) -> np.ndarray:
    """Pixels (N, 3) of tissue; ink, dust and background are left out."""
    expected = list(wanted.expected.values())
    chosen = []
    for one in windows:
        density = np.stack(absorb(one, white))
        tissue = find_stained(density, expected) == TISSUE
        # a trace of ink would turn a vector: the outermost hues decide
        if not any(is_cold(np.array(vector), LIKELY) for vector in expected):
            tissue &= ~is_cold(density, LIKELY)
        chosen.append(one[tissue])
    pixels = np.concatenate(chosen)
    return pixels[:: max(1, -(-len(pixels) // MOST_PX))]
