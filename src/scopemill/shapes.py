"""Shapes: labels, channels -> columns of each object as scikit-image's `regionprops_table` names and defines them, compiled.

Counts and places are exact, and so are area, hull and diameter; sums are of 64 bits, whatever the image's type.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

ROOM = 1 << 16  # runs, besides one for so many pixels of the image:
PIXELS_A_RUN = 16
# what the kernels are compiled for; other types are changed into the next that holds them
PIXELS = (np.uint16, np.float64)


@dataclass(frozen=True)
class Objects:
    """The objects of a label image, numbered from 0 in the order of their labels."""

    labels: np.ndarray
    """Label of each, ascending (n,)."""
    image: np.ndarray
    """The label image, uint32; (Y, X) or (Z, Y, X)."""
    numbers: np.ndarray
    """Number of the object of each possible label; of no meaning where there is none."""
    runs: np.ndarray
    """Row (of all planes), first column and the one after the last, int32 (runs, 3); by object."""
    firsts: np.ndarray
    """Where the runs of each object begin, and the end (n + 1,)."""

    @classmethod
    def of(cls, labels: np.ndarray) -> "Objects":
        """Find the runs and whose they are."""
        from .kernels.runs import sort_runs

        image = np.require(labels, np.uint32, ["C", "W"])
        runs, owners = list_runs(image.reshape(-1, image.shape[-1]))
        top = int(owners.max(initial=0))
        if top > image.size:
            # too far apart for a table of all possible labels
            present = np.unique(owners)
            near = np.searchsorted(np.append(np.uint32(0), present), image)
            return replace(cls.of(near), labels=present.astype(np.int64))
        numbers = np.zeros(top + 1, np.uint32)
        numbers[owners] = 1
        present = np.flatnonzero(numbers)
        numbers[present] = np.arange(len(present))
        runs, firsts = sort_runs(runs, numbers[owners], len(present))
        return cls(present, image, numbers, runs, firsts)


def list_runs(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels (rows, X) -> their runs, row by row: row, first column and the one after the last (n, 3); and the label of each."""
    from .kernels.runs import find_runs

    room = ROOM + rows.size // PIXELS_A_RUN  # enough for all but noise
    runs, owners, n = find_runs(rows, room)
    return (runs, owners) if n <= room else find_runs(rows, n)[:2]


def can_measure(labels: np.ndarray, images: Iterable[np.ndarray]) -> bool:
    """Whether the kernels take these: whole labels from 0 to 32 bits, in 2-D or 3-D; real images of their shape."""
    if labels.dtype.kind not in "bui" or labels.ndim not in (2, 3) or not labels.size:
        return False
    if any(one.shape != labels.shape or one.dtype.kind not in "buif" for one in images):
        return False
    if np.can_cast(labels.dtype, np.uint32):
        return True
    return bool(labels.min() >= 0 and labels.max() < 2**32)


def measure_shapes(
    objects: Objects, spacing: tuple[float, ...]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Pixels of each object, and columns by name; lengths in the unit of `spacing`."""
    from .kernels.objects import sum_runs

    ndim = objects.image.ndim
    counts, low, high, sums, products = sum_runs(objects.runs, objects.firsts, objects.image.shape[-2])  # fmt: skip
    moments = find_moments(counts, sums[:, -ndim:], products[:, -ndim:, -ndim:])
    moments *= np.multiply.outer(spacing, spacing)
    pixel = float(np.prod(spacing))
    area = counts * pixel
    boxes = np.prod((high - low)[:, -ndim:], axis=1) * pixel
    columns = {
        "area": area,
        "equivalent_diameter_area": (2 * ndim * area / np.pi) ** (1 / ndim),
        "extent": area / boxes,
        **measure_axes(moments),
    }
    if ndim == 2:
        columns |= measure_outlines(objects)
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
    a, shared, c = inertia[:, 0, 0], moments[:, 0, 1], inertia[:, 1, 1]
    tie = np.where(shared > 0, np.pi / 4, -np.pi / 4)
    return {
        "axis_major_length": 4 * np.sqrt(l1),
        "axis_minor_length": 4 * np.sqrt(l2),
        "eccentricity": eccentricity,
        "orientation": np.where(a == c, tie, 0.5 * np.arctan2(2 * shared, c - a)),
    }


def measure_outlines(objects: Objects) -> dict[str, np.ndarray]:
    """Perimeter, and area and greatest diameter of the convex hull, in pixels."""
    from .kernels.hulls import measure_hulls
    from .kernels.objects import count_borders

    areas, diameters = measure_hulls(objects.runs, objects.firsts)
    borders = count_borders(objects.image, objects.numbers, len(objects.labels))
    return {
        "perimeter": borders @ np.array([1, np.sqrt(2), (1 + np.sqrt(2)) / 2]),
        "area_convex": areas.astype(float),
        "feret_diameter_max": np.sqrt(diameters / 4),
    }


def measure_intensities(objects: Objects, counts: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Mean, standard deviation, least, greatest and median of each object, (n, 5); NaN where one of its pixels is."""
    from .kernels.intensities import describe

    image = as_pixels(image)
    return describe(image.reshape(-1, image.shape[-1]), objects.runs, objects.firsts, counts)


def sum_within(labels: np.ndarray, image: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and sum of the image by label, for those below `n`, as `np.bincount` gives them."""
    from .kernels.intensities import sum_by_label

    labels = np.require(labels, np.uint32, ["C", "W"])
    return sum_by_label(labels.ravel(), as_pixels(image).ravel(), n)


def as_pixels(image: np.ndarray) -> np.ndarray:
    """In a type and layout that the kernels are compiled for."""
    pixels = next((one for one in PIXELS if np.can_cast(image.dtype, one)), np.float64)
    return np.require(image, pixels, ["C", "W"])
