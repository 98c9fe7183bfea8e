"""Instances: probability maps (foreground [, border or distance]) -> labels, one integer per object."""

from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from .hills import fill_parts, find_depth, find_peaks, smooth_heights
from .settings import Fraction, Positive, settings


@settings
class Settings:
    """How objects are cut out of probability maps; a model brings values tuned for it."""

    foreground_threshold: Fraction = 0.5
    """Pixels with a higher probability of foreground belong to objects."""
    seed_threshold: Fraction = 0.5
    """With border or distance: pixels above it are inside one object."""
    seeds: Literal["auto", "border", "distance", "flow", "shape"] = "auto"
    """The map that tells touching objects apart: the first of these that the model gives; 'shape' needs none."""
    min_distance_px: Positive = 5.0
    """With distance or shape: two objects' centres are at least this far apart."""
    min_area_px: Annotated[int, Field(ge=0)] = 0
    """Objects with fewer pixels (voxels) are dropped."""
    min_probability: Fraction = 0.0
    """Objects whose mean probability of foreground is lower are dropped."""


def find_instances(
    maps: Mapping[str, np.ndarray], settings: Settings, spacing: tuple[float, ...] | None = None
) -> np.ndarray:
    """Maps (Y, X) or (Z, Y, X) by the name of the head -> labels uint32, numbered from 1.

    `maps` holds foreground, and border or distance (share of an object's greatest depth) where the
    model gives them. `spacing` is the size of a voxel in pixels of the plane, for stacks.
    """
    foreground = maps["foreground"]
    if "background" in maps and "border" in maps:  # classes that exclude each other
        foreground = foreground + maps["border"]
    mask = foreground > settings.foreground_threshold
    if not mask.any():
        return np.zeros(mask.shape, np.uint32)
    kind = choose_seeds(maps, settings)
    if kind == "flow":
        labels = follow_flow(maps, mask)
    else:
        height, seeds = find_seeds(maps, mask, settings, kind, spacing or (1.0,) * mask.ndim)
        labels = fill_parts(height, seeds, mask)
    if settings.min_probability > settings.foreground_threshold:
        return drop_small(labels, settings.min_area_px, foreground, settings.min_probability)
    return drop_small(labels, settings.min_area_px)


def choose_seeds(maps: Mapping[str, np.ndarray], settings: Settings) -> str:
    """Which map tells objects apart."""
    there = {"border": "border", "distance": "distance", "flow": "flow_y"}
    if settings.seeds != "auto":
        return settings.seeds
    return next((kind for kind, head in there.items() if head in maps), "shape")


def find_seeds(
    maps: Mapping[str, np.ndarray],
    mask: np.ndarray,
    settings: Settings,
    kind: str,
    spacing: tuple[float, ...],
) -> tuple[np.ndarray, np.ndarray]:
    """The landscape that objects are hills of, and one numbered seed a hill."""
    from scipy import ndimage

    apart = [settings.min_distance_px / step for step in spacing]
    if kind == "border":
        inside = maps["foreground"] - maps["border"]
        return inside, ndimage.label(mask & (inside > settings.seed_threshold))[0]
    if kind == "distance":
        height = smooth_heights(maps["distance"], widths(settings, spacing))
        inside = ndimage.label(mask & (height > settings.seed_threshold))[0]
        return height, find_peaks(height, inside, apart)
    height = find_depth(mask, spacing).astype(np.float32)
    height = smooth_heights(height, widths(settings, spacing))
    return height, find_peaks(height, ndimage.label(mask)[0], apart)


def follow_flow(maps: Mapping[str, np.ndarray], mask: np.ndarray, steps: int = 40) -> np.ndarray:
    """Labels (Y, X): pixels that reach one place when they follow the flow are one object (Stringer 2021)."""
    from scipy import ndimage

    if mask.ndim != 2:
        raise ValueError("seeds: flow works in 2-D; choose border or distance")
    flows = [ndimage.gaussian_filter(2 * maps[head] - 1, 0.5) for head in ("flow_y", "flow_x")]
    rows, columns = np.nonzero(mask)
    places = np.stack([rows, columns]).astype(np.float32)
    last = np.array(mask.shape)[:, None] - 1
    for _ in range(steps):
        at = tuple(np.clip(np.rint(places), 0, last).astype(np.int64))
        places += np.stack([flow[at] for flow in flows])
    at = tuple(np.clip(np.rint(places), 0, last).astype(np.int64))
    reached = np.zeros(mask.shape, np.float32)
    np.add.at(reached, at, 1)
    sinks = ndimage.label(ndimage.gaussian_filter(reached, 1.0) > 1.0, np.ones((3, 3)))[0]
    labels = np.zeros(mask.shape, np.int32)
    labels[rows, columns] = sinks[at]
    return labels


def widths(settings: Settings, spacing: tuple[float, ...]) -> list[float]:
    """Smoothing that leaves one maximum where a ragged outline makes many."""
    return [settings.min_distance_px / 5 / step for step in spacing]


def drop_small(
    labels: np.ndarray,
    min_area_px: int,
    foreground: np.ndarray | None = None,
    min_probability: float = 0.0,
) -> np.ndarray:
    """Labels with at least so many pixels, of at least this mean probability, numbered 1, 2, ... in their order."""
    from .kernels.numbering import count, total, translate

    labels = np.ascontiguousarray(labels, np.uint32)
    highest = int(labels.max(initial=0))
    sizes = count(labels, highest)
    kept = sizes >= max(1, min_area_px)
    if foreground is not None:
        sums = total(labels, np.ascontiguousarray(foreground), highest)
        kept &= sums / np.maximum(sizes, 1) >= min_probability
    return translate(labels, (np.cumsum(kept) * kept).astype(np.uint32))
