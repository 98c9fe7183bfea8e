"""Blocks: the windows in which a frame is looked at one after the other, so that memory does not grow with it."""

from collections.abc import Sequence
from math import isqrt

from .frames import sample_windows
from .tiling import Window, list_cores

BLOCK_VOXELS = 2**22  # 2048 x 2048 pixels of one plane
GRID_PX = 512  # tiles of large images, which are decoded whole


def list_blocks(size: Sequence[int], n_planes: int = 1) -> list[Window]:
    """Windows that cover a plane (Y, X) and share no pixel; smaller ones where many planes lie over each other."""
    side = isqrt(BLOCK_VOXELS // n_planes)
    return list_cores(size, max(GRID_PX, side // GRID_PX * GRID_PX))


def sample_scaled(source: tuple[int, int], size: tuple[int, int]) -> list[Window]:
    """`sample_windows` of an image that is brought from one size to another: in pixels of the new one.

    They are chosen where there are fewer pixels to read or to make: all of what is small before and after.
    """
    if size[0] >= source[0]:
        return sample_windows(size)
    return [
        tuple(
            slice(one.start * m // n, -(-one.stop * m // n))
            for one, n, m in zip(window, source, size, strict=True)
        )
        for window in sample_windows(source)
    ]
