"""From labels: label image -> one row an object: box (half open, pixels) and centroid."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from ...blocks import list_blocks
from ...frames import Frame
from ...settings import SegmentTask, settings
from ...tiling import Window

if TYPE_CHECKING:
    import pandas as pd


@settings
class Settings:
    """Which labels count as objects."""

    labels: SegmentTask
    """The segment task whose labels are the objects."""
    exclude_border: bool = False
    """Leave out objects that touch the image's border: they are cut."""


def detect(frame: Frame, settings: Settings) -> "pd.DataFrame":
    """Columns label, centroid_y/x, y0, x0, y1, x1, touches_border (and z in 3-D)."""
    table = measure(frame, settings.labels, list_blocks(frame.size, frame.meta.shape[2]))
    height, width = frame.size
    cut = (table["y0"] == 0) | (table["x0"] == 0) | (table["y1"] == height) | (table["x1"] == width)
    table["touches_border"] = cut
    return table[~cut].reset_index(drop=True) if settings.exclude_border else table


def measure(frame: Frame, task: str, blocks: Iterable[Window]) -> "pd.DataFrame":
    """Label, centroid and box of every object; one that lies in several blocks is one."""
    import pandas as pd

    parts, n_axes = [], 2
    for y, x in blocks:
        labels = frame.cut(y, x).labels(task)
        n_axes = labels.ndim
        origin = (0, y.start, x.start)[-n_axes:]
        parts.append(join_parts(list_runs(labels, origin)))
    found = join_parts(pd.concat(parts))
    axes = "zyx"[-n_axes:]
    columns = {"label": found.index.to_numpy()}
    columns |= {f"centroid_{axis}": (found[f"sum_{axis}"] / found["n"]).array for axis in axes}
    columns |= {f"{axis}0": found[f"{axis}0"].array for axis in axes}
    columns |= {f"{axis}1": found[f"{axis}1"].array for axis in axes}
    return pd.DataFrame(columns)


def list_runs(labels: np.ndarray, origin: tuple[int, ...]) -> "pd.DataFrame":
    """One row a run of equal labels along x, by label: pixels, sums of their coordinates, and its box.

    There are many fewer runs than pixels, and integer sums do not depend on how an image is cut.
    """
    import pandas as pd

    rows = labels.reshape(-1, labels.shape[-1])
    begins = np.ones(rows.shape, bool)
    np.not_equal(rows[:, 1:], rows[:, :-1], out=begins[:, 1:])
    starts = np.flatnonzero(begins)
    stops = np.append(starts[1:], rows.size)
    ids = rows.ravel()[starts]
    starts, stops, ids = (one[ids > 0] for one in (starts, stops, ids))
    places = np.unravel_index(starts, labels.shape)
    n = stops - starts
    columns = {"n": n}
    for axis, place, first in zip("zyx"[-labels.ndim :], places, origin, strict=True):
        low = place + first
        high = low + (n if axis == "x" else 1)  # half open
        columns |= {f"sum_{axis}": n * (low + high - 1) // 2, f"{axis}0": low, f"{axis}1": high}
    return pd.DataFrame(columns, index=ids.astype(np.int64))


def join_parts(parts: "pd.DataFrame") -> "pd.DataFrame":
    """Rows of the same label put together; labels in rising order."""
    how = {"0": "min", "1": "max"}
    return parts.groupby(level=0).agg({name: how.get(name[-1], "sum") for name in parts})
