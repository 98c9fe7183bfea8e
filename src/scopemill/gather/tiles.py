"""Tiles: pixels of each class in each tile of an image -> areas, and fractions with intervals by a bootstrap over tiles.

Neighbouring pixels are not independent; squares several times as wide as what is measured nearly are.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..metrics import divide
from ..statistics import LEVEL
from .estimates import MIN_CLUSTERS

if TYPE_CHECKING:
    import pandas as pd

N_RESAMPLES = 1000
DRAWS_AT_ONCE = 4_000_000
Place = tuple[
    str, str
]  # class task that gives the region, and its class; both empty: the whole image


@dataclass(frozen=True)
class Areas:
    """Areas of one image; arrays are (places, classes), but for n_tiles."""

    places: tuple[Place, ...]
    classes: tuple[str, ...]
    area_px: np.ndarray
    whole_px: np.ndarray  # (places, 1): what fractions are of
    fraction: np.ndarray  # NaN where the whole is nothing, and for classes that are no part of it
    low: np.ndarray
    high: np.ndarray
    n_tiles: np.ndarray  # (places,), with something of the whole


def measure(table: "pd.DataFrame", statement: dict[str, Any], seed: int) -> Areas:
    """Rows of a quantify task of classes, one image's, and what was stated with them."""
    places = (("", ""), *((task, name) for task, names in statement["regions"].items() for name in names))  # fmt: skip
    classes = tuple(statement["names"])
    counts = count_by_tile(table, places, classes)
    part = np.isin(classes, statement["whole"])
    n_tiles = np.count_nonzero(counts[..., part].sum(axis=-1), axis=0)
    areas, (low, high) = counts.sum(axis=0), bootstrap_fractions(counts, part, seed)
    few = n_tiles[:, None] < MIN_CLUSTERS
    return Areas(
        places, classes, areas, areas[:, part].sum(axis=1, keepdims=True), find_fractions(areas, part),
        np.where(few, np.nan, low), np.where(few, np.nan, high), n_tiles,
    )  # fmt: skip


def count_by_tile(
    table: "pd.DataFrame", places: tuple[Place, ...], classes: tuple[str, ...]
) -> np.ndarray:
    """Pixels (tiles, places, classes); tiles of all time points lie over each other."""
    number_of = {place: number for number, place in enumerate(places)}
    place = [number_of[one] for one in zip(table["region_of"], table["region"], strict=True)]
    class_ = table["class"].map({name: k for k, name in enumerate(classes)}).to_numpy(np.int64)
    places_of = table[["tile_y", "tile_x"]].to_numpy(np.int64)
    tiles, tile = np.unique(places_of, axis=0, return_inverse=True)
    counts = np.zeros((len(tiles), len(places), len(classes)))
    np.add.at(counts, (tile.ravel(), np.array(place, np.int64), class_), table["area"].to_numpy())
    return counts


def find_fractions(areas: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Areas (..., classes) -> shares of the classes that are `part` of the whole; NaN for the others."""
    fractions = divide(areas, areas[..., part].sum(axis=-1, keepdims=True))
    return np.where(part, fractions, np.nan)


def bootstrap_fractions(
    counts: np.ndarray, part: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the intervals of all fractions; the same tiles are drawn for all, so that they go together."""
    import warnings

    if not len(counts):
        nothing = np.full(counts.shape[1:], np.nan)
        return nothing, nothing
    fractions = find_fractions(resample_sums(counts, np.random.default_rng(seed)), part)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all NaN: no part of the whole
        low, high = np.nanquantile(fractions, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return low, high


def resample_sums(
    values: np.ndarray, rng: np.random.Generator, n_resamples: int = N_RESAMPLES
) -> np.ndarray:
    """(tiles, ...) -> (n_resamples, ...): sums over as many tiles, drawn with replacement."""
    n = len(values)
    at_once = max(1, DRAWS_AT_ONCE // n)
    flat, sums = values.reshape(n, -1), []
    for first in range(0, n_resamples, at_once):
        rows = min(at_once, n_resamples - first)
        draws = rng.integers(n, size=(rows, n)) + n * np.arange(rows)[:, None]
        times = np.bincount(draws.ravel(), minlength=rows * n).reshape(rows, n)
        sums.append(times @ flat)
    return np.concatenate(sums).reshape(n_resamples, *values.shape[1:])
