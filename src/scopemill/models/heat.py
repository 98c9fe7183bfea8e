"""Heat: a stack + a network trained on spots -> its heat map, and the spots in it."""

import numpy as np

from ..settings import ConfigError, load
from ..spots import OUTPUT, Peaks, find_peaks, keep_highest, locate, standardise
from .description import Description
from .whole import Ready, predict_image


def read_peaks(description: Description, name: str) -> Peaks:
    """How the network's heat map is read, as tuned.

    Raises
    ------
    ConfigError
        Where the model gives no heat map of spots, or wants several channels.
    """
    if description.output != [OUTPUT] or description.normalisation.local_px is None:
        raise ConfigError(
            f"model {name}: finds no spots: its output is {description.output}; take one trained by `spots`"
        )
    if len(description.channels) != 1:
        raise ConfigError(
            f"model {name}: takes {len(description.channels)} channels; spots are found in one"
        )
    return load(Peaks, description.postprocessing, f"{name}: postprocessing")


def predict_heat(ready: Ready, stack: np.ndarray, planes: int) -> np.ndarray:
    """Grey values (Z, Y, X) -> heat map (Z, Y, X)."""
    scaled = standardise(stack, ready.description.normalisation.local_px)
    before = max(0, planes - len(scaled)) // 2
    padded = pad_planes(scaled, planes)
    return predict_image(ready, padded[None])[0, before : before + len(scaled)]


def pad_planes(stack: np.ndarray, planes: int) -> np.ndarray:
    """Empty planes above and below a stack (Z, Y, X) that has fewer than `planes`."""
    missing = max(0, planes - len(stack))
    return np.pad(stack, [(missing // 2, missing - missing // 2), (0, 0), (0, 0)])


def find_spots(heat: np.ndarray, peaks: Peaks) -> tuple[np.ndarray, np.ndarray]:
    """Heat map (Z, Y, X) -> places (n, 3) to a part of a voxel, and heights (n,)."""
    voxels, heights = find_peaks(heat, peaks.threshold)
    points = locate(heat, voxels)
    kept = keep_highest(points, heights, peaks.min_distance_px)
    return points[kept], heights[kept]
