"""ImageJ ROIs (.roi, or .zip of them): areas, lines and points; a multi-point becomes one row a point.

Areas count from the corner of the first pixel, lines and points from its centre (ImageJ's Roi.useLineSubpixelConvention):
the latter are shifted by half a pixel. The class is the ROI's property "class", else "group 3" for its group. The ROI's
bytes are kept, so that a ROI that nobody changed is written as it was.
"""

import base64
import math
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..outlines import ellipse, from_rings, rounded_box
from ..table import box_row, make_table, outline_row
from ._file import File, Wanted, blame, read_bytes, refuse, to_points, to_ring

if TYPE_CHECKING:
    import pandas as pd
    from roifile import ImagejRoi

ZIP, ROI = b"PK\x03\x04", b"Iout"
MAX_ROI_BYTES = 1 << 26
MAX_ALL_BYTES = 1 << 30
MAX_ROIS = 1_000_000
HALF = 0.5  # from a pixel's centre to its corner
CURE = "in ImageJ, make it a polygon (Edit > Selection > Interpolate) or delete it"


def recognise(file: File) -> bool:
    """A ROI, or a zip with one in it; a damaged zip too, so that it is called that."""
    if not file.head.startswith(ZIP):
        return file.head.startswith(ROI)
    try:
        with zipfile.ZipFile(file.path) as archive:
            return any(is_roi(entry) for entry in archive.infolist())
    except zipfile.BadZipFile:
        return True


def is_roi(entry: zipfile.ZipInfo) -> bool:
    """Whether an entry is a ROI; macOS adds files of its own, named ._something."""
    name = entry.filename.rpartition("/")[2].lower()
    return name.endswith(".roi") and not name.startswith("._")


def read(file: File, wanted: Wanted) -> "pd.DataFrame":
    """ROIs -> table."""
    rows = [row for number, (name, data) in enumerate(list_entries(file), 1) for row in read_entry(file, name, data, number)]  # fmt: skip
    if wanted.shape and wanted.shape[1] == 1 < wanted.shape[0] and all(row["t"] < 0 for row in rows):  # fmt: skip
        # the one position of a plain stack is the time point where there are no planes
        rows = [{**row, "t": row["z"], "z": -1} for row in rows]
    return make_table(rows)


def list_entries(file: File) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each ROI; sizes are checked while unpacking, since a zip may lie about them."""
    if not file.head.startswith(ZIP):
        yield file.path.stem, read_bytes(file.path, MAX_ROI_BYTES)
        return
    left = MAX_ALL_BYTES
    with blame(file, "the zip is damaged"), zipfile.ZipFile(file.path) as archive:
        names = [one for one in archive.infolist() if is_roi(one)]
        if len(names) > MAX_ROIS:
            raise refuse(file, f"{len(names)} ROIs", "split it", "TOO_LARGE")
        for entry in names:
            with archive.open(entry) as stream:
                data = stream.read(min(MAX_ROI_BYTES, left) + 1)
            left -= len(data)
            if len(data) > MAX_ROI_BYTES or left < 0:
                raise refuse(file, f"{entry.filename}: too much data", "split it", "TOO_LARGE")
            yield entry.filename[:-4], data


def read_entry(file: File, name: str, data: bytes, number: int) -> list[dict[str, Any]]:
    """Rows of one ROI."""
    from roifile import ImagejRoi

    with blame(file, f"ROI {name} cannot be read; {CURE}"):
        roi = ImagejRoi.frombytes(data)
        return list(make_rows(file, roi, name, data, number))


def make_rows(file: File, roi: "ImagejRoi", name: str, data: bytes, number: int) -> Iterator[dict[str, Any]]:  # fmt: skip
    """One row, or one a point."""
    kind, shapes = make_shapes(file, roi, roi.name or name)
    kept = {"roi": base64.b64encode(data).decode()}
    if len(shapes) > 1:
        kept["points"] = number
    texts = read_texts(roi)
    common = {
        "class": texts.get("class") or (f"group {roi.group}" if roi.group else ""),
        "name": roi.name or name,
        "t": roi.t_position - 1 if roi.t_position > 0 else -1,
        "z": max(roi.z_position or roi.position, 0) - 1,
        "score": read_score(texts),
        "properties": {"imagej": kept},
    }
    for shape in shapes:
        if kind == "box":
            x0, y0, x1, y1 = shape.bounds
            yield box_row(y0, x0, y1, x1, **common)
        else:
            yield outline_row(kind, shape, **common)


def read_texts(roi: "ImagejRoi") -> dict[str, str]:
    """The ROI's own properties, "key: value" a line."""
    pairs = (line.split(":", 1) for line in roi.props.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def read_score(texts: dict[str, str]) -> float:
    """The property "score", NaN where there is none."""
    try:
        return float(texts.get("score", "nan"))
    except ValueError:
        return math.nan


def make_shapes(file: File, roi: "ImagejRoi", name: str) -> tuple[str, list[Any]]:
    """Kind and shapely geometries of a ROI.

    Raises
    ------
    DataError
        ANNOTATION for what has no outline of straight lines: text, pictures, splines, curves.
    """
    import shapely
    from roifile import ROI_OPTIONS, ROI_SUBTYPE, ROI_TYPE

    where = f"ROI {name}"
    if roi.subtype in (ROI_SUBTYPE.TEXT, ROI_SUBTYPE.IMAGE):
        raise refuse(file, f"{where} is a {roi.subtype.name.lower()}, no object", "delete it")
    if roi.roitype in (ROI_TYPE.RECT, ROI_TYPE.OVAL) and not roi.composite:
        return make_box(file, roi, where)
    if roi.roitype == ROI_TYPE.POINT:
        points = to_points(file, roi.coordinates(), where) + HALF
        return "point", list(shapely.points(points))
    if roi.roitype in (ROI_TYPE.LINE, ROI_TYPE.POLYLINE, ROI_TYPE.FREELINE, ROI_TYPE.ANGLE):
        return "line", [shapely.LineString(to_points(file, roi.coordinates(), where) + HALF)]
    if roi.options & ROI_OPTIONS.SPLINE_FIT:
        raise refuse(file, f"{where} is a spline, whose outline is not in the file", CURE)
    if roi.composite:
        rings = [to_ring(file, ring, where) for ring in roi.coordinates(multi=True) if len(ring) > 1]  # fmt: skip
        return "polygon", [from_rings(rings)]
    if roi.roitype in (ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED):
        return "polygon", [shapely.Polygon(to_ring(file, roi.coordinates(), where))]
    raise refuse(file, f"{where} is of an unknown type", CURE)


def make_box(file: File, roi: "ImagejRoi", where: str) -> tuple[str, list[Any]]:
    """Rectangle (round at the corners, perhaps) or oval."""
    import shapely
    from roifile import ROI_TYPE

    if roi.subpixelrect:
        box = (roi.xd, roi.yd, roi.xd + roi.widthd, roi.yd + roi.heightd)
    else:
        box = (roi.left, roi.top, roi.right, roi.bottom)
    corners = to_points(file, np.reshape(box, (2, 2)), where)
    if (corners[1] <= corners[0]).any():
        raise refuse(file, f"{where} is empty", "delete it")
    box = corners.ravel().tolist()
    if roi.roitype == ROI_TYPE.OVAL:
        return "polygon", [ellipse(*box)]
    if roi.rounded_rect_arc_size > 0:
        return "polygon", [rounded_box(*box, roi.rounded_rect_arc_size)]
    return "box", [shapely.box(*box)]
