"""Smoothing: an image (Y, X) float32 -> the same under a Gaussian, bit by bit as scipy.ndimage.gaussian_filter gives it."""

import numpy as np

from ..compiled import compiled

TRUNCATE = 4.0  # widths, as in scipy


def smooth(image: np.ndarray, sigma: float) -> np.ndarray:
    """Borders are mirrored, their pixels included; sums are in float64, rounded to float32 after each axis."""
    radius = int(TRUNCATE * sigma + 0.5)
    weights = np.exp(-0.5 / (sigma * sigma) * np.arange(-radius, radius + 1) ** 2)
    weights /= weights.sum()
    return smooth_rows(smooth_columns(image, weights[: radius + 1]), weights[: radius + 1])


@compiled
def mirror(i: int, n: int) -> int:
    """The place within 0 ... n - 1 that is seen at i."""
    i %= 2 * n
    return i if i < n else 2 * n - 1 - i


@compiled
def smooth_columns(image: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sums down the columns; the last weight is the middle's."""
    height, width = image.shape
    radius, found = len(weights) - 1, np.empty((height, width), np.float32)
    sums = np.empty(width, np.float64)
    for y in range(height):
        for x in range(width):
            sums[x] = np.float64(image[y, x]) * weights[radius]
        for k in range(radius):
            above = image[mirror(y + k - radius, height)]
            below = image[mirror(y - k + radius, height)]
            for x in range(width):
                sums[x] += (np.float64(above[x]) + np.float64(below[x])) * weights[k]
        for x in range(width):
            found[y, x] = sums[x]
    return found


@compiled
def smooth_rows(image: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sums along the rows; the last weight is the middle's."""
    height, width = image.shape
    radius, found = len(weights) - 1, np.empty((height, width), np.float32)
    line, sums = np.empty(width + 2 * radius, np.float64), np.empty(width, np.float64)
    places = np.array([mirror(i - radius, width) for i in range(width + 2 * radius)])
    for y in range(height):
        for i in range(len(line)):
            line[i] = image[y, places[i]]
        for x in range(width):
            sums[x] = line[x + radius] * weights[radius]
        for k in range(radius):
            left, right = line[k : k + width], line[2 * radius - k : 2 * radius - k + width]
            for x in range(width):
                sums[x] += (left[x] + right[x]) * weights[k]
        for x in range(width):
            found[y, x] = sums[x]
    return found
