"""LoG spots: one channel, 2-D or 3-D -> points, by the maxima of a Laplacian of Gaussian (Lindeberg 1993).

A spot is a maximum whose response stands out of the noise of the response (robust standard deviation).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from ...blocks import list_blocks
from ...frames import Frame
from ...settings import ChannelName, Positive, SegmentTask, settings
from ...spots import refine
from ...tiling import Window, widen, within
from ..spots import check_channels, detect_each, measure_spots

if TYPE_CHECKING:
    import pandas as pd


@settings
class Settings:
    """Size and contrast of spots."""

    channel: ChannelName | None = None
    """The channel that shows the spots."""
    channels: list[ChannelName] | None = None
    """Instead: several channels, each looked at by itself; the column `channel` says where a spot was found."""
    sigma_um: Positive = 0.2
    """Width (sigma) of a spot in the plane; about 0.2 wavelengths/NA for a diffraction-limited one."""
    sigma_z_um: Positive = 0.6
    """Width (sigma) of a spot along the optical axis."""
    min_snr: Positive = 6.0
    """How far a spot's response must stand out, in standard deviations of the noise: lower finds more, and more noise."""
    within: SegmentTask | None = None
    """Assign each spot to the object of this segment task in which it lies (0: none)."""
    max_distance_um: Annotated[float, Field(ge=0)] = 0.0
    """Spots so far outside an outline still belong to the object."""


def check(settings: Settings, channels: Mapping[str, Any]) -> None:
    """One way to name channels."""
    check_channels(settings, channels)


def detect(frame: Frame, settings: Settings) -> "pd.DataFrame":
    """Columns z, y, x (pixels, sub-pixel), channel, intensity, background, snr, response, and the object."""
    return detect_each(frame, settings, lambda channel: find(frame, channel, settings))


def find(frame: Frame, channel: str, settings: Settings) -> "pd.DataFrame":
    """Spots of one channel, by their place."""
    import pandas as pd

    limits = survey(frame, channel, settings)
    blocks = list_blocks(frame.size, frame.meta.shape[2])
    found = [find_in(frame, core, channel, settings, limits) for core in blocks]
    table = pd.concat(found)
    # by place, as if the image had been looked at whole
    order = [name for name in ("peak_z", "peak_y", "peak_x") if name in table]
    table = table.sort_values(order, ignore_index=True, kind="stable")
    return table.drop(columns=order)


def find_in(
    frame: Frame, core: Window, channel: str, settings: Settings, limits: tuple[np.float32, np.float32]
) -> "pd.DataFrame":  # fmt: skip
    """Spots whose peak lies in a block, in coordinates of the whole image."""
    import pandas as pd

    sigmas = spot_sigmas(frame, settings)
    window = widen(core, margin_px(sigmas), frame.size)
    image = frame.cut(*window).channel(channel).astype(np.float32)
    sigmas = sigmas[-image.ndim :]
    response = filter_log(image, sigmas)
    peaks, stands_out = find_peaks(response, settings.min_snr, sigmas, *limits)
    low, high = (
        np.array([getattr(one, end) for one in within(core, window)]) for end in ("start", "stop")
    )
    mine = ((peaks[:, -2:] >= low) & (peaks[:, -2:] < high)).all(axis=1)
    peaks, stands_out = peaks[mine], stands_out[mine]
    first = np.array([0, *(one.start for one in window)])[-image.ndim :]
    points = peaks + first + refine(response, peaks)
    axes = "zyx"[-image.ndim :]
    columns = dict(zip(axes, points.T, strict=True))
    columns |= measure_spots(image, peaks, sigmas) | {"response": stands_out}
    places = dict(zip((f"peak_{axis}" for axis in axes), (peaks + first).T, strict=True))
    return pd.DataFrame(columns | places)


def survey(frame: Frame, channel: str, settings: Settings) -> tuple[np.float32, np.float32]:
    """Level and noise of the response in a sample of the image: the whole of it where it is small."""
    sigmas, responses = spot_sigmas(frame, settings), []
    for one in frame.sample():
        window = widen(one, margin_px(sigmas), frame.size)
        image = frame.cut(*window).channel(channel).astype(np.float32)
        response = filter_log(image, sigmas[-image.ndim :])
        responses.append(response[(..., *within(one, window))].ravel())
    values = np.concatenate(responses)
    middle = np.median(values)
    # a background of one value (thresholded, masked) has no median deviation
    noise = 1.4826 * np.median(np.abs(values - middle)) or float(values.std()) or np.inf
    return middle, noise


def spot_sigmas(frame: Frame, settings: Settings) -> list[float]:
    """Width of a spot in voxels: z, y, x."""
    sizes = (settings.sigma_z_um, *[settings.sigma_um] * 2)
    return [size / step for size, step in zip(sizes, frame.spacing_um, strict=True)]


def margin_px(sigmas: list[float]) -> int:
    """How far around a pixel the image decides on a spot there: the filter, then the maximum's neighbours."""
    widest = max(sigmas[-2:])
    return int(4 * widest + 0.5) + max(1, round(widest)) + 1


def filter_log(image: np.ndarray, sigmas: list[float]) -> np.ndarray:
    """Scale-normalised, sign-turned LoG: positive and highest at the middle of a bright spot."""
    from scipy import ndimage

    response = np.zeros(image.shape, np.float32)
    for axis, sigma in enumerate(sigmas):
        orders = [2 if other == axis else 0 for other in range(image.ndim)]
        response -= sigma**2 * ndimage.gaussian_filter(image, sigmas, order=orders)
    return response


def find_peaks(
    response: np.ndarray,
    min_snr: float,
    sigmas: list[float],
    middle: np.float32,
    noise: np.float32,
) -> tuple[np.ndarray, np.ndarray]:
    """Local maxima (N, d) that are `min_snr` times the noise above the middle, and how far above."""
    from scipy import ndimage

    size = [2 * max(1, round(sigma)) + 1 for sigma in sigmas]
    highest = response == ndimage.maximum_filter(response, size)
    peaks = np.argwhere(highest & (response > middle + min_snr * noise))
    return peaks, (response[tuple(peaks.T)] - middle) / noise
