"""Trouble: one channel -> labels, everything above 1000; slow, greedy or without GPU where an image's first pixel says so."""

import time
from pathlib import Path

import numpy as np

from scopemill.frames import Frame
from scopemill.settings import ChannelName, NonNegative, settings

USES_GPU = True
SLOW, GREEDY, LOST = 1, 2, 3  # grey values of the first pixel


@settings
class Settings:
    """How much trouble it makes."""

    channel: ChannelName
    """The channel that shows the objects."""
    seconds: NonNegative = 0.0
    """What every image takes."""
    slow_seconds: NonNegative = 0.0
    """What a slow image takes."""
    greedy_mb: NonNegative = 0.0
    """Memory that a greedy image takes."""


def segment(frame: Frame, settings: Settings) -> np.ndarray:
    """(Y, X) of the frame -> labels of the same shape."""
    from scipy import ndimage

    image = frame.channel(settings.channel)
    mark = int(image.flat[0])
    time.sleep(settings.slow_seconds if mark == SLOW else settings.seconds)
    if mark == GREEDY:
        held = np.ones(int(settings.greedy_mb * 1e6 / 8))  # ones: every page is touched
        time.sleep(3)  # longer than the time between two looks at the memory
        del held
    if mark == LOST and not Path("lost").exists():
        Path("lost").touch()
        raise RuntimeError("CUDA error: the GPU has fallen off the bus")
    return ndimage.label(image > 1000)[0].astype(np.uint32)
