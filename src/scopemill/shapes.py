"""Shapes: labels, channels -> columns of each object as scikit-image's `regionprops_table` names and defines them, compiled.

Counts and places are exact, and so are area, hull and diameter; sums are of 64 bits, whatever the image's type.
"""

from collections.abc import Iterable

import numpy as np

# what the kernels are compiled for; other types are changed into the next that holds them
PIXELS = (np.uint16, np.float32, np.float64)


def can_measure(labels: np.ndarray, images: Iterable[np.ndarray]) -> bool:
    """Whether the kernels take these: whole labels from 0 to 32 bits in 2-D or 3-D, real images of their shape."""
    whole = labels.dtype.kind in "bui" and labels.ndim in (2, 3)
    alike = all(one.shape == labels.shape and one.dtype.kind in "buif" for one in images)
    return whole and alike and 0 <= labels.min(initial=0) and labels.max(initial=0) < 2**32


def number_densely(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels that occur, ascending (n,); uint32 labels 1 to n in their place."""
    from .kernels.objects import find_present

    labels = np.require(labels, np.uint32, ["C", "W"])
    top = int(labels.max(initial=0))
    if top > labels.size:
        ids, numbers = np.unique(np.append(labels, np.uint32(0)), return_inverse=True)
        return ids[1:].astype(np.int64), numbers[:-1].reshape(labels.shape).astype(np.uint32)
    present = find_present(labels.ravel(), top)
    present[0] = False
    ids = np.flatnonzero(present)
    if len(ids) == top:
        return ids, labels
    return ids, np.cumsum(present, dtype=np.uint32)[labels] * (labels > 0)


def measure_shapes(
    labels: np.ndarray, n: int, spacing: tuple[float, ...]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Labels 1 to n -> pixels of each, columns by name; lengths in the unit of `spacing`."""
    from .kernels.objects import sum_runs

    ndim = labels.ndim
    stack = labels if ndim == 3 else labels[None]
    counts, low, high, sums, products = sum_runs(stack, n)
    low, high = low[:, -ndim:], high[:, -ndim:]
    moments = find_moments(counts, sums[:, -ndim:], products[:, -ndim:, -ndim:])
    moments *= np.multiply.outer(spacing, spacing)
    pixel = float(np.prod(spacing))
    area = counts * pixel
    columns = {
        "area": area,
        "equivalent_diameter_area": (2 * ndim * area / np.pi) ** (1 / ndim),
        "extent": area / (np.prod(high - low, axis=1) * pixel),
        **measure_axes(moments),
    }
    if ndim == 2:
        columns |= measure_outlines(labels, low[:, 0], high[:, 0])
        columns["solidity"] = area / columns["area_convex"]
    return counts, columns


def find_moments(counts: np.ndarray, sums: np.ndarray, products: np.ndarray) -> np.ndarray:
    """Covariance of the coordinates of each object, (n, ndim, ndim), in pixels; only the upper half of `products` is read."""
    means = sums // counts[:, None]
    # about a pixel near the centroid, still in whole numbers: nothing is lost by the difference that follows
    rests = sums - means * counts[:, None]
    shift = means[:, :, None] * sums[:, None, :]
    near = np.triu(products) - shift - rests[:, :, None] * means[:, None, :]
    shared = rests[:, :, None] * rests[:, None, :] / counts[:, None, None]
    upper = np.triu((near - shared) / counts[:, None, None])
    return upper + np.triu(upper, 1).transpose(0, 2, 1)


def measure_axes(moments: np.ndarray) -> dict[str, np.ndarray]:
    """Covariance -> axes of the ellipse (ellipsoid) of the same moments; in the plane, its eccentricity and orientation."""
    ndim = moments.shape[-1]
    trace = np.trace(moments, axis1=1, axis2=2)
    inertia = trace[:, None, None] * np.eye(ndim) - moments
    values = np.clip(np.linalg.eigvalsh(inertia), 0, None)  # ascending
    if ndim == 3:
        e2, e1, e0 = values.T
        major, minor = (np.sqrt(np.maximum(10 * one, 0)) for one in (e0 + e1 - e2, e1 + e2 - e0))
        return {"axis_major_length": major, "axis_minor_length": minor}
    l2, l1 = values.T
    with np.errstate(invalid="ignore"):
        eccentricity = np.where(l1 == 0, 0, np.sqrt(1 - l2 / l1))
    a, b, c = inertia[:, 0, 0], inertia[:, 0, 1], inertia[:, 1, 1]
    tie = np.where(b < 0, np.pi / 4, -np.pi / 4)
    return {
        "axis_major_length": 4 * np.sqrt(l1),
        "axis_minor_length": 4 * np.sqrt(l2),
        "eccentricity": eccentricity,
        "orientation": np.where(a == c, tie, 0.5 * np.arctan2(-2 * b, c - a)),
    }


def measure_outlines(labels: np.ndarray, top: np.ndarray, end: np.ndarray) -> dict[str, np.ndarray]:
    """(Y, X) labels 1 to n, rows of each -> perimeter, area and greatest diameter of the convex hull."""
    from .kernels.hulls import find_edges, measure_hulls
    from .kernels.objects import count_borders

    starts = np.concatenate([[0], np.cumsum(end - top)])
    areas, diameters = measure_hulls(find_edges(labels, top, starts), starts)
    borders = count_borders(labels, len(top))
    return {
        "perimeter": borders @ np.array([1, np.sqrt(2), (1 + np.sqrt(2)) / 2]),
        "area_convex": areas.astype(float),
        "feret_diameter_max": np.sqrt(diameters / 4),
    }


def measure_intensities(labels: np.ndarray, counts: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Mean, standard deviation, least, greatest and median of each of the objects 1 to n, (n, 5)."""
    from .kernels.intensities import describe, sort_by_object

    pixels = next((one for one in PIXELS if np.can_cast(image.dtype, one)), np.float64)
    starts = np.concatenate([[0], np.cumsum(counts)])
    image = np.require(image, pixels, ["C", "W"])
    return describe(sort_by_object(labels.ravel(), image.ravel(), starts), starts)
