"""Tiling: an image too large to look at whole -> overlapping windows, and their predictions -> one image."""

from collections.abc import Iterable, Sequence

import numpy as np


def tile_starts(size: int, tile: int, overlap: int) -> list[int]:
    """First pixels of windows of `tile` px that cover `size` px and share at least `overlap` px.

    The last window ends at the border; a window may be larger than the image.
    """
    if not 0 <= overlap < tile:
        raise ValueError(f"overlap {overlap} must be at least 0 and smaller than the tile ({tile})")
    if size <= tile:
        return [0]
    n = -(-(size - overlap) // (tile - overlap))
    return [round(i * (size - tile) / (n - 1)) for i in range(n)]


def tile_origins(shape: Sequence[int], tile: int, overlap: int) -> np.ndarray:
    """Origins (N, 2) of the windows of a plane (Y, X), row by row."""
    ys, xs = (tile_starts(size, tile, overlap) for size in shape)
    return np.array([(y, x) for y in ys for x in xs], dtype=np.int64)


def cut(image: np.ndarray, origin: Sequence[int], tile: int) -> np.ndarray:
    """A window (..., tile, tile) at (y, x); beyond the border the image is mirrored."""
    y, x = origin
    window = image[..., y : y + tile, x : x + tile]
    short = [tile - size for size in window.shape[-2:]]
    if not any(short):
        return window
    # a strip thinner than what is missing cannot be mirrored in one go
    mode = (
        "reflect" if all(s < n for s, n in zip(short, window.shape[-2:], strict=True)) else "edge"
    )
    return np.pad(window, [(0, 0)] * (image.ndim - 2) + [(0, short[0]), (0, short[1])], mode=mode)


def blend_weights(tile: int, overlap: int) -> np.ndarray:
    """Weights (tile, tile): 1 inside, falling towards the border over the overlap, never 0."""
    ramp = np.minimum(np.arange(tile) + 1, np.arange(tile)[::-1] + 1) / (overlap + 1)
    ramp = np.minimum(ramp, 1.0).astype(np.float32)
    return np.outer(ramp, ramp)


class Blend:
    """Sums weighted predictions (C, tile, tile) into one image (C, Y, X); outside all windows it is 0."""

    def __init__(self, n_channels: int, shape: Sequence[int], tile: int, overlap: int):
        self.sums = np.zeros((n_channels, *shape), np.float32)
        self.weights = np.zeros(tuple(shape), np.float32)
        self._window = blend_weights(tile, overlap)

    def add(self, origins: Iterable[Sequence[int]], predictions: Iterable[np.ndarray]) -> None:
        """Add windows at their origins; what lies beyond the border is dropped."""
        for (y, x), prediction in zip(origins, predictions, strict=True):
            height, width = (
                min(self._window.shape[0], n - o)
                for n, o in zip(self.weights.shape, (y, x), strict=True)
            )
            window = self._window[:height, :width]
            self.sums[:, y : y + height, x : x + width] += prediction[:, :height, :width] * window
            self.weights[y : y + height, x : x + width] += window

    def result(self) -> np.ndarray:
        """The blended image (C, Y, X)."""
        return self.sums / np.maximum(self.weights, 1e-12)
