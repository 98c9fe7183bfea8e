"""HistomicsTK's table of contours (CSV or TSV): one row an outline, with columns group, coords_x and coords_y.

OpenCV finds such contours: they run through the middles of an object's outermost pixels, whole numbers being middles, so
that the object reaches half a pixel further. Holes are not in the table: what lies in one has a contour of its own.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..table import make_table, outline_row
from ._file import File, Wanted, find_columns, read_rows, refuse

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {"group", "coords_x", "coords_y"}
EXPORT = "export it from HistomicsTK again"


def recognise(file: File) -> bool:
    """Text whose first line names these columns."""
    return set(find_columns(file)[0]) >= COLUMNS


def read(file: File, wanted: Wanted) -> "pd.DataFrame":
    """Contours -> table; `group` is the class."""
    rows = read_rows(file)
    missing = COLUMNS - set(rows)
    if missing:
        raise refuse(file, f"there is no column '{min(missing)}'", EXPORT)
    return make_table(
        outline_row("polygon", make_outline(file, row, number), **{"class": row.group})
        for number, row in enumerate(rows.itertuples(index=False), 1)
    )


def make_outline(file: File, row: Any, number: int) -> Any:
    """The outline of the pixels that a contour goes through and around."""
    import shapely

    try:
        x, y = (np.array(one.split(","), np.float64) for one in (row.coords_x, row.coords_y))
    except ValueError:
        raise refuse(file, f"contour {number}: coordinates are no numbers", EXPORT) from None
    if len(x) != len(y) or not np.isfinite([x.sum(), y.sum()]).all():
        raise refuse(file, f"contour {number}: {len(x)} x and {len(y)} y coordinates", EXPORT)
    points = np.stack([x, y], axis=1) + 0.5
    if len(np.unique(points, axis=0)) < 3:  # of one or two pixels, or a line of them
        middle = shapely.LineString(points) if len(np.unique(points, axis=0)) > 1 else shapely.Point(points[0])  # fmt: skip
    else:
        middle = shapely.make_valid(shapely.Polygon(points))
    return shapely.normalize(shapely.buffer(middle, 0.5, cap_style="square", join_style="mitre"))
