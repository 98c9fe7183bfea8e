"""Drawn: outlines that a person drew (QuPath, ImageJ, ...) -> the class image of the regions that they name."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from ...annotations.raster import MAX_CLASSES, to_classes
from ...frames import Frame
from ...settings import AnnotateTask, ConfigError, settings

if TYPE_CHECKING:
    import pandas as pd

OUTPUT = "classes"
OUTSIDE = "outside"


@settings
class Settings:
    """Which outlines are regions, and what they are called."""

    annotations: AnnotateTask
    """The annotate task that reads the outlines; an image without annotations is passed over."""
    names: Annotated[tuple[str, ...], Field(min_length=1, max_length=MAX_CLASSES)]
    """The regions: classes of the annotations, or their names. Others are left out; where regions overlap, the smaller outline is on top."""
    by: Literal["class", "name"] = "class"
    """Whether `names` are the classes that outlines were given, or the name of each one (in QuPath: set name)."""


def check(settings: Settings, channels: Mapping[str, Any]) -> None:
    """Regions have names of their own."""
    names = class_names(settings)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(
            f"names: '{twice[0]}' stands for two things; what lies in no region is '{OUTSIDE}'"
        )


def class_names(settings: Settings) -> tuple[str, ...]:
    """Names of the values 0, 1, ..."""
    return (OUTSIDE, *settings.names)


def margin_px(frame: Frame, settings: Settings) -> int:
    """Outlines are drawn window by window."""
    return 0


def survey(frame: Frame, settings: Settings) -> "pd.DataFrame":
    """The outlines to draw; what is not there or left out is said once."""
    table = frame.tables(f"annotate.{settings.annotations}")
    given = table[settings.by]
    absent = [name for name in settings.names if name not in set(given)]
    if absent:
        frame.note(f"no annotation has the {settings.by} {', '.join(map(repr, absent))}")
    left_out = sorted(set(given) - set(settings.names))
    if left_out:
        frame.note(f"annotations of {settings.by} {', '.join(map(repr, left_out))} are no regions")
    return table[given.isin(settings.names)].assign(**{"class": given})


def segment(frame: Frame, settings: Settings) -> np.ndarray:
    """Classes of the frame's window: (Y, X) or (Z, Y, X), uint8.

    Where planes are put together, outlines of any plane are drawn.
    """
    table = survey(frame, settings) if frame.known is None else frame.known
    pixel = frame.cut(slice(0, 1), slice(0, 1)).channel(frame.channel_names[0])
    shape = (*pixel.shape[:-2], *frame.size)
    if len(shape) == 2:
        table = table.assign(z=-1)
    return to_classes(table, shape, settings.names, frame.window)
