"""Spots: what the training of a network that finds them, and the methods that ask it, share.

A network sees grey values less their local background, in units of the local noise (`standardise`), and gives a heat
map: a Gaussian around each spot (`draw_heat`). Its maxima, to a part of a voxel, are the spots (`find_peaks`).
"""

from collections.abc import Sequence

import numpy as np

from .settings import Fraction, Positive, settings

OUTPUT = "spots"
FINE_PX = 2  # structure that is finer is taken for noise
BRIGHT = 3.0  # noises above the background: more of it is no background
QUANTISED = 0.3  # noise of whole numbers
SOFT = 2.0  # noises, below which grey values stay in proportion; far above, their logarithm counts


@settings
class Peaks:
    """How a heat map becomes spots; lengths in voxels of the network's scale."""

    threshold: Fraction = 0.3
    """Height of a maximum that is a spot."""
    min_distance_px: tuple[Positive, Positive, Positive] = (1.2, 1.5, 1.5)
    """Of maxima nearer than this (half axes of an ellipsoid, z, y, x) the highest stays."""
    calibration: tuple[Positive, float] = (1.0, 0.0)
    """From a maximum's height to the probability that it is a spot: logit(p) = first * logit(height) + second."""
    planes: int = 1
    """Stacks of fewer planes get empty ones above and below, as in training."""
    sigma_px: tuple[Positive, Positive] = (0.8, 2.5)
    """Widths (sigma) of spots that it was trained on; others are brought to these, where the width is known."""


def to_probability(heights: np.ndarray, calibration: tuple[float, float]) -> np.ndarray:
    """Heights (n,) of maxima -> how probable it is that each is a spot."""
    slope, start = calibration
    return 1 / (1 + np.exp(-(slope * to_logit(heights) + start)))


def to_logit(heights: np.ndarray) -> np.ndarray:
    """log(h / (1 - h)), finite at both ends."""
    clipped = np.clip(heights.astype(np.float64), 1e-4, 1 - 1e-4)
    return np.log(clipped / (1 - clipped))


def standardise(stack: np.ndarray, reach_px: float) -> np.ndarray:
    """Grey values (Z, Y, X) -> float32: 0 is the background of each place, 1 about twice its noise there.

    Both are means over a square of `reach_px` each way in the plane, in which what is bright counts as a little
    brighter than the background. Noise is what differs from the nearest pixels: the outline of a cell is none.
    """
    grey = np.asarray(stack, np.float32)
    floor = QUANTISED if np.asarray(stack).dtype.kind in "iu" else np.finfo(np.float32).tiny
    fine = grey - smooth(grey, FINE_PX)
    limit = BRIGHT * (spread(fine, reach_px) + floor)
    noise = spread(np.clip(fine, -limit, limit), reach_px) + floor
    limit = BRIGHT * noise
    background = smooth(grey, reach_px)
    background += smooth(np.clip(grey - background, -limit, limit), reach_px)
    return np.arcsinh((grey - background) / (SOFT * noise)).astype(np.float32)


def smooth(grey: np.ndarray, reach_px: float) -> np.ndarray:
    """Mean over a square in the plane."""
    from scipy import ndimage

    side = 2 * round(reach_px) + 1
    return ndimage.uniform_filter(grey, (1, side, side), mode="mirror")


def spread(rest: np.ndarray, reach_px: float) -> np.ndarray:
    """Standard deviation around 0, were it Gaussian, by the mean of absolute values: tails count less."""
    return np.sqrt(np.pi / 2) * smooth(np.abs(rest), reach_px)


def margin_px(reach_px: float) -> int:
    """How far around a pixel `standardise` looks: means one after the other."""
    return 2 * round(reach_px) + FINE_PX


def draw_heat(points: np.ndarray, shape: Sequence[int], sigma_px: Sequence[float]) -> np.ndarray:
    """Points (n, 3), outside ones too -> (Z, Y, X) float32, a Gaussian of height 1 around each; the highest counts."""
    heat = np.zeros(shape, np.float32)
    points, sigma = np.asarray(points, np.float64).reshape(-1, 3), np.asarray(sigma_px)
    reach = np.ceil(3 * sigma).astype(int)
    steps = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), -1)
    voxels = np.rint(points).astype(int)[:, None] + steps.reshape(-1, 3)
    values = np.exp(-0.5 * (((voxels - points[:, None]) / sigma) ** 2).sum(axis=2))
    inside = ((voxels >= 0) & (voxels < np.array(shape))).all(axis=2)
    np.maximum.at(heat, tuple(voxels[inside].T), values[inside].astype(np.float32))
    return heat


def find_peaks(heat: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Maxima above a threshold (n, 3), in voxels, and their heights (n,)."""
    from scipy import ndimage

    highest = heat == ndimage.maximum_filter(heat, 3, mode="nearest")
    peaks = np.argwhere(highest & (heat > threshold))
    return peaks, heat[tuple(peaks.T)]


def refine(response: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """How far from a maximum (n, d) its true place is: vertex of the parabola through it and its two neighbours, per axis."""
    shifts = np.zeros(peaks.shape)
    for axis, size in enumerate(response.shape):
        if size < 3:
            continue
        inner = (peaks[:, axis] > 0) & (peaks[:, axis] < size - 1)
        step = np.eye(response.ndim, dtype=int)[axis]
        before, at, after = (
            response[tuple((peaks[inner] + k * step).T)].astype(float) for k in (-1, 0, 1)
        )
        curvature = before - 2 * at + after
        shift = 0.5 * (before - after) / np.where(curvature < 0, curvature, np.inf)
        shifts[inner, axis] = np.clip(shift, -0.5, 0.5)
    return shifts


def locate(heat: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """Places (n, 3) of maxima to a part of a voxel: the logarithm of a Gaussian is a parabola."""
    return peaks + refine(np.log(np.maximum(heat, 1e-6)), peaks)


def keep_highest(
    points: np.ndarray, heights: np.ndarray, min_distance: Sequence[float]
) -> np.ndarray:
    """Which points (n, d) stay (n,): each takes away all lower ones nearer than the half axes `min_distance`."""
    from scipy.spatial import KDTree

    kept = np.ones(len(points), bool)
    if len(points) < 2:
        return kept
    scaled = points / np.asarray(min_distance)
    order = np.lexsort((*points.T, -heights))
    rank = np.empty(len(order), int)
    rank[order] = np.arange(len(order))
    pairs = KDTree(scaled).query_pairs(1.0, output_type="ndarray")
    first, second = np.sort(rank[pairs], axis=1).T
    for one, other in sorted(zip(first.tolist(), second.tolist(), strict=True)):
        if kept[order[one]]:
            kept[order[other]] = False
    return kept
