"""From labels: label image -> one row an object: box (half open, pixels) and centroid."""

from typing import TYPE_CHECKING

import numpy as np

from ...frames import Frame
from ...settings import SegmentTask, settings

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
    import pandas as pd
    from skimage import measure

    labels = frame.labels(settings.labels)
    axes = "zyx"[-labels.ndim :]
    found = measure.regionprops_table(
        labels.astype(np.int64), properties=("label", "centroid", "bbox")
    )
    columns = {"label": found["label"].astype(np.int64)}
    columns |= {f"centroid_{axis}": found[f"centroid-{i}"] for i, axis in enumerate(axes)}
    for side, offset in (("0", 0), ("1", len(axes))):
        columns |= {f"{axis}{side}": found[f"bbox-{i + offset}"] for i, axis in enumerate(axes)}
    table = pd.DataFrame(columns)
    height, width = labels.shape[-2:]
    cut = (table["y0"] == 0) | (table["x0"] == 0) | (table["y1"] == height) | (table["x1"] == width)
    table["touches_border"] = cut
    return table[~cut].reset_index(drop=True) if settings.exclude_border else table
