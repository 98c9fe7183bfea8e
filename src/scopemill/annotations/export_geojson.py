"""Write GeoJSON that QuPath opens: one feature an object, written one by one; packed when the path ends in .gz."""

import colorsys
import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..manifests import replacing
from .formats.geojson import name_class
from .outlines import trace
from .raster import outline_of, unpack_row

if TYPE_CHECKING:
    import pandas as pd


def write_geojson(path: Path, table: "pd.DataFrame") -> None:
    """Write a table; masks become outlines along the edges of their pixels, those with depth one a plane.

    The same table gives the same bytes.
    """
    with replacing(Path(path)) as temporary, open_text(temporary, Path(path).suffix == ".gz") as file:  # fmt: skip
        file.write('{"type":"FeatureCollection","features":[')
        for number, feature in enumerate(make_features(table)):
            file.write(("," if number else "") + "\n" + json.dumps(feature, ensure_ascii=False))
        file.write("\n]}\n")


@contextmanager
def open_text(path: Path, packed: bool) -> Iterator[io.TextIOBase]:
    """UTF-8 text, packed without name and time, which would make equal content differ."""
    with path.open("wb") as plain:
        binary = gzip.GzipFile("", "wb", fileobj=plain, mtime=0) if packed else plain
        with io.TextIOWrapper(binary, encoding="utf-8", newline="\n") as text:
            yield text


def make_features(table: "pd.DataFrame") -> Iterator[dict[str, Any]]:
    """Features of all rows; points that one MultiPoint held are put together again."""
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


def make_feature(row: Any, shape: Any, z: int | None = None) -> dict[str, Any]:
    """One feature, with everything that GeoJSON said of the object before."""
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
    geometry = {**json.loads(shapely.to_geojson(shape)), **kept.get("geometry", {})}
    z = row.z if z is None else z
    if z >= 0 or row.t >= 0:
        channel = kept.get("geometry", {}).get("plane", {}).get("c", -1)
        geometry["plane"] = {"c": channel, "z": max(int(z), 0), "t": max(int(row.t), 0)}
    return {"type": "Feature", **kept.get("feature", {}), "geometry": geometry, "properties": properties}  # fmt: skip


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
