"""Hills: a mask and heights -> the hills in it, each from its peak (seed) to where it meets the next or ends.

What scipy and scikit-image do, by kernels that give the same, voxel by voxel; where a kernel cannot tell, they are asked.
Arrays are (Y, X) or (Z, Y, X).
"""

from collections.abc import Sequence

import numpy as np


def find_depth(mask: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Distances to the nearest voxel outside the mask, float64, in the unit of the spacing; as scipy's, bit by bit."""
    from scipy import ndimage

    from .kernels.distance import measure_depth, measure_from

    if mask.all():  # there is no voxel outside
        return ndimage.distance_transform_edt(mask, sampling=spacing)
    if tuple(spacing) == (1.0, 1.0):
        return measure_depth(mask)
    stack, steps = as_stack(mask), (1.0, *map(float, spacing))[-3:]
    nearest = ndimage.distance_transform_edt(
        stack, sampling=steps, return_distances=False, return_indices=True
    )
    return measure_from(nearest, steps).reshape(mask.shape)


def smooth_heights(height: np.ndarray, sigmas: Sequence[float]) -> np.ndarray:
    """The same under a Gaussian."""
    from scipy import ndimage

    from .kernels.smoothing import smooth

    if height.ndim == 2 and height.dtype == np.float32 and len(set(sigmas)) == 1:
        return smooth(np.ascontiguousarray(height), sigmas[0])
    return ndimage.gaussian_filter(height, sigmas)


def find_peaks(height: np.ndarray, parts: np.ndarray, distance: Sequence[float]) -> np.ndarray:
    """Numbered maxima within parts (labels of a mask), at least so many voxels apart along each axis."""
    from scipy.spatial import KDTree

    from .kernels.peaks import find_highest

    steps = [max(1, round(one)) for one in distance]
    planes = as_stack(height), as_stack(parts.astype(np.int32, copy=False))
    places = find_highest(*planes, (0, *steps)[-3:])
    heights, of_part = height.ravel()[places], parts.ravel()[places]
    order = np.lexsort((-heights, of_part))  # part by part, the highest first
    places = places[order[heights[order] > height.min()]]
    peaks = np.stack(np.unravel_index(places, parts.shape), 1)
    seeds = np.zeros(parts.shape, np.int32)
    if len(peaks):
        # equal heights within a box: one is enough
        near = KDTree(peaks / steps).query_pairs(1, p=np.inf, output_type="ndarray")
        peaks = np.delete(peaks, np.unique(near[:, 1]), axis=0)
        seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return seeds


def fill_parts(height: np.ndarray, seeds: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The hill around each seed, within the mask; a part of the mask without a seed is an object too."""
    labels = flood_parts(height, seeds, mask)
    return by_libraries(height, with_all_parts(seeds, mask), mask) if labels is None else labels


def fill_hills(height: np.ndarray, seeds: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The hill around each seed, within the mask; parts of the mask without a seed are background."""
    labels = flood_parts(height, seeds, mask)
    if labels is None:
        return by_libraries(height, seeds, mask)
    labels[labels > seeds.max(initial=0)] = 0
    return labels


def flood_parts(height: np.ndarray, seeds: np.ndarray, mask: np.ndarray) -> np.ndarray | None:
    """Labels of seeds, and of parts without a seed; None where seeds of the same height compete for a voxel."""
    from scipy import ndimage

    from .kernels.watershed import flood

    labels = np.array(seeds, np.uint32, order="C")
    clear = flood(as_stack(height), as_stack(labels), as_stack(ndimage.label(mask)[0]))
    return labels if clear else None


def by_libraries(height: np.ndarray, seeds: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Labels by scikit-image, which says which of equal seeds is first."""
    from skimage.segmentation import watershed

    return watershed(-height, seeds, mask=mask).astype(np.uint32)


def with_all_parts(seeds: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Seeds, and a seed for each part of the mask that has none: small objects are objects too."""
    from scipy import ndimage

    parts, n_parts = ndimage.label(mask)
    has_none = np.ones(n_parts + 1, bool)
    has_none[np.unique(parts[seeds > 0])] = False
    has_none[0] = False
    numbers = np.cumsum(has_none) * has_none + np.where(has_none, seeds.max(), 0)
    return np.where(seeds > 0, seeds, numbers[parts]).astype(np.int32)


def as_stack(image: np.ndarray) -> np.ndarray:
    """(Y, X) or (Z, Y, X) -> (Z, Y, X), row by row in memory, as kernels want it; a view where it is so."""
    return np.ascontiguousarray(image.reshape((1, *image.shape)[-3:]))
