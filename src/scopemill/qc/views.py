"""Views: a frame, whole or a window of it -> channels, labels and classes as large as they are drawn."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import pictures
from ..config import Channel
from ..frames import Frame
from ..images import as_stack
from ..readable import readable
from ..tiling import Window

OVERVIEW_PX = 2048  # what larger pictures are made of, so that no slide is read whole
NO_CHANNEL = Channel(source="")


@dataclass(frozen=True)
class View:
    """What a picture shows of a frame; `zoom` is picture pixels per image pixel."""

    frame: Frame
    window: Window | None  # in pixels of the image; None is all of it
    zoom: float
    max_px: int  # of the overview that the whole is drawn from

    def channel(self, name: str) -> np.ndarray:
        """(Y, X) of the picture."""
        if self.window:
            return self.frame.cut(*self.window).channel(name)
        plane, scale = self.frame.overview(name, self.max_px)
        return pictures.shrink(plane, self.zoom * scale)

    def labels(self, task: str) -> np.ndarray:
        """(Y, X) of the picture: labels, of a stack the highest."""
        if self.window:
            return as_stack(self.frame.cut(*self.window).labels(task)).max(axis=0)
        plane, scale = self.frame.label_overview(task, self.max_px)
        # on a slide an object may be smaller than a pixel of the picture
        fit = pictures.fit_objects if scale > 1 else pictures.fit
        return fit(plane, self.zoom * scale)

    def classes(self, task: str) -> np.ndarray:
        """(Y, X) of the picture: classes, of a stack the highest."""
        if self.window:
            return as_stack(self.frame.cut(*self.window).classes(task)).max(axis=0)
        plane, scale = self.frame.class_overview(task, self.max_px)
        return pictures.fit(plane, self.zoom * scale)

    def place(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 2) of the image, whose pixels' centres are whole numbers -> of the picture."""
        origin = [one.start for one in self.window] if self.window else [0, 0]
        return (points - origin) * self.zoom + (self.zoom / 2 - 0.5)


def view_whole(frame: Frame, at_least: int, at_most: int) -> View:
    """All of a frame, small ones enlarged and large ones reduced."""
    max_px = max(OVERVIEW_PX, at_most)
    plane, scale = frame.overview(frame.meta.channel_names[0], max_px)
    zoom = pictures.choose_zoom(plane.shape, at_least, at_most)
    return View(frame, None, zoom / scale, max_px)


def view_window(frame: Frame, window: Window) -> View:
    """A window at full resolution."""
    return View(frame, window, 1.0, 0)


def choose_channels(frame: Frame, show: Sequence[str] | None) -> list[str]:
    """What is shown: the channels asked for, as far as the image has them; else those that are stored."""
    return [one for one in show or frame.meta.channel_names if one in frame.channel_names]


def paint(
    views: Sequence[View],
    names: Sequence[str],
    channels: dict[str, Channel],
    percentiles: tuple[float, float],
) -> tuple[list[np.ndarray], list[tuple[str, str]]]:
    """Pictures (Y, X, 3), 0 to 1, with the same contrast; and the line that says what their colours mean."""
    images = [[view.channel(name) for name in names] for view in views]
    if views[0].frame.meta.rgb and tuple(names) == views[0].frame.meta.channel_names:
        top = brightest(views[0], names[0], images)
        colours = [np.stack(one, -1).astype(np.float32) / max(top, 1) for one in images]
        return colours, [("as photographed", "#c9ccd3")]
    colors = choose_colors(channels, names)
    limits = [
        pictures.contrast_limits(np.concatenate([one.ravel() for one in of_channel]), percentiles)
        for of_channel in zip(*images, strict=True)
    ]
    line = [
        (f"{name} {readable(low, 4)} to {readable(high, 4)}", color)
        for name, color, (low, high) in zip(names, colors, limits, strict=True)
    ]
    return [pictures.composite(one, colors, limits) for one in images], line


def brightest(view: View, name: str, images: Sequence[Sequence[np.ndarray]]) -> float:
    """What is shown white of a colour image."""
    if view.frame.cut(slice(0, 1), slice(0, 1)).channel(name).dtype == np.uint8:
        return 255.0
    return max(float(one.max()) for of_view in images for one in of_view)


def choose_colors(channels: dict[str, Channel], names: Sequence[str]) -> list[str]:
    """The config's colour, else one by role; markers take turns; a single channel is white."""
    known = [channels.get(name, NO_CHANNEL) for name in names]
    if len(names) == 1:
        return [known[0].color or "#ffffff"]
    turns: Iterator[str] = iter(pictures.MARKERS * len(names))
    return [one.color or colour_by_role(one) or next(turns) for one in known]


def colour_by_role(channel: Channel) -> str | None:
    """Stains, which the config does not list, are coloured as markers are."""
    return None if channel is NO_CHANNEL else pictures.BY_ROLE.get(channel.role)


def dim(picture: np.ndarray) -> np.ndarray:
    """A darker grey copy, on which outlines stand out."""
    grey = (
        picture.mean(axis=-1, keepdims=True)
        if picture.mean() > 0.4
        else picture.max(axis=-1, keepdims=True)
    )
    return np.repeat(grey * 0.7, 3, axis=-1)


def to_picture(array: np.ndarray) -> Any:
    """(Y, X, 3), 0 to 1 -> Pillow."""
    from PIL import Image

    return Image.fromarray((np.clip(array, 0, 1) * 255).round().astype(np.uint8))


def arrange(rows: Sequence[Sequence[Any]], gap: int) -> Any:
    """Rows of Pillow pictures -> one."""
    from PIL import Image

    width = max(sum(one.width + gap for one in row) - gap for row in rows)
    heights = [max(one.height for one in row) for row in rows]
    whole = Image.new("RGB", (width, sum(heights) + gap * (len(rows) - 1)), "#1a1a1a")
    y = 0
    for row, height in zip(rows, heights, strict=True):
        x = 0
        for one in row:
            whole.paste(one, (x, y))
            x += one.width + gap
        y += height + gap
    return whole
