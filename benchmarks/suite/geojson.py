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
    # what find_contours goes around has no holes
    filled = shapely.multipolygons(shapely.polygons(shapely.get_exterior_ring(shapes))) if False else shapely.polygons(shapely.get_exterior_ring(shapes))  # fmt: skip
    away = shapely.distance(shapely.centroid(filled), shapely.transform(shapely.centroid(others), lambda xy: xy + 0.5))  # fmt: skip
    return [
        *(["areas"] if (shapely.area(shapes) != areas[ids]).any() else []),
        *(["centroids"] if (away > CENTRE_PX).any() else []),
        *(["pixels of the filled outlines"] if not equals_filled(shapes, ids, labels) else []),
        *(["measurements"] if any(list_differences(expected, found)) else []),
    ]
