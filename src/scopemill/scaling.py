"""Scaling: images and labels at another pixel size."""

import numpy as np

from .errors import DataError

SAME_SCALE = 0.02  # scales that differ by less are not worth an interpolation
FINEST = 8  # times finer than the image; beyond that the wanted pixel size is a mistake


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


def take_nearest(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Labels (..., Y, X) at another size: each pixel takes the label under its centre."""
    if labels.shape[-2:] == tuple(size):
        return labels
    rows, columns = (
        np.minimum((np.arange(n) + 0.5) * m / n, m - 1).astype(np.int64)
        for n, m in zip(size, labels.shape[-2:], strict=True)
    )
    return labels[..., rows[:, None], columns]
