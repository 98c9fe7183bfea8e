"""Threshold: one channel or stain -> a class where it is above a threshold, such as collagen by sirius red.

The threshold is given, or found on a sample of the whole image after Otsu (1979), Li & Lee (1993) or Zack (1977).
"""

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from ...frames import Frame
from ...settings import ChannelName, ClassTask, ConfigError, NonNegative, nearest, settings
from ...thresholds import TRUNCATE, Threshold, find_threshold, smoothen

OUTPUT = "classes"
ClassName = Annotated[str, Field(pattern="^[A-Za-z][A-Za-z0-9_-]{0,31}$")]


@settings
class Settings:
    """What is compared with which threshold, and where."""

    channel: ChannelName
    """A channel, or a stain (its optical density)."""
    against: ChannelName | None = None
    """Another one: then channel / (channel + against), from 0 to 1, is compared; it depends less on the thickness of the section."""
    threshold: float | Threshold = "otsu"
    """A number makes images comparable; the others find one for each image."""
    smooth_um: NonNegative = 1.0
    """Width (sigma) of the Gaussian that removes noise."""
    within: ClassTask | None = None
    """A task whose classes restrict where the threshold is found and applied, such as tissue."""
    within_classes: list[str] | None = None
    """Which of its classes; all but its background when not given."""
    above: ClassName = "positive"
    """Name of the class above the threshold, such as collagen."""
    below: ClassName = "rest"
    """With within: name of the class of what is not above."""


def check(settings: Settings, channels: Mapping[str, Any]) -> None:
    """Classes have names of their own, and lie within something."""
    names = class_names(settings)
    if len(set(names)) < len(names):
        raise ConfigError(f"above: the classes are {', '.join(names)}; give each its own name")
    if settings.within_classes is not None and settings.within is None:
        raise ConfigError("within_classes: say within which task, with within: <task>")


def class_names(settings: Settings) -> tuple[str, ...]:
    """Names of the values 0, 1, ..."""
    between = () if settings.within is None else (settings.below,)
    return ("background", *between, settings.above)


def margin_px(frame: Frame, settings: Settings) -> int:
    """The Gaussian reaches so far."""
    return int(np.ceil(TRUNCATE * settings.smooth_um / frame.um_per_px)) + 1


def survey(frame: Frame, settings: Settings) -> float:
    """The threshold of the whole image, by its sample; above all where there is nothing to tell apart."""
    if not isinstance(settings.threshold, str):
        return settings.threshold

    def read(part: Frame) -> np.ndarray:
        values = compare(part, settings)
        return values[look(part, values.shape, settings)]

    threshold = find_threshold(frame.sampled(read), settings.threshold)
    if np.isinf(threshold):
        frame.note(f"no threshold of {settings.channel}: the sample shows nothing to tell apart")
    return threshold


def segment(frame: Frame, settings: Settings) -> np.ndarray:
    """Classes of the frame's window: (Y, X) or (Z, Y, X), uint8."""
    threshold = survey(frame, settings) if frame.known is None else frame.known
    high = compare(frame, settings) > threshold
    if settings.within is None:
        return high.astype(np.uint8)
    return np.where(look(frame, high.shape, settings), 1 + high, 0).astype(np.uint8)


def compare(frame: Frame, settings: Settings) -> np.ndarray:
    """What is compared with the threshold, float32."""
    own = read_smooth(frame, settings.channel, settings)
    if settings.against is None:
        return own
    own = np.maximum(own, 0)
    both = own + np.maximum(read_smooth(frame, settings.against, settings), 0)
    return np.divide(own, both, out=np.zeros_like(own), where=both > 0)


def read_smooth(frame: Frame, channel: str, settings: Settings) -> np.ndarray:
    """A channel without noise."""
    image = frame.channel(channel)
    return smoothen(image, settings.smooth_um, frame.spacing(image))


def look(frame: Frame, shape: tuple[int, ...], settings: Settings) -> np.ndarray:
    """Mask of this shape, that of the channel: where the threshold is found and applied."""
    if settings.within is None:
        return np.ones(shape, bool)
    classes, names = frame.classes(settings.within), frame.class_names(settings.within)
    if classes.ndim != len(shape):
        raise ConfigError(f"z of this task and of its task '{settings.within}' must be the same")
    wanted = settings.within_classes or names[1:]
    for name in wanted:
        if name not in names:
            cause = f"task '{settings.within}' has no class '{name}'"
            raise ConfigError(f"within_classes: {cause}{nearest(name, names)}")
    return np.isin(classes, [names.index(name) for name in wanted])
