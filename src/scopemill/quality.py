"""Quality: a converted image -> focus, saturation and contrast of each channel, as numbers to compare images by.

They are taken from a sample of bounded size: planes are put together by maximum; of a large image, windows spread
evenly; of a time series, the first, middle and last time point, the worst of which counts.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from .images import Image
from .tiling import Window, spread_windows

SMALL_PX = 2**20  # images up to this are looked at whole
WINDOWS, WINDOW_PX = 4, 256  # of others: a grid of so many windows a side
FINE, MIDDLE, COARSE = 1.0, 2.0, 8.0  # sigmas in pixels that part fine detail from coarse
TOP_PERCENTILE = 99.9

Facts = dict[str, dict[str, float | None]]


def measure_quality(path: Path) -> Facts:
    """{focus, saturated, contrast} -> channel -> value; None where a channel has one value only."""
    facts: Facts = {"focus": {}, "saturated": {}, "contrast": {}}
    with Image(path) as image:
        n_times = image.meta.shape[0]
        times = sorted({0, n_times // 2, n_times - 1})
        for name in image.meta.channel_names:
            rows = [measure_channel(list(read_sample(image, name, t))) for t in times]
            for (fact, values), worst in zip(facts.items(), (min, max, min), strict=True):
                known = [row[fact] for row in rows if row[fact] is not None]
                values[name] = worst(known, default=None)
    return facts


def read_sample(image: Image, name: str, t: int) -> Iterator[np.ndarray]:
    """Windows (Y, X) of a channel."""
    for y, x in choose_windows(image.meta.shape[-2:]):
        yield image.read(name, t, "max", y, x)


def choose_windows(size: tuple[int, int]) -> list[Window]:
    """Of a plane (Y, X): fewer windows than methods sample, for every channel is looked at."""
    return spread_windows(size, SMALL_PX, WINDOWS, WINDOW_PX)


def measure_channel(windows: Sequence[np.ndarray]) -> dict[str, float | None]:
    """Facts of one channel, from windows (Y, X) of it.

    - focus: log10 of the power of fine detail (1 to 2 pixels) over that of coarse detail (2 to 8 pixels). A ratio does
      not depend on brightness; an image out of focus has lost its fine detail.
    - saturated: share of pixels that have the highest value that occurs. It is next to nothing in an image that was not
      clipped, whatever the bits of the camera.
    - contrast: the 99.9th percentile less the median, in grey values.
    """
    values = np.concatenate([one.ravel() for one in windows])
    top = values.max()
    if top == values.min():
        return {"focus": None, "saturated": None, "contrast": 0.0}
    high = float(np.percentile(values, TOP_PERCENTILE) - np.median(values))
    saturated = float(np.count_nonzero(values == top) / values.size)
    return {"focus": measure_focus(windows), "saturated": saturated, "contrast": high}


def measure_focus(windows: Sequence[np.ndarray]) -> float | None:
    """log10 of fine over coarse power; None where there is no detail."""
    from .kernels.smoothing import smooth

    fine = coarse = 0.0
    for window in windows:
        one, two, three = (smooth(window.astype(np.float32), s) for s in (FINE, MIDDLE, COARSE))
        fine += float(np.square(one - two, dtype=float).sum())
        coarse += float(np.square(two - three, dtype=float).sum())
    return float(np.log10(fine / coarse)) if fine > 0 and coarse > 0 else None
