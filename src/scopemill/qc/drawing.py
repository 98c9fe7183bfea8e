"""Drawing: a frame and what was found in it -> panels: channels, objects, regions; below them details, and cells of a stack."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import pictures
from ..frames import Frame
from .cells import Sample
from .details import choose_windows
from .marks import Line, choose_colors, count_lines, draw_dots, draw_marks
from .orthogonal import draw_cells, letter
from .views import (
    View,
    arrange,
    choose_channels,
    dim,
    paint,
    to_picture,
    view_whole,
    view_window,
)

if TYPE_CHECKING:
    import pandas as pd

    from .stage import Settings

GAP_PX = 6
NO_CLASS = "unassigned"
TEXT = "#c9ccd3"
MANY_SPOTS = 5000  # more are drawn as dots, else circles would hide the picture
ABOUT_CELLS = "cells from above, from the front (below) and from the side (right), z in proportion; darker marks: of other cells"
DETAIL_PX = 400  # at least
CELLS_PX = 900  # that a row of cells may be wide in any case
BRIGHT = 0.4  # mean of pictures of stained sections
DIM, DIM_BRIGHT = 0.8, 0.6  # of details, so that outlines stand out


@dataclass(frozen=True)
class Content:
    """What was found in an image, by task."""

    outlines: Sequence[str]  # segment tasks to outline
    regions: Sequence[str]  # class tasks to lay over
    counts: Mapping[str, int]  # objects
    classes: "Mapping[str, pd.Series]"  # class of each label
    spots: "pd.DataFrame"  # see `marks.find_spots`
    seam: Sequence[int] | None  # y0, x0, y1, x1
    cells: Sequence[Sample] = ()  # of a stack


def draw(
    frame: Frame, content: Content, settings: "Settings", stack: Frame | None = None
) -> tuple[Any, list[Line]]:
    """A Pillow picture, and what is to be written below it; `stack` is the frame with its planes apart."""
    whole = view_whole(frame, settings.min_size_px, settings.max_size_px)
    names = choose_channels(frame, settings.show)
    (left,), line = paint([whole], names, settings.channels, settings.percentiles)
    panels, lines = [to_picture(left)], [line]
    if content.outlines or len(content.spots) or not content.regions:
        right = dim(left)
        for number, task in enumerate(content.outlines):
            lines.append(outline(right, whole, content, number, task))
        panels.append(to_picture(right))
        draw_spots(panels[-1], whole, content.spots, content.spots)
    for number, task in enumerate(content.regions):
        panel = dim(left)
        lines.append(lay_over(panel, whole, number, task))
        panels.append(to_picture(panel))
    in_row = 3 if len(panels) in (3, 5, 6) else 2
    rows = [panels[i : i + in_row] for i in range(0, len(panels), in_row)]
    lines += count_lines(content.spots)
    width = in_row * (left.shape[1] + GAP_PX) - GAP_PX
    dark = left.mean() <= BRIGHT
    line_color = "#ffffff" if dark else "#15171c"
    if whole.zoom < 1:
        side = max(DETAIL_PX, (width - 2 * GAP_PX) // 3)
        windows = choose_windows(frame, [*content.outlines, *content.regions], side, content.seam)
        details, line = draw_details(frame, windows, names, content, settings)
        tags = [str(number + 1) for number in range(len(windows))]
        mark(panels[0], whole, [window for _, window in windows], tags, line_color)
        rows.append(details)
        lines += describe_details(windows, line)
    if stack is not None and content.cells:
        shown = settings.channels, settings.percentiles
        cells = draw_cells(stack, content.cells, content.spots, names, *shown)
        tags = [letter(number) for number in range(len(cells))]
        mark(panels[0], whole, [one.window for one in content.cells], tags, line_color)
        rows += wrap(cells, max(width, CELLS_PX))
        lines.append([(ABOUT_CELLS, TEXT)])
    return arrange(rows, GAP_PX), lines


def wrap(pictures: Sequence[Any], width: int) -> list[list[Any]]:
    """Pictures in rows that are not wider than this, where one picture is not."""
    rows: list[list[Any]] = []
    for picture in pictures:
        if rows and sum(one.width + GAP_PX for one in rows[-1]) + picture.width <= width:
            rows[-1].append(picture)
        else:
            rows.append([picture])
    return rows


def outline(picture: np.ndarray, view: View, content: Content, number: int, task: str) -> Line:
    """Outline labels, in the colours of their classes; what the caption says of them."""
    labels = view.labels(task)
    by_label = content.classes.get(task)
    default = pictures.PLAIN[number % len(pictures.PLAIN)]
    line = [(f"{task}: {content.counts[task]}", default)]
    if by_label is None:
        pictures.draw_outlines(picture, labels, {}, default)
        return line
    found = by_label.value_counts()
    names = sorted(set(found.index) - {NO_CLASS})
    palette = dict(zip(names, pictures.CLASSES * 4, strict=False)) | {NO_CLASS: "#ffffff"}
    shown = by_label.reindex(np.unique(labels)).dropna().map(palette)
    pictures.draw_outlines(picture, labels, shown.to_dict(), default)
    return line + [(f"{name} {found[name]}", palette[name]) for name in palette if name in found]


def lay_over(picture: np.ndarray, view: View, number: int, task: str) -> Line:
    """Tint the regions of a class image; its legend, with each class's share of the area."""
    classes, names = view.classes(task), view.frame.class_names(task)
    colors = class_colors(names, number)
    pictures.tint(picture, classes, colors)
    pictures.draw_outlines(picture, classes, colors, "#ffffff")
    plane, _ = view.frame.class_overview(task, view.max_px)
    shares = np.bincount(plane.ravel(), minlength=len(names)) / plane.size
    parts = [
        (f"{name} {share:.1%}", colors.get(value, TEXT))
        for value, (name, share) in enumerate(zip(names, shares, strict=True))
    ]
    return [(f"{task}, shares of the image:", TEXT), *parts]


def class_colors(names: Sequence[str], number: int) -> dict[int, str]:
    """Colours of the values 1, 2, ... of the class task of this number; the background has none."""
    turn = pictures.AREAS[number % 2 :] + pictures.AREAS[: number % 2]
    return {value: turn[(value - 1) % len(turn)] for value in range(1, len(names))}


def draw_spots(picture: Any, view: View, spots: "pd.DataFrame", all_spots: "pd.DataFrame") -> None:
    """Circles around spots, crosses where they lie in no object; dots where there are many."""
    points = view.place(spots[["y", "x"]].to_numpy(float))
    colors = list(spots["kind"].map(choose_colors(all_spots)))
    if len(points) > MANY_SPOTS:
        draw_dots(picture, points, colors)
        return
    unbound = (spots["within"] != "") & (spots["owner"] == 0)
    draw_marks(picture, points, colors, unbound.to_numpy(), max(2.0, 2.5 * view.zoom))


def draw_details(
    frame: Frame,
    windows: Sequence[tuple[str, Any]],
    names: Sequence[str],
    content: Content,
    settings: "Settings",
) -> tuple[list[Any], Line]:
    """Windows at full resolution, with outlines; and what their colours mean."""
    views = [view_window(frame, window) for _, window in windows]
    panels, line = paint(views, names, settings.channels, settings.percentiles)
    drawn = []
    for number, (view, panel) in enumerate(zip(views, panels, strict=True)):
        panel = panel * (DIM_BRIGHT if panel.mean() > BRIGHT else DIM)
        for turn, task in enumerate(content.regions):
            colors = class_colors(frame.class_names(task), turn)
            pictures.draw_outlines(panel, view.classes(task), colors, "#ffffff")
        for turn, task in enumerate(content.outlines):
            outline(panel, view, content, turn, task)
        drawn.append(to_picture(panel))
        low = [one.start for one in view.window]
        high = [one.stop for one in view.window]
        places = content.spots[["y", "x"]].to_numpy(float)
        inside = content.spots[((places >= low) & (places < high)).all(axis=1)]
        draw_spots(drawn[-1], view, inside, content.spots)
        pictures.draw_box(drawn[-1], (0, 0, panel.shape[0] - 1, panel.shape[1] - 1), str(number + 1), TEXT)  # fmt: skip
    return drawn, line


def mark(picture: Any, view: View, windows: Sequence[Any], tags: Sequence[str], color: str) -> None:
    """Show where the details are."""
    for tag, window in zip(tags, windows, strict=True):
        low, high = (
            np.array([getattr(one, end) for one in window]) * view.zoom for end in ("start", "stop")
        )
        pictures.draw_box(picture, (*low, *high), tag, color)


def describe_details(windows: Sequence[tuple[str, Any]], line: Line) -> list[Line]:
    """What the row of details shows."""
    places = [
        f"{number + 1} ({name}) from row {y.start}, column {x.start}"
        for number, (name, (y, x)) in enumerate(windows)
    ]
    return [[(f"full resolution: {'; '.join(places)}", TEXT), *line]]
