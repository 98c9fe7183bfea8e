"""Orthogonal: a window of a stack -> the cell in it from above, from the front and from the side, in true proportions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import pictures
from ..config import Channel
from ..frames import Frame
from ..images import as_stack
from .cells import Sample
from .marks import Line, choose_colors, draw_marks
from .views import NO_CHANNEL, to_picture
from .views import choose_colors as channel_colors

if TYPE_CHECKING:
    import pandas as pd

GAP_PX, LINE_PX = 4, 18
SIDE_PX = 300  # a cell's views are about as high and wide, where whole-number enlargement allows
GROUND = "#15171c"
RADIUS_UM = 0.5
DIM = 0.5  # of channels that show no spots, so that spots stand out
SIDES = (
    (1, 2),
    (0, 2),
    (1, 0),
)  # axes (z 0, y 1, x 2) down and across: from above, the front, the side


@dataclass(frozen=True)
class Side:
    """A window of a stack seen along one axis: the highest value on each line of sight."""

    frame: Frame  # cut to the window
    down: int
    across: int
    zooms: tuple[float, float, float]  # picture pixels per voxel along z, y, x

    def channel(self, name: str) -> np.ndarray:
        """(rows, columns) of the picture."""
        return self.look(as_stack(self.frame.channel(name)))

    def look(self, stack: np.ndarray) -> np.ndarray:
        """(Z, Y, X) of the window -> (rows, columns) of the picture."""
        away = ({0, 1, 2} - {self.down, self.across}).pop()
        plane = stack.max(axis=away)
        plane = plane.T if self.down > self.across else plane
        return enlarge(enlarge(plane, self.zooms[self.down], 0), self.zooms[self.across], 1)

    def place(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 3: z, y, x) of the image, whose voxels' centres are whole numbers -> (N, 2) of the picture."""
        first = np.array([0, *(one.start for one in self.frame.window)])
        placed = (points - first + 0.5) * self.zooms - 0.5
        return placed[:, [self.down, self.across]]


def enlarge(array: np.ndarray, zoom: float, axis: int) -> np.ndarray:
    """Nearest neighbours along one axis; when it gets smaller, the highest value."""
    n = array.shape[axis]
    if zoom < 1:
        starts = (np.arange(max(1, round(n * zoom))) / zoom).astype(int)
        return np.maximum.reduceat(array, np.minimum(starts, n - 1), axis=axis)
    places = ((np.arange(round(n * zoom)) + 0.5) / zoom).astype(int)
    return array.take(np.clip(places, 0, n - 1), axis)


def draw_cells(
    stack: Frame,
    samples: Sequence[Sample],
    spots: "pd.DataFrame",
    names: Sequence[str],
    channels: dict[str, Channel],
    percentiles: tuple[float, float],
) -> list[Any]:
    """A Pillow picture a cell, all with the same scale and with the contrast of the whole image."""
    zooms = choose_zooms(stack, samples)
    colors = dim_others(channels, names)
    limits = [pictures.contrast_limits(stack.overview(name)[0], percentiles) for name in names]
    drawn = []
    for number, one in enumerate(samples):
        views = []
        for axes in SIDES:
            side = Side(stack.cut(*one.window), *axes, zooms)
            seen = pictures.composite([side.channel(name) for name in names], colors, limits)
            views.append(draw_side(side, one, seen, spots))
        drawn.append(write_above(put_together(views), one.lines, letter(number)))
    return drawn


def dim_others(channels: dict[str, Channel], names: Sequence[str]) -> list[str]:
    """Colours of the channels; darker, beside those of spots, for those that show none."""
    colors = channel_colors(channels, names)
    spots = [channels.get(name, NO_CHANNEL).role == "spots" for name in names]
    if not any(spots):
        return colors
    return [
        one if own else pictures.darken(one, DIM) for one, own in zip(colors, spots, strict=True)
    ]


def letter(number: int) -> str:
    """What a cell is called in the picture."""
    return chr(ord("A") + number)


def choose_zooms(stack: Frame, samples: Sequence[Sample]) -> tuple[float, float, float]:
    """The same whole-number enlargement of all cells, with z as much larger as its step is longer than a pixel."""
    step, _, pixel = stack.spacing_um
    depth = stack.meta.shape[2] * step / pixel
    extents = [one.stop - one.start for sample in samples for one in sample.window]
    zoom = float(max(1, SIDE_PX // (max(extents) + depth)))
    return (zoom * step / pixel, zoom, zoom)


def draw_side(side: Side, sample: Sample, painted: np.ndarray, spots: "pd.DataFrame") -> Any:
    """One view: the channels, the cell's outline, and all spots of the window."""
    labels = as_stack(side.frame.labels(sample.task)) == sample.label
    depth = side.frame.meta.shape[2]
    # a cell that was found in two dimensions reaches through all planes
    labels = labels if len(labels) == depth else np.repeat(labels[:1], depth, axis=0)
    pictures.draw_outlines(painted, side.look(labels).astype(np.uint8), {}, "#ffffff")
    picture = to_picture(painted)
    low = np.array([one.start for one in side.frame.window]) - 0.5
    high = np.array([one.stop for one in side.frame.window]) - 0.5
    places = spots[["y", "x"]].to_numpy(float)
    inside = spots[((places >= low) & (places < high)).all(axis=1)]
    colors = inside["kind"].map(choose_colors(spots))
    of_others = ~inside["owner"].isin([0, sample.label])
    colors = colors.mask(of_others, colors.map(lambda one: pictures.darken(one, DIM)))
    unbound = (inside["within"] != "") & (inside["owner"] == 0)
    radius = max(3.0, RADIUS_UM / side.frame.um_per_px * side.zooms[2])
    points = side.place(inside[["z", "y", "x"]].to_numpy(float))
    draw_marks(picture, points, list(colors), unbound.to_numpy(), radius)
    return picture


def put_together(views: Sequence[Any]) -> Any:
    """From above; below it from the front, to the right of it from the side, so that axes run on."""
    from PIL import Image

    above, front, side = views
    size = (above.width + GAP_PX + side.width, above.height + GAP_PX + front.height)
    whole = Image.new("RGB", size, GROUND)
    whole.paste(above, (0, 0))
    whole.paste(front, (0, above.height + GAP_PX))
    whole.paste(side, (above.width + GAP_PX, 0))
    return whole


def write_above(picture: Any, lines: Sequence[Line], tag: str) -> Any:
    """The picture below lines of text; wide enough for them."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(13)
    lines = [[(tag, "#ffffff"), *lines[0]], *lines[1:]]
    widths = [sum(font.getlength(text) + 10 for text, _ in line) for line in lines]
    size = (max(picture.width, int(max(widths))), picture.height + LINE_PX * len(lines))
    whole = Image.new("RGB", size, GROUND)
    pen = ImageDraw.Draw(whole)
    for row, line in enumerate(lines):
        x = 2.0
        for text, color in line:
            pen.text((x, 1 + row * LINE_PX), text, fill=color, font=font)
            x += font.getlength(text) + 10
    whole.paste(picture, (0, LINE_PX * len(lines)))
    return whole
