"""LoG spots: one channel, 2-D or 3-D -> points, by the maxima of a Laplacian of Gaussian (Lindeberg 1993).

A spot is a maximum whose response stands out of the noise of the response (robust standard deviation).
"""

from typing import TYPE_CHECKING

import numpy as np

from ...frames import Frame
from ...settings import ChannelName, Positive, SegmentTask, settings

if TYPE_CHECKING:
    import pandas as pd


@settings
class Settings:
    """Size and contrast of spots."""

    channel: ChannelName
    """The channel that shows the spots."""
    sigma_um: Positive = 0.2
    """Width (sigma) of a spot in the plane; about 0.2 wavelengths/NA for a diffraction-limited one."""
    sigma_z_um: Positive = 0.6
    """Width (sigma) of a spot along the optical axis."""
    min_snr: Positive = 6.0
    """How far a spot's response must stand out, in standard deviations of the noise: lower finds more, and more noise."""
    within: SegmentTask | None = None
    """Assign each spot to the object of this segment task in which it lies (0: none)."""


def detect(frame: Frame, settings: Settings) -> "pd.DataFrame":
    """Columns z, y, x (pixels, sub-pixel), intensity, background, snr and `<within>_label`."""
    import pandas as pd

    image = frame.channel(settings.channel).astype(np.float32)
    sigmas = [
        size / step
        for size, step in zip(
            (settings.sigma_z_um, *[settings.sigma_um] * 2), frame.spacing_um, strict=True
        )
    ]
    sigmas = sigmas[-image.ndim :]
    response = filter_log(image, sigmas)
    peaks, snr = find_peaks(response, settings.min_snr, sigmas)
    points = refine(response, peaks)
    intensity, background = measure_spots(image, peaks, sigmas)
    columns = dict(zip("zyx"[-image.ndim :], points.T, strict=True))
    table = pd.DataFrame({**columns, "intensity": intensity, "background": background, "snr": snr})
    if settings.within:
        table[f"{settings.within.replace('-', '_')}_label"] = assign(
            peaks, frame.labels(settings.within)
        )
    return table


def filter_log(image: np.ndarray, sigmas: list[float]) -> np.ndarray:
    """Scale-normalised, sign-turned LoG: positive and highest at the middle of a bright spot."""
    from scipy import ndimage

    response = np.zeros(image.shape, np.float32)
    for axis, sigma in enumerate(sigmas):
        orders = [2 if other == axis else 0 for other in range(image.ndim)]
        response -= sigma**2 * ndimage.gaussian_filter(image, sigmas, order=orders)
    return response


def find_peaks(
    response: np.ndarray, min_snr: float, sigmas: list[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Local maxima (N, d) above `min_snr` robust standard deviations, and how far above."""
    from scipy import ndimage

    middle = np.median(response)
    # a background of one value (thresholded, masked) has no median deviation
    noise = 1.4826 * np.median(np.abs(response - middle)) or float(response.std()) or np.inf
    size = [2 * max(1, round(sigma)) + 1 for sigma in sigmas]
    highest = response == ndimage.maximum_filter(response, size)
    peaks = np.argwhere(highest & (response > middle + min_snr * noise))
    return peaks, (response[tuple(peaks.T)] - middle) / noise


def refine(response: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """Sub-pixel positions (N, d): vertex of the parabola through the maximum and its two neighbours, per axis."""
    points = peaks.astype(np.float64)
    for axis, size in enumerate(response.shape):
        if size < 3:
            continue
        inner = (peaks[:, axis] > 0) & (peaks[:, axis] < size - 1)
        step = np.eye(response.ndim, dtype=int)[axis]
        before, at, after = (
            response[tuple((peaks[inner] + k * step).T)].astype(float) for k in (-1, 0, 1)
        )
        curvature = before - 2 * at + after
        shift = 0.5 * (before - after) / np.where(curvature < 0, curvature, np.inf)
        points[inner, axis] += np.clip(shift, -0.5, 0.5)
    return points


def measure_spots(
    image: np.ndarray, peaks: np.ndarray, sigmas: list[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Mean within one sigma less the background, and the background: the median of a shell at 3 to 4 sigma."""
    reach = [int(np.ceil(4 * sigma)) for sigma in sigmas]
    offsets = np.stack(
        np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), -1
    ).reshape(-1, image.ndim)
    distance = np.sqrt(((offsets / np.array(sigmas)) ** 2).sum(axis=1))
    limits = np.array(image.shape) - 1

    def values(chosen: np.ndarray) -> np.ndarray:
        return image[tuple(np.clip(peaks[:, None] + offsets[chosen], 0, limits).transpose(2, 0, 1))]

    background = np.median(values((distance >= 3) & (distance <= 4)), axis=1)
    return values(distance <= 1).mean(axis=1) - background, background


def assign(peaks: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Label under each point; a 2-D label image serves all planes."""
    return labels[tuple(peaks[:, -labels.ndim :].T)].astype(np.int64)
