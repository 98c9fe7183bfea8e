"""Write ImageJ ROIs: a zip, one ROI an object (or one for the points of a multi-point). Coordinates are float32 there."""

import base64
import json
import zipfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..manifests import replacing
from .export_geojson import list_shapes
from .formats._file import File
from .formats.imagej import HALF, make_shapes, read_texts
from .raster import outline_of

if TYPE_CHECKING:
    import pandas as pd
    from roifile import ImagejRoi

LONG_AGO = (1980, 1, 1, 0, 0, 0)  # a zip needs a time; its own would make equal content differ
LINE_END = 4.0


def write_rois(path: Path, table: "pd.DataFrame") -> None:
    """Write a table; masks become outlines along the edges of their pixels, those with depth one a plane.

    The same table gives the same bytes.
    """
    taken: set[str] = set()
    with replacing(Path(path)) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for roi in make_rois(table):
            entry = zipfile.ZipInfo(name_entry(roi.name, taken), LONG_AGO)
            archive.writestr(entry, roi.tobytes(), zipfile.ZIP_DEFLATED)


def name_entry(name: str, taken: set[str]) -> str:
    """A name of its own for each entry, which ImageJ can unpack anywhere."""
    base = "".join(one if one.isalnum() or one in "-_. " else "_" for one in name)[:100] or "object"
    unique, number = base, 1
    while unique.lower() in taken:
        number += 1
        unique = f"{base}-{number}"
    taken.add(unique.lower())
    return f"{unique}.roi"


def make_rois(table: "pd.DataFrame") -> Iterator["ImagejRoi"]:
    """ROIs of all rows; points that one multi-point held are put together again."""
    import shapely

    rows = enumerate(table.rename(columns={"class": "class_"}).itertuples(index=False))

    def together(item: tuple[int, Any]) -> tuple[str, int]:
        number = read_kept(item[1]).get("points")
        return ("row", item[0]) if number is None else ("points", number)

    for _, group in groupby(rows, together):
        members = [row for _, row in group]
        row = members[0]
        if row.kind == "point":
            yield restore(row, [outline_of(one) for one in members], row.z)
        else:
            for shape, z in list_shapes(row):
                # ImageJ has no broken lines in several parts
                parts = shapely.get_parts(shape) if row.kind == "line" else [shape]
                yield from (restore(row, [part], z) for part in parts)


def read_kept(row: Any) -> dict[str, Any]:
    """What the ROI's file said before."""
    return json.loads(row.properties).get("imagej", {})


def restore(row: Any, shapes: list[Any], z: int) -> "ImagejRoi":
    """The ROI as it was where its outline is still the same, else a new one; with the row's name, class and place."""
    from roifile import ImagejRoi

    kept = read_kept(row)
    roi = ImagejRoi.frombytes(base64.b64decode(kept["roi"])) if "roi" in kept else None
    if roi is None or not is_same(roi, row, shapes):
        roi = make_roi(row, shapes)
    roi.name = row.name or roi.name or f"{row.label:05d}"
    place(roi, row, z)
    label(roi, row)
    return roi


def is_same(roi: "ImagejRoi", row: Any, shapes: list[Any]) -> bool:
    """Whether a ROI has exactly these outlines."""
    import shapely

    kind, before = make_shapes(File(Path("table"), b""), roi, row.name)
    same = [shapely.equals_identical(one, other) for one, other in zip(before, shapes, strict=False)]  # fmt: skip
    return kind == row.kind and len(before) == len(shapes) and all(same)


def make_roi(row: Any, shapes: list[Any]) -> "ImagejRoi":
    """A new ROI."""
    import shapely
    from roifile import ROI_TYPE, ImagejRoi

    shape = shapes[0]
    if row.kind == "point":
        return from_points(shapely.get_coordinates(shapes) - HALF, ROI_TYPE.POINT)
    if row.kind == "line":
        return make_line(shapely.get_coordinates(shape) - HALF)
    if row.kind == "box":
        return make_box(row)
    parts = shapely.get_parts(shapely.orient_polygons(shape))
    rings = [shapely.get_coordinates(ring)[:-1] for ring in shapely.get_rings(parts)]
    if len(rings) == 1:
        return from_points(rings[0], ROI_TYPE.POLYGON)
    # holes turn the other way round than outlines, which any rule of filling reads alike
    path = [part for ring in rings for part in (0.0, *ring[0], *np.insert(ring[1:], 0, 1.0, axis=1).ravel(), LINE_END)]  # fmt: skip
    left, top, right, bottom = bounds_of(np.concatenate(rings))
    return ImagejRoi(
        roitype=ROI_TYPE.RECT, left=left, top=top, right=right, bottom=bottom,
        shape_roi_size=len(path), multi_coordinates=np.array(path, np.float32),
    )  # fmt: skip


def from_points(points: np.ndarray, roitype: Any) -> "ImagejRoi":
    """ROI through points (n, 2), whole numbers where they are whole."""
    from roifile import ROI_OPTIONS, ImagejRoi

    whole = (points == np.floor(points)).all()
    roi = ImagejRoi.frompoints(points.astype(np.int32) if whole else points.astype(np.float32), name=" ")  # fmt: skip
    roi.roitype, roi.name = roitype, ""
    roi.options &= ROI_OPTIONS.SUB_PIXEL_RESOLUTION
    return roi


def make_line(points: np.ndarray) -> "ImagejRoi":
    """A straight line through two points, or a broken one through more."""
    from roifile import ROI_TYPE, ImagejRoi

    if len(points) > 2:
        return from_points(points, ROI_TYPE.POLYLINE)
    left, top, right, bottom = bounds_of(points)
    (x1, y1), (x2, y2) = points.tolist()
    return ImagejRoi(roitype=ROI_TYPE.LINE, left=left, top=top, right=right, bottom=bottom, x1=x1, y1=y1, x2=x2, y2=y2)  # fmt: skip


def make_box(row: Any) -> "ImagejRoi":
    """A rectangle, with fractions of pixels where it has them."""
    from roifile import ROI_OPTIONS, ROI_TYPE, ImagejRoi

    left, top, right, bottom = bounds_of(np.array([[row.x0, row.y0], [row.x1, row.y1]]))
    roi = ImagejRoi(roitype=ROI_TYPE.RECT, left=left, top=top, right=right, bottom=bottom)
    if (left, top, right, bottom) != (row.x0, row.y0, row.x1, row.y1):
        roi.options = ROI_OPTIONS.SUB_PIXEL_RESOLUTION
        roi.xd, roi.yd, roi.widthd, roi.heightd = row.x0, row.y0, row.x1 - row.x0, row.y1 - row.y0
    return roi


def bounds_of(points: np.ndarray) -> list[int]:
    """left, top, right, bottom in whole pixels."""
    return [*np.floor(points.min(axis=0)).astype(int).tolist(), *np.ceil(points.max(axis=0)).astype(int).tolist()]  # fmt: skip


def place(roi: "ImagejRoi", row: Any, z: int) -> None:
    """Plane and time, from 1; both at once where there is a time, else the one position of a stack."""
    if (roi.z_position or roi.position, roi.t_position) == (z + 1, row.t + 1):
        return
    roi.position = 0
    roi.z_position, roi.t_position = z + 1, row.t + 1


def label(roi: "ImagejRoi", row: Any) -> None:
    """Class and score, as the ROI's properties; a class "group 3" as its group."""
    texts = read_texts(roi)
    before = (texts.get("class") or (f"group {roi.group}" if roi.group else ""), texts.get("score"))
    score = None if np.isnan(row.score) else repr(float(row.score))
    if before[0] == row.class_ and (before[1] or "nan") == (score or "nan"):
        return
    texts = {key: value for key, value in texts.items() if key not in ("class", "score")}
    word, _, number = row.class_.partition(" ")
    is_group = word == "group" and number.isdecimal() and 0 < int(number) < 2**16
    roi.group = int(number) if is_group else 0
    if row.class_ and not is_group:
        texts["class"] = " ".join(row.class_.splitlines())
    if score is not None:
        texts["score"] = score
    roi.props = "".join(f"{key}: {value}\n" for key, value in texts.items())
