"""Write GeoJSON that QuPath opens: one feature an object, written in parts; packed when the path ends in .gz."""

import colorsys
import json
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .collection import write_collection
from .formats.geojson import name_class
from .outlines import trace
from .raster import outline_of, unpack_row

if TYPE_CHECKING:
    import pandas as pd


ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def write_geojson(path: Path, table: "pd.DataFrame") -> None:
    """Write a table; masks become outlines along the edges of their pixels, those with depth one a plane.

    The same table gives the same bytes.
    """
    write_collection(Path(path), (feature.encode() for feature in make_features(table)))


def make_features(table: "pd.DataFrame") -> Iterator[str]:
    """JSON of the features of all rows; points that one MultiPoint held are put together again."""
    import shapely

    rows = table.rename(columns={"class": "class_"}).itertuples(index=False)
    waiting: list[Any] = []
    together = None
    for row in rows:
        kept = json.loads(row.properties).get("geojson", {})
        if waiting and kept.get("points") != together:
            yield make_feature(waiting[0], shapely.MultiPoint([outline_of(one) for one in waiting]))
            waiting = []
        together = kept.get("points")
        if together is not None:
            waiting.append(row)
            continue
        for shape, z in list_shapes(row):
            yield make_feature(row, shape, z)
    if waiting:
        yield make_feature(waiting[0], shapely.MultiPoint([outline_of(one) for one in waiting]))


def list_shapes(row: Any) -> Iterable[tuple[Any, int]]:
    """Outlines of a row, with their planes: one, or one a plane of a mask with depth."""
    if row.kind != "mask":
        return [(outline_of(row), row.z)]
    mask = unpack_row(row)
    planes = mask if mask.ndim == 3 else mask[None]
    return [
        (trace(plane, round(row.y0), round(row.x0)), row.z + index if mask.ndim == 3 else row.z)
        for index, plane in enumerate(planes)
        if plane.any()
    ]


def make_feature(row: Any, shape: Any, z: int | None = None) -> str:
    """JSON of one feature, with everything that GeoJSON said of the object before."""
    import shapely

    kept = json.loads(row.properties).get("geojson", {})
    before = kept.get("properties", {"objectType": "annotation"})
    properties = dict(before)
    if row.name:
        properties["name"] = row.name
    if row.class_ != name_class(before.get("classification")):
        properties["classification"] = {"name": row.class_, "color": choose_color(row.class_)}
    if not row.class_:
        properties.pop("classification", None)
    if not np.isnan(row.score):
        properties["measurements"] = add_score(properties.get("measurements"), float(row.score))
    beside = dict(kept.get("geometry", {}))
    z = row.z if z is None else z
    if z >= 0 or row.t >= 0:
        channel = beside.get("plane", {}).get("c", -1)
        beside["plane"] = {"c": channel, "z": max(int(z), 0), "t": max(int(row.t), 0)}
    # coordinates are many: they are not taken apart again
    geometry = shapely.to_geojson(shape)
    if beside:
        geometry = f"{geometry[:-1]},{ENCODE(beside)[1:]}"
    start = ENCODE({"type": "Feature", **kept.get("feature", {})})[:-1]
    return f'{start},"geometry":{geometry},"properties":{ENCODE(properties)}}}'


def add_score(measurements: Any, score: float) -> Any:
    """Measurements with the score, in the form they had."""
    if isinstance(measurements, list):
        others = [one for one in measurements if one.get("name") != "score"]
        return [*others, {"name": "score", "value": score}]
    return {**(measurements or {}), "score": score}


def choose_color(name: str) -> list[int]:
    """A colour of its own for each class name: QuPath needs one, and equal classes must look alike."""
    hue = zlib.crc32(name.encode()) / 2**32
    return [round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.8, 0.9)]
