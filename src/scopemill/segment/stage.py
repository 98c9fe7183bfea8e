"""Segment: image (CZYX) -> labels (YX, or ZYX), uint32, one positive integer per object, 0 background."""

from typing import Any, Literal

import numpy as np

from ..frames import Frame, open_frames
from ..images import Image, write_labels
from ..jobs import Job
from ..settings import Method, Positive, settings

ARTIFACT = "labels/{task}/{image}.ome.tif"


@settings
class Settings:
    """How objects are found, whatever the method."""

    method: dict[str, Any]
    """{name: otsu | grow | unet | a plug-in, and the method's own settings}."""
    z: Literal["max", "mean", "middle", "stack"] = "max"
    """How planes of a stack are put together first; 'stack' segments in 3-D."""
    min_size_um: Positive | None = None
    """Objects narrower than this (diameter of the circle or ball of equal size) are dropped."""
    max_size_um: Positive | None = None
    """Objects wider than this are dropped."""


def carry(job: Job, settings: Settings, method: Method) -> dict[str, Any]:
    """Segment every time point of one image."""
    with open_frames(job, settings.z) as frames:
        labels = [segment(frame, settings, method) for frame in frames]
    with Image(job.inputs["convert"]) as image:
        like = image.meta
    volumes = np.stack([one if one.ndim == 3 else one[None] for one in labels])
    write_labels(job.output, volumes, like, job.fingerprint)
    return {"n_objects": [int(np.count_nonzero(np.bincount(one.ravel())[1:])) for one in labels]}


def segment(frame: Frame, settings: Settings, method: Method) -> np.ndarray:
    """Labels of one frame, too small and too large ones dropped."""
    labels = method.module.segment(frame, method.settings)
    return drop_by_size(labels, frame.spacing(labels), settings)


def drop_by_size(labels: np.ndarray, spacing: tuple[float, ...], settings: Settings) -> np.ndarray:
    """Drop labels outside the size limits; the others keep their ids."""
    if settings.min_size_um is None and settings.max_size_um is None:
        return labels
    sizes = np.bincount(labels.ravel()) * np.prod(spacing)
    factor = np.pi / 4 if labels.ndim == 2 else np.pi / 6
    low = factor * (settings.min_size_um or 0) ** labels.ndim
    high = factor * (settings.max_size_um or np.inf) ** labels.ndim
    ids = np.arange(len(sizes))
    return np.where((sizes >= low) & (sizes <= high), ids, 0)[labels].astype(np.uint32)
