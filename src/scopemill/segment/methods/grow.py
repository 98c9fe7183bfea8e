"""Grow: nuclei (or other seeds) + a channel that fills the cell -> cells, by a seeded watershed.

A cell has the label of its seed, so that nucleus and cell join by number.
"""

from typing import Literal

import numpy as np

from ...frames import Frame
from ...settings import ChannelName, ConfigError, NonNegative, Positive, SegmentTask, settings


@settings
class Settings:
    """Where cells may reach."""

    seeds: SegmentTask
    """The segment task whose objects are grown, such as nuclei."""
    channel: ChannelName | None = None
    """A channel that shows whole cells; without it cells reach `max_distance_um` around their seeds."""
    max_distance_um: Positive = 10.0
    """How far from its seed a cell may reach."""
    smooth_um: NonNegative = 0.5
    """Width (sigma) of the Gaussian that removes noise."""
    threshold: Literal["otsu", "li", "triangle"] = "li"
    """How the border of cells against empty background is found."""


def segment(frame: Frame, settings: Settings) -> np.ndarray:
    """Seeds -> labels of the same shape and numbers."""
    from scipy import ndimage
    from skimage import filters, segmentation

    seeds = frame.labels(settings.seeds)
    spacing = frame.spacing(seeds)
    reach = ndimage.distance_transform_edt(seeds == 0, sampling=spacing)
    mask = reach <= settings.max_distance_um
    if settings.channel is None:
        return segmentation.watershed(reach, seeds, mask=mask).astype(np.uint32)
    image = frame.channel(settings.channel).astype(np.float32)
    if image.ndim != seeds.ndim:
        raise ConfigError(f"z of this task and of its seeds '{settings.seeds}' must be the same")
    smooth = ndimage.gaussian_filter(image, [settings.smooth_um / step for step in spacing])
    find = {
        "otsu": filters.threshold_otsu,
        "li": filters.threshold_li,
        "triangle": filters.threshold_triangle,
    }
    mask &= (smooth > find[settings.threshold](smooth)) | (seeds > 0)
    return segmentation.watershed(reach, seeds, mask=mask).astype(np.uint32)
