"""GeoJSON: a label image of 200,000 objects and what was measured of them -> the file that QuPath opens.

The baseline holds the image, takes object by object and writes with json; it traces with find_contours, whose outlines run
through the middles of pixels. Ours runs along their edges: filled again, it must give the image.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import tifffile
from scipy import ndimage

from .harness import Benchmark, Goal

PITCH = 22  # pixels from cell to cell
STAMPS = 256
COLUMNS = 20
KINDS = ("tumour", "immune", "stroma")
CENTRE_PX = 1.0  # by which centroids of two conventions may differ


class Case(NamedTuple):
    """Labels with 0 for background, and a table of columns t, label, class and measurements."""

    image: Path
    table: Path
    folder: Path
    side: int


def prepare(folder: Path, size: Mapping[str, Any]) -> Case:
    """A square of irregular cells, many of which touch; every 50th place is empty, and labels are in no order."""
    from scopemill import images

    n, rng = size["cells_across"], np.random.default_rng(0)
    stamps = np.stack([draw_cell(rng) for _ in range(STAMPS)])
    numbers = rng.permutation(n * n).reshape(n, n).astype(np.uint32) + 1
    numbers[numbers % 50 == 0] = 0
    chosen = stamps[rng.integers(STAMPS, size=(n, n))]
    side = n * PITCH
    labels = (chosen * numbers[:, :, None, None]).swapaxes(1, 2).reshape(side, side)
    meta = images.Meta((1, 1, 1, side, side), ("DNA",), 0.5, None)
    case = Case(folder / "labels.ome.tif", folder / "table.parquet", folder, side)
    images.write_labels(case.image, images.reader_of(labels[None, None]), (1, 1, side, side), meta, "f")  # fmt: skip
    make_table(numbers[numbers > 0], rng).to_parquet(case.table)
    return case


def draw_cell(rng: np.random.Generator) -> np.ndarray:
    """(PITCH, PITCH) uint32, 0 or 1: one piece, sometimes with a hole."""
    y, x = np.mgrid[:PITCH, :PITCH] - (PITCH - 1) / 2
    rough = ndimage.gaussian_filter(rng.normal(size=(PITCH, PITCH)), 2) * 25
    stretch = rng.uniform(0.8, 1.25)
    pieces, count = ndimage.label(np.hypot(y * stretch, x / stretch) + rough < 9)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
    return (pieces == 1 + sizes.argmax()).astype(np.uint32)


def make_table(labels: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """One row an object: class and measurements."""
    columns = {f"feature_{i}": rng.lognormal(5, 1, len(labels)) for i in range(COLUMNS)}
    return pd.DataFrame({"t": 0, "label": labels.astype(np.int64), "class": rng.choice(KINDS, len(labels)), **columns})  # fmt: skip


def as_users_write_it(case: Case) -> Path:
    """find_contours of each object of regionprops, its largest outline a shapely polygon, all written by json."""
    import shapely
    from skimage.measure import find_contours, regionprops

    os.environ["OMP_NUM_THREADS"] = "1"
    table = pd.read_parquet(case.table).set_index("label")
    rows = dict(zip(table.index, table.drop(columns="t").to_dict("records"), strict=True))
    features = []
    for region in regionprops(tifffile.imread(case.image, level=0)):
        contours = find_contours(np.pad(region.image, 1).astype(np.uint8), 0.5)
        offset = np.array(region.bbox[:2]) - 1
        polygon = shapely.Polygon((max(contours, key=len) + offset)[:, ::-1])
        row = dict(rows[region.label])
        properties = {"objectType": "detection", "classification": {"name": row.pop("class")}}
        properties["measurements"] = {"label": int(region.label), **row}
        features.append({"type": "Feature", "geometry": shapely.geometry.mapping(polygon), "properties": properties})  # fmt: skip
    target = case.folder / "baseline.geojson"
    with target.open("w") as file:
        json.dump({"type": "FeatureCollection", "features": features}, file)
    return target


def ours(case: Case) -> Path:
    """As `scopemill export results/<study> --to qupath` does."""
    from scopemill.annotations.export_labels import write_label_image

    target = case.folder / "ours.geojson"
    write_label_image(case.image, target, pd.read_parquet(case.table))
    return target


def check(case: Case, theirs: Path, ours: Path) -> list[str]:
    """The same objects with the same numbers at the same places; ours filled again is the image."""
    import shapely

    labels = tifffile.imread(case.image, level=0)
    areas = np.bincount(labels.ravel())
    expected, found = (by_label(path) for path in (theirs, ours))
    if sorted(expected) != sorted(found) or sorted(found) != np.flatnonzero(areas)[1:].tolist():
        return ["objects"]
    ids = sorted(found)
    shapes, others = (shapely.from_geojson([json.dumps(one[label]["geometry"]) for label in ids]) for one in (found, expected))  # fmt: skip
    # theirs are without holes, and (0, 0) is the middle of the first pixel
    filled = shapely.polygons(shapely.get_exterior_ring(shapes))
    away = shapely.distance(shapely.centroid(filled), shapely.transform(shapely.centroid(others), lambda xy: xy + 0.5))  # fmt: skip
    return [
        *(["areas"] if (shapely.area(shapes) != areas[ids]).any() else []),
        *(["centroids"] if (away > CENTRE_PX).any() else []),
        *(["pixels of the filled outlines"] if not equals_filled(shapes, ids, labels) else []),
        *(["measurements"] if any(list_differences(expected, found)) else []),
    ]


def by_label(path: Path) -> dict[int, dict[str, Any]]:
    """Features by the label among their measurements; a label that comes twice is an error."""
    features = json.loads(path.read_text(encoding="utf-8"))["features"]
    found = {one["properties"]["measurements"]["label"]: one for one in features}
    return found if len(found) == len(features) else {}


def list_differences(expected: Mapping[int, Any], found: Mapping[int, Any]) -> Iterator[int]:
    """Labels whose class is another, or a measurement by more than the 7 digits that ours writes."""
    for label, one in expected.items():
        here, there = (of["properties"] for of in (one, found[label]))
        numbers = [np.array([of["measurements"][name] for name in here["measurements"]]) for of in (here, there)]  # fmt: skip
        if here["classification"]["name"] != there["classification"]["name"] or not np.allclose(*numbers, rtol=6e-7, atol=0):  # fmt: skip
            yield label


def equals_filled(shapes: np.ndarray, ids: list[int], labels: np.ndarray) -> bool:
    """Whether outlines along the edges of pixels, filled, are the labels: sums of their upright edges along each row."""
    import shapely

    rings, owner = shapely.get_rings(shapely.orient_polygons(shapes), return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    upright = (ring[1:] == ring[:-1]) & (points[1:, 0] == points[:-1, 0])
    x = points[:-1][upright, 0].astype(np.int64)
    y0, y1 = (points[part][upright, 1].astype(np.int64) for part in (slice(-1), slice(1, None)))
    value = np.sign(y0 - y1) * np.array(ids)[owner[ring[:-1][upright]]]
    length = np.abs(y1 - y0)
    row = np.repeat(np.minimum(y0, y1), length) + np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)  # fmt: skip
    edges = np.zeros((labels.shape[0], labels.shape[1] + 1), np.int64)
    np.add.at(edges, (row, np.repeat(x, length)), np.repeat(value, length))
    return bool((np.cumsum(edges, axis=1, out=edges)[:, :-1] == labels).all())


def spoil(path: Path) -> Path:
    """One edge of one outline is a pixel further to the right."""
    start = '"coordinates":[['
    before, rest = path.read_text(encoding="utf-8").split(start, 1)
    ring, after = rest.split("]]", 1)
    points = json.loads(f"[{ring}]]")
    points[1][0] += 1
    points[2][0] += 1
    other = path.with_name("spoiled.geojson")
    other.write_text(f"{before}{start}{json.dumps(points)[1:-2]}]]{after}", encoding="utf-8")
    return other


def describe(case: Case, path: Path) -> dict[str, float]:
    """Objects, and bytes of the file."""
    return {"objects": float(len(pd.read_parquet(case.table))), "mb": path.stat().st_size / 1e6}


BENCHMARK = Benchmark(
    name="geojson",
    task="GeoJSON of 200,000 objects with 21 measurements",
    against="find_contours, shapely and json, object by object",
    prepare=prepare,
    baseline=as_users_write_it,
    ours=ours,
    check=check,
    spoil=spoil,
    full={"cells_across": 452},
    small={"cells_across": 24},
    goals=(
        Goal("less CPU", lambda outcome: outcome.ratio(), at_least=5),
        Goal("MB of memory", lambda outcome: outcome.median("peak_mb"), at_most=700),
    ),
    facts=describe,
    pairs=3,  # minutes a turn
    warm_up_small=True,
)
