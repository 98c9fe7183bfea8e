"""Tiling: an image too large to look at whole -> overlapping windows, and their predictions -> one image."""

from collections.abc import Iterable, Sequence

import numpy as np

HIDDEN = 1e-6  # weight of what another window sees better: counts only where there is no other

Window = tuple[slice, slice]  # y and x, in pixels of the whole image; start and stop are given


def list_cores(size: Sequence[int], block: int) -> list[Window]:
    """Windows of at most `block` px that cover a plane (Y, X) and share no pixel, row by row."""
    ys, xs = ([slice(i, min(i + block, n)) for i in range(0, n, block)] for n in size)
    return [(y, x) for y in ys for x in xs]


def spread_windows(size: tuple[int, int], small_px: int, per_side: int, width: int) -> list[Window]:
    """All of a small plane (Y, X); of a large one, so many windows a side, evenly from end to end."""
    if size[0] * size[1] <= small_px:
        return [(slice(0, size[0]), slice(0, size[1]))]
    starts = (np.linspace(0, max(n - width, 0), per_side).astype(int).tolist() for n in size)
    rows, columns = (
        [slice(start, min(start + width, n)) for start in dict.fromkeys(one)]
        for one, n in zip(starts, size, strict=True)
    )
    return [(y, x) for y in rows for x in columns]


def widen(core: Window, margin: int, size: Sequence[int]) -> Window:
    """A window `margin` px larger on each side, as far as the plane goes."""
    return tuple(
        slice(max(0, one.start - margin), min(n, one.stop + margin))
        for one, n in zip(core, size, strict=True)
    )


def clip(window: Window, size: Sequence[int]) -> Window:
    """Slices with whole numbers, within a plane."""
    ends = [axis.indices(n)[:2] for axis, n in zip(window, size, strict=True)]
    return tuple(slice(start, max(start, stop)) for start, stop in ends)


def within(inner: Window, outer: Window) -> Window:
    """Where a window lies in an array that shows `outer`."""
    return tuple(
        slice(a.start - b.start, a.stop - b.start) for a, b in zip(inner, outer, strict=True)
    )


def intersect(one: Window, other: Window) -> Window | None:
    """What two windows share; None where that is nothing."""
    shared = tuple(
        slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(one, other, strict=True)
    )
    return shared if all(axis.start < axis.stop for axis in shared) else None


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


def tile_origins(
    shape: Sequence[int], tile: int | Sequence[int], overlap: int, align: int = 1
) -> np.ndarray:
    """Origins (N, 2) of the windows of a plane (Y, X), row by row."""
    tiles = np.broadcast_to(tile, 2)
    ys, xs = (
        tile_starts(size, one, overlap, align)
        for size, one in zip(shape, tiles.tolist(), strict=True)
    )
    return np.array([(y, x) for y in ys for x in xs], dtype=np.int64)


def choose_tile(size: Sequence[int], largest: int, overlap: int, align: int) -> tuple[int, int]:
    """Height and width of windows for a plane: as few as `largest` allows, none larger than needed."""
    shared = -(-overlap // align) * align  # windows begin at multiples of `align`
    tile = []
    for n in size:
        count = 1 if n <= largest else -(-(n - shared) // (largest // align * align - shared))
        needed = -(-(n + (count - 1) * shared) // count)
        tile.append(-(-needed // align) * align)
    return tuple(tile)


def cut(image: np.ndarray, origin: Sequence[int], tile: int | Sequence[int]) -> np.ndarray:
    """A window (..., tile, tile) at (y, x); beyond the border the image is mirrored."""
    (y, x), (height, width) = origin, np.broadcast_to(tile, 2)
    window = image[..., y : y + height, x : x + width]
    short = [(0, n - m) for n, m in zip((height, width), window.shape[-2:], strict=True)]
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
    """Sums weighted predictions (C, tile, tile) into a window (C, Y, X) of the image; outside all of them it is 0."""

    def __init__(
        self,
        n_channels: int,
        shape: Sequence[int],
        tile: int | Sequence[int],
        overlap: int,
        halo: int = 0,
        window: Window | None = None,
    ):
        self.shape = tuple(shape)
        self.window = window or tuple(slice(0, n) for n in shape)
        size = tuple(axis.stop - axis.start for axis in self.window)
        self.sums = np.zeros((n_channels, *size), np.float32)
        self.weights = np.zeros(size, np.float32)
        self._tile, self._overlap = np.broadcast_to(tile, 2).tolist(), overlap
        self._halo = usable_halo(halo, overlap)

    def add(self, origins: Iterable[Sequence[int]], predictions: Iterable[np.ndarray]) -> None:
        """Add predictions at their origins in the image; what lies beyond the window is dropped."""
        for origin, prediction in zip(origins, predictions, strict=True):
            place = tuple(
                slice(int(o), int(o) + n) for o, n in zip(origin, self._tile, strict=True)
            )
            shared = intersect(place, self.window)
            if shared is None:
                continue
            here, there = within(shared, self.window), within(shared, place)
            weights = np.outer(
                *(self._weigh(axis, int(o))[there[axis]] for axis, o in enumerate(origin))
            )
            self.sums[(slice(None), *here)] += prediction[(slice(None), *there)] * weights
            self.weights[here] += weights

    def _weigh(self, axis: int, start: int) -> np.ndarray:
        """Weights along one axis of a prediction that begins at `start`."""
        ends = start == 0, start + self._tile[axis] >= self.shape[axis]
        return axis_weights(self._tile[axis], self._overlap, self._halo, *ends)

    def result(self) -> np.ndarray:
        """The blended window (C, Y, X); the sums are used up."""
        self.sums /= np.maximum(self.weights, 1e-12)
        return self.sums
