"""Points: sub-voxel places <-> a sparse volume, which training sets hold and cut like any other truth.

A voxel is 0, or says where in it a point lies: 10 bits along z, y and x, and one that says that there is one. Of points
in one voxel the last stays: nobody could tell them apart.
"""

from collections.abc import Sequence

import numpy as np

STEPS = 1 << 10  # places along an axis of a voxel
THERE = 1 << 30
SHIFTS = np.array([20, 10, 0], np.uint32)  # z, y, x


def pack_points(points: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Points (n, 3) in voxels, the middle of the first one 0 -> volume (Z, Y, X) uint32; those outside are left out."""
    volume = np.zeros(shape, np.uint32)
    points = np.asarray(points, np.float64).reshape(-1, 3)
    points = points[((points >= -0.5) & (points < np.array(shape) - 0.5)).all(axis=1)]
    voxel = np.floor(points + 0.5).astype(int)
    place = np.floor((points + 0.5 - voxel) * STEPS).clip(0, STEPS - 1).astype(np.uint32)
    volume[tuple(voxel.T)] = (place << SHIFTS).sum(axis=1, dtype=np.uint32) | THERE
    return volume


def unpack_points(volume: np.ndarray) -> np.ndarray:
    """Volume -> points (n, 3), each to half of 1/1024 of a voxel."""
    voxel = np.argwhere(volume)
    place = (volume[tuple(voxel.T)][:, None] >> SHIFTS) & (STEPS - 1)
    return voxel - 0.5 + (place + 0.5) / STEPS
