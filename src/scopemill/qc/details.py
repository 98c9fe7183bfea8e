"""Details: a frame too large to be judged as a whole -> three windows of it at full resolution."""

from collections.abc import Sequence

import numpy as np

from ..frames import Frame
from ..tiling import Window, intersect, list_cores
from .views import OVERVIEW_PX

N_WINDOWS = 3


def choose_windows(
    frame: Frame, tasks: Sequence[str], side: int, seam: Sequence[int] | None
) -> list[tuple[str, Window]]:
    """Where most borders of objects or classes are, where as many as usual are, and where blocks meet.

    `seam` is a window (y0, x0, y1, x1) in whose middle blocks meet; without it, the third is the second densest.
    The same frame gives the same windows.
    """
    cells = [
        open_window([one.start for one in core], side, frame.size)
        for core in list_cores(frame.size, side)
    ]
    counts = count_borders(frame, tasks, cells)
    usual = np.median(counts[counts > 0]) if counts.any() else 0.0
    densest = [cells[i] for i in np.argsort(-counts, kind="stable")]
    typical = [cells[i] for i in np.argsort(np.abs(counts - usual), kind="stable")]
    found = [("densest", densest[0])]
    if seam is not None:
        y0, x0, y1, x1 = seam
        start = (int(y0 + y1 - side) // 2, int(x0 + x1 - side) // 2)
        found.append(("where blocks meet", open_window(start, side, frame.size)))
    for name, candidates in (("typical", typical), ("second densest", densest)):
        free = (one for one in candidates if not any(intersect(one, other) for _, other in found))
        if len(found) < N_WINDOWS and (window := next(free, None)):
            found.append((name, window))
    return found


def open_window(start: Sequence[int], side: int, size: tuple[int, int]) -> Window:
    """A square, moved so that it lies in the image."""
    starts = [max(0, min(first, n - side)) for first, n in zip(start, size, strict=True)]
    return tuple(slice(first, min(first + side, n)) for first, n in zip(starts, size, strict=True))


def count_borders(frame: Frame, tasks: Sequence[str], cells: Sequence[Window]) -> np.ndarray:
    """How much of each window is border of objects or classes; contrast where there are none."""
    from skimage.segmentation import find_boundaries

    maps = [frame.label_overview(task, OVERVIEW_PX) for task in tasks]
    borders = [find_boundaries(labels, mode="inner") for labels, _ in maps]
    if not any(one.any() for one in borders):
        plane, scale = frame.overview(frame.meta.channel_names[0], OVERVIEW_PX)
        borders, maps = [np.hypot(*slopes(plane))], [(plane, scale)]
    together, scale = sum(one.astype(np.float32) for one in borders), maps[0][1]
    return np.array([together[shrink_window(one, scale)].mean() for one in cells])


def shrink_window(window: Window, scale: float) -> Window:
    """The pixels of an overview that show any of a window."""
    return tuple(slice(int(one.start / scale), int(-(-one.stop // scale))) for one in window)


def slopes(plane: np.ndarray) -> list[np.ndarray]:
    """Differences of neighbours along y and x; 0 at the far borders."""
    values = plane.astype(np.float32)
    return [
        np.diff(values, axis=axis, append=values.take([-1], axis)) for axis in range(values.ndim)
    ]
