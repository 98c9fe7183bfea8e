"""GeoJSON as QuPath writes it (.geojson, .json, .gz): features, a bare list of them, one feature or one geometry.

Classes are `{name}`, `{names: [Tumor, Positive]}` (QuPath's "Tumor: Positive") or a bare text, with `color` or, before
QuPath 0.4, `colorRGB`. A MultiPoint becomes one row a point. QuPath leaves the first plane of a stack unsaid: where any
feature names a plane, the others are of plane 0 at time 0; else all are of every plane.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..table import make_table, outline_row
from ._file import File, Wanted, blame, refuse, to_points, to_ring

if TYPE_CHECKING:
    import pandas as pd

KINDS = {
    "Polygon": "polygon", "MultiPolygon": "polygon", "LineString": "line", "MultiLineString": "line",
    "Point": "point", "MultiPoint": "point",
}  # fmt: skip
TYPES = {*KINDS, "Feature", "FeatureCollection", "GeometryCollection"}
EXPORT = "export it from QuPath as GeoJSON again"


def recognise(file: File) -> bool:
    """JSON whose top is a GeoJSON object, or a list of such."""
    if not file.is_json:
        return False
    top = file.json()
    first = top[0] if isinstance(top, list) and top else top
    return top == [] or (isinstance(first, dict) and first.get("type") in TYPES)


def read(file: File, wanted: Wanted) -> "pd.DataFrame":
    """Features -> table."""
    features = list(flatten(file, list_features(file)))
    with blame(file, "a feature cannot be read"):
        rows = [row for number, feature in enumerate(features, 1) for row in read_feature(file, feature, number)]  # fmt: skip
    if any(row["z"] >= 0 for row in rows):
        rows = [{**row, "z": max(row["z"], 0), "t": max(row["t"], 0)} for row in rows]
    return make_table(rows)


def list_features(file: File) -> list[Any]:
    """The features of a file, whatever holds them."""
    top = file.json()
    if isinstance(top, list):
        return top
    kind = top.get("type") if isinstance(top, dict) else None
    if kind == "FeatureCollection" and isinstance(top.get("features"), list):
        return top["features"]
    if kind == "Feature":
        return [top]
    if kind in KINDS:
        return [{"type": "Feature", "geometry": top}]
    raise refuse(file, "no GeoJSON features", EXPORT)


def flatten(file: File, features: list[Any], depth: int = 0) -> Iterator[dict[str, Any]]:
    """Features and those nested in them (QuPath's childObjects), the outer before the inner."""
    for number, feature in enumerate(features, 1):
        if not isinstance(feature, dict) or not isinstance(feature.get("geometry"), dict):
            raise refuse(file, f"feature {number} has no geometry", EXPORT)
        properties = feature.get("properties") or {}
        if not isinstance(properties, dict):
            raise refuse(file, f"feature {number}: properties are no mapping", EXPORT)
        children = properties.get("childObjects") or properties.get("children") or []
        rest = {key: value for key, value in properties.items() if key not in ("childObjects", "children")}  # fmt: skip
        yield {**feature, "properties": rest}
        if isinstance(children, list) and depth < 100:
            yield from flatten(file, children, depth + 1)


def read_feature(file: File, feature: dict[str, Any], number: int) -> Iterator[dict[str, Any]]:
    """Rows of one feature: one, or one a point."""
    geometry, properties = feature["geometry"], dict(feature["properties"])
    plane = geometry.get("plane") or {}
    top = {key: value for key, value in feature.items() if key not in ("type", "geometry", "properties")}  # fmt: skip
    shown = {key: value for key, value in geometry.items() if key not in ("type", "coordinates")}
    kept = {
        "feature": top,
        "geometry": shown,
        "properties": {key: value for key, value in properties.items() if key != "name"},
    }
    common = {
        "class": name_class(properties.get("classification")),
        "name": str(properties.get("name") or ""),
        "z": max(int(plane.get("z", -1)), -1),
        "t": max(int(plane.get("t", -1)), -1),
        "score": find_score(properties.get("measurements")),
    }
    kind = geometry.get("type")
    if kind not in KINDS:
        raise refuse(file, f"feature {number}: a {kind} is no outline, line or points", EXPORT)
    parts = kind == "MultiPoint"
    for shape in make_shapes(file, kind, geometry.get("coordinates"), f"feature {number}"):
        properties_of = {"geojson": {**kept, **({"points": number} if parts else {})}}
        yield outline_row(KINDS[kind], shape, **common, properties=properties_of)


def name_class(classification: Any) -> str:
    """Class name in any form that QuPath has written."""
    if isinstance(classification, str):
        return classification
    if not isinstance(classification, dict):
        return ""
    if classification.get("name"):
        return str(classification["name"])
    return ": ".join(map(str, classification.get("names") or []))


def find_score(measurements: Any) -> float:
    """The measurement "score", in the form of a mapping or (before QuPath 0.4) a list; NaN when there is none."""
    if isinstance(measurements, list):
        measurements = {one.get("name"): one.get("value") for one in measurements}
    score = (measurements or {}).get("score")
    return float(score) if isinstance(score, (int, float)) else float("nan")


def make_shapes(file: File, kind: str, coordinates: Any, where: str) -> list[Any]:
    """Coordinates of one geometry -> shapely geometries, one but for points."""
    import shapely

    if kind == "Point":
        return list(shapely.points(to_points(file, [coordinates], where)))
    if kind == "MultiPoint":
        return list(shapely.points(to_points(file, coordinates, where)))
    if kind == "LineString":
        return [shapely.LineString(to_points(file, coordinates, where))]
    if kind == "MultiLineString":
        return [shapely.MultiLineString([to_points(file, one, where) for one in coordinates])]
    polygons = coordinates if kind == "MultiPolygon" else [coordinates]
    if not polygons or not all(polygons):
        raise refuse(file, f"{where}: an empty outline", EXPORT)
    made = [make_polygon(file, rings, where) for rings in polygons]
    return [shapely.MultiPolygon(made) if kind == "MultiPolygon" else made[0]]


def make_polygon(file: File, rings: list[Any], where: str) -> Any:
    """Outline and holes -> polygon."""
    import shapely

    shell, *holes = [to_ring(file, ring, where) for ring in rings]
    return shapely.Polygon(shell, holes)
