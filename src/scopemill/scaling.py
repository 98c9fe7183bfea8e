"""Scaling: images and labels at another pixel size, whole or one window of them."""

from collections.abc import Callable

import numpy as np

from .errors import DataError

SAME_SCALE = 0.02  # scales that differ by less are not worth an interpolation
BLOCK_PX = 2048  # of the plane, which are smoothed at once
FINEST = 8  # times finer than the image; beyond that the wanted pixel size is a mistake
STEPS = (1, 4, 8, 16, 32)  # pixels at which those of two scales may begin together


def choose_scale(
    source: tuple[int, int], own_um: float | None, wanted_um: float | None
) -> tuple[tuple[int, int], float | None]:
    """Size (Y, X) and pixel size of the image that patches are cut from.

    Raises
    ------
    DataError
        PIXEL_SIZE where the image cannot be brought to the wanted scale.
    """
    if wanted_um is None or (own_um and abs(wanted_um / own_um - 1) < SAME_SCALE):
        return tuple(source), own_um
    if own_um is None:
        cure = "give it in the config or the image sheet, or remove pixel_size_um from the task"
        raise DataError("PIXEL_SIZE", f"the image does not say its pixel size; {cure}")
    if own_um > FINEST * wanted_um:
        cure = f"check both; the task's pixel_size_um may be down to {own_um / FINEST:.3g}"
        raise DataError(
            "PIXEL_SIZE", f"pixels of {own_um:g} µm cannot become {wanted_um:g} µm; {cure}"
        )
    return tuple(max(1, round(n * own_um / wanted_um)) for n in source), wanted_um


def rescale(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A plane at another size, of the same type; smoothed first when it shrinks."""
    from skimage.transform import resize

    if plane.shape == tuple(size):
        return plane
    shrinks = size[0] < plane.shape[0]
    scaled = resize(
        plane.astype(np.float32), size, order=1, anti_aliasing=shrinks, preserve_range=True
    )
    return (scaled if plane.dtype.kind == "f" else scaled.round()).astype(plane.dtype)


def rescale_window(
    read: Callable[[slice, slice], np.ndarray],
    source: tuple[int, int],
    size: tuple[int, int],
    window: tuple[slice, slice],
) -> np.ndarray:
    """A window (y, x; clipped) of what `rescale` makes of a plane; `read` gives windows of the plane (..., Y, X)."""
    if source == tuple(size):
        return read(*window)
    limits = [range(n)[limit] for limit, n in zip(window, size, strict=True)]
    # a small window of a much smaller image may show much of a large plane
    steps = [max(1, BLOCK_PX * m // n) for n, m in zip(source, size, strict=True)]
    ys, xs = (
        [one[i : i + step] for i in range(0, len(one), step)]
        for one, step in zip(limits, steps, strict=True)
    )
    return np.block([[rescale_part(read, source, size, (y, x)) for x in xs] for y in ys])


def rescale_part(
    read: Callable[[slice, slice], np.ndarray],
    source: tuple[int, int],
    size: tuple[int, int],
    pixels: tuple[range, range],
) -> np.ndarray:
    """The pixels (y, x) of what `rescale` makes of a plane."""
    from scipy import ndimage

    sigmas = smoothing(source, size)
    axes = [
        source_places(one, n / m, n, int(4 * sigma + 0.5))
        for one, n, m, sigma in zip(pixels, source, size, sigmas, strict=True)
    ]
    part = read(*(slice(*reach) for reach, _ in axes))
    inner = (0,) * (part.ndim - 2)
    smooth = ndimage.gaussian_filter(part.astype(np.float32), (*inner, *sigmas), mode="mirror")
    for axis, (_, places) in zip((-2, -1), axes, strict=True):
        smooth = interpolate(smooth, places, axis)
    return (smooth if part.dtype.kind == "f" else smooth.round()).astype(part.dtype)


def smoothing(source: tuple[int, int], size: tuple[int, int]) -> tuple[float, float]:
    """Sigmas of the Gaussian before an image shrinks, as scikit-image's `resize` has them."""
    shrinks = size[0] < source[0]
    return tuple(max(0.0, (n / m - 1) / 2) * shrinks for n, m in zip(source, size, strict=True))


def source_places(
    pixels: range, step: float, size: int, reach: int
) -> tuple[tuple[int, int], np.ndarray]:
    """Pixels of an axis that a window needs (from, to), and where in them its pixels' centres lie."""
    places = np.abs((np.array(pixels) + 0.5) * step - 0.5)  # mirrored at the borders
    places = np.minimum(places, 2 * (size - 1) - places) if size > 1 else places * 0
    first = max(0, int(places.min()) - reach)
    last = min(size, int(places.max()) + 2 + reach)
    return (first, last), places - first


def interpolate(image: np.ndarray, places: np.ndarray, axis: int) -> np.ndarray:
    """Values at these places of an axis, between two pixels each."""
    before = np.minimum(places.astype(np.int64), image.shape[axis] - 1)
    after = np.minimum(before + 1, image.shape[axis] - 1)
    share = (places - before).astype(np.float32).reshape(-1, *(1,) * (-1 - axis))
    low, high = image.take(before, axis), image.take(after, axis)
    return low + share * (high - low)


def find_step(zoom: float) -> int:
    """Pixels of an image at which pixels of one `zoom` times as large begin too; 1 where none of STEPS will do."""
    return next((n for n in STEPS if (zoom * n).is_integer()), 1)


def take_nearest(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Labels (..., Y, X) at another size: each pixel takes the label under its centre."""
    if labels.shape[-2:] == tuple(size):
        return labels
    rows, columns = map(nearest_pixels, size, labels.shape[-2:])
    return labels[..., rows[:, None], columns]


def take_nearest_window(
    read: Callable[[slice, slice], np.ndarray],
    source: tuple[int, int],
    size: tuple[int, int],
    window: tuple[slice, slice],
) -> np.ndarray:
    """A window (y, x) of what `take_nearest` makes of a plane; `read` gives windows of the plane (..., Y, X)."""
    if tuple(source) == tuple(size):
        return read(*window)
    rows, columns = (
        nearest_pixels(n, m)[one] for n, m, one in zip(size, source, window, strict=True)
    )
    part = read(*(slice(int(one[0]), int(one[-1]) + 1) for one in (rows, columns)))
    return part[..., (rows - rows[0])[:, None], columns - columns[0]]


def nearest_pixels(size: int, source: int) -> np.ndarray:
    """For each of `size` pixels along an axis, the one of `source` pixels that lies under its centre."""
    return np.minimum((np.arange(size) + 0.5) * source / size, source - 1).astype(np.int64)
