"""Marks: spots of all tasks -> one table of where they are, of which kind, and whose; and their shapes on a picture.

The colour of a mark says of which kind a spot is, its shape whether it lies in an object: circles do, crosses do not.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import pictures
from ..jobs import Job
from ..tables import read_table

if TYPE_CHECKING:
    import pandas as pd

COLORS = ("#ffe14d", "#ff5fa2", "#35d0d6", "#ff9a3d", "#9bdc3c", "#b57bff")  # of kinds
TASK = "#c9ccd3"
COLUMNS = ("z", "y", "x", "kind", "within", "owner")

Line = list[tuple[str, str]]


def find_spots(job: Job) -> "pd.DataFrame":
    """Spots of the first time point: z, y, x (pixels), kind, `within` (objects that they may lie in) and owner (0: none)."""
    import pandas as pd

    keys = [key for key in job.inputs if key.startswith("detect.")]
    parts = [
        describe(table.query("t == 0"), key.split(".")[1])
        for key in keys
        if {"y", "x"} <= set(table := read_table(job.inputs[key], is_of_spots))
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))


def is_of_spots(column: str) -> bool:
    """What a mark says of a spot."""
    return column in ("t", "z", "y", "x", "channel", "class") or column.endswith("_label")


def describe(table: "pd.DataFrame", task: str) -> "pd.DataFrame":
    """A task's spots; they are told apart by class, else by channel."""
    import pandas as pd

    owners = [str(name) for name in table if str(name).endswith("_label")][:1]
    by = next((name for name in ("class", "channel") if name in table), None)
    kinds = task if by is None or table[by].nunique() < 2 else task + " " + table[by].astype(str)
    columns = {axis: table[axis] if axis in table else 0.0 for axis in "zyx"}
    columns |= {"kind": kinds, "within": owners[0].removesuffix("_label") if owners else ""}
    columns["owner"] = table[owners[0]] if owners else 0
    return pd.DataFrame(columns, index=table.index)


def choose_colors(spots: "pd.DataFrame") -> dict[str, str]:
    """Kind -> its colour."""
    kinds = list(dict.fromkeys(spots["kind"]))
    return {kind: COLORS[i % len(COLORS)] for i, kind in enumerate(kinds)}


def count_lines(spots: "pd.DataFrame") -> Iterator[Line]:
    """A line of the caption for each kind."""
    colors = choose_colors(spots)
    for kind, table in spots.groupby("kind", sort=False):
        line = [(f"{kind}: {len(table)} spots", colors[kind])]
        if within := table["within"].iloc[0]:
            inside = int((table["owner"] > 0).sum())
            line += [(f"circles: {inside} in {within}", TASK), (f"crosses: {len(table) - inside} in none", TASK)]  # fmt: skip
        yield line


def draw_marks(
    picture: Any, points: np.ndarray, colors: Sequence[str], crosses: np.ndarray, radius: float
) -> None:
    """Circles and crosses on a Pillow picture, with their middles at (y, x) of it."""
    from PIL import ImageDraw

    pen = ImageDraw.Draw(picture)
    for (y, x), color, cross in zip(points, colors, crosses, strict=True):
        (y0, y1), (x0, x1) = (reach(middle, radius) for middle in (y, x))
        if cross:
            pen.line((x0, y0, x1, y1), fill=color)
            pen.line((x0, y1, x1, y0), fill=color)
        else:
            pen.ellipse((x0, y0, x1, y1), outline=color)


def reach(middle: float, radius: float) -> tuple[int, int]:
    """First and last pixel of a mark: as far to both sides of its middle, whether that is a pixel's or between two."""
    return int(np.floor(middle - radius + 0.5)), int(np.ceil(middle + radius - 0.5))


def draw_dots(picture: Any, points: np.ndarray, colors: Sequence[str]) -> None:
    """One pixel a spot."""
    for color in dict.fromkeys(colors):
        pictures.draw_dots(picture, points[np.array(colors) == color], color)
