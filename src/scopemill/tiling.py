"""Tiling: an image too large to look at whole -> overlapping windows, and their predictions -> one image."""

from collections.abc import Iterable, Sequence

import numpy as np

HIDDEN = 1e-6  # weight of what another window sees better: counts only where there is no other


def tile_starts(size: int, tile: int, overlap: int, align: int = 1) -> list[int]:
    """First pixels of windows of `tile` px that cover `size` px and share at least `overlap` px.

    They are multiples of `align`, so that networks that halve their input see every window on the
    same grid; the last window ends less than `align` px behind the border. A window may be larger
    than the image.
    """
    if not 0 <= overlap < tile:
        raise ValueError(f"overlap {overlap} must be at least 0 and smaller than the tile ({tile})")
    step = (tile - overlap) // align
    if step < 1:
        raise ValueError(f"tile {tile} less overlap {overlap} must be at least {align}")
    if size <= tile:
        return [0]
    last = -(-(size - tile) // align)
    n = -(-last // step)
    return [i * last // n * align for i in range(n + 1)]


def tile_origins(shape: Sequence[int], tile: int, overlap: int, align: int = 1) -> np.ndarray:
    """Origins (N, 2) of the windows of a plane (Y, X), row by row."""
    ys, xs = (tile_starts(size, tile, overlap, align) for size in shape)
    return np.array([(y, x) for y in ys for x in xs], dtype=np.int64)


def cut(image: np.ndarray, origin: Sequence[int], tile: int) -> np.ndarray:
    """A window (..., tile, tile) at (y, x); beyond the border the image is mirrored."""
    y, x = origin
    window = image[..., y : y + tile, x : x + tile]
    short = [(0, tile - size) for size in window.shape[-2:]]
    if short == [(0, 0), (0, 0)]:
        return window
    return np.pad(window, [(0, 0)] * (image.ndim - 2) + short, mode="reflect")


def usable_halo(halo: int, overlap: int) -> int:
    """Pixels at a window's seams that are left to its neighbour.

    `halo` is what the network needs (its receptive field's reach): with it, tiles equal the whole.
    Where the overlap is too small for that, a quarter of it, so that half of it remains to blend.
    """
    return halo if 2 * halo < overlap else overlap // 4


def axis_weights(tile: int, overlap: int, halo: int, at_start: bool, at_end: bool) -> np.ndarray:
    """Weights (tile,): 1 inside, falling towards seams with neighbours, hidden in the halo."""
    inside = np.arange(tile, dtype=np.float32)
    width = overlap - 2 * halo + 1
    weights = np.ones(tile, np.float32)
    for is_border, distance in ((at_start, inside), (at_end, inside[::-1])):
        if not is_border:
            weights = np.minimum(weights, (distance - halo + 1) / width)
    return np.clip(weights, HIDDEN, 1)


class Blend:
    """Sums weighted predictions (C, tile, tile) into one image (C, Y, X); outside all windows it is 0."""

    def __init__(
        self, n_channels: int, shape: Sequence[int], tile: int, overlap: int, halo: int = 0
    ):
        self.sums = np.zeros((n_channels, *shape), np.float32)
        self.weights = np.zeros(tuple(shape), np.float32)
        self._tile, self._overlap = tile, overlap
        self._halo = usable_halo(halo, overlap)

    def add(self, origins: Iterable[Sequence[int]], predictions: Iterable[np.ndarray]) -> None:
        """Add windows at their origins; what lies beyond the border is dropped."""
        for (y, x), prediction in zip(origins, predictions, strict=True):
            window = np.outer(self._weigh(y, 0), self._weigh(x, 1))
            height, width = window.shape
            self.sums[:, y : y + height, x : x + width] += prediction[:, :height, :width] * window
            self.weights[y : y + height, x : x + width] += window

    def _weigh(self, start: int, axis: int) -> np.ndarray:
        """Weights along one axis of a window that begins at `start`, up to the image's border."""
        size = self.weights.shape[axis]
        ends = start == 0, start + self._tile >= size
        return axis_weights(self._tile, self._overlap, self._halo, *ends)[: size - start]

    def result(self) -> np.ndarray:
        """The blended image (C, Y, X)."""
        return self.sums / np.maximum(self.weights, 1e-12)
