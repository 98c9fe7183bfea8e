"""Label and class images of any size -> GeoJSON that QuPath opens, written while the image is read.

An object becomes a detection with its measurements, each class of a class image one annotation; outlines run along the
edges of pixels. Memory holds a strip of the image and the outlines that cross it (of a class image, all of them).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..images import Image
from . import texts
from .collection import write_collection
from .corners import Corners, Read, scan
from .export_geojson import choose_color
from .tracing import Outlines, trace_corners, trace_image

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# said by the feature itself
KEYS = ("image", "t", "label", "class", "y0", "x0", "y1", "x1", "z0", "z1")


@dataclass(frozen=True, eq=False)
class Measured:
    """What is known of the objects of one image, one row an object, in the order of time and label."""

    t: np.ndarray
    label: np.ndarray
    numbers: Mapping[str, np.ndarray] = field(default_factory=dict)
    words: Mapping[str, np.ndarray] = field(default_factory=dict)
    classes: np.ndarray | None = None

    @classmethod
    def of(cls, table: "pd.DataFrame") -> "Measured":
        """Columns t and label; numbers become measurements, `class` the classification, other text metadata."""
        table = table.sort_values(["t", "label"], kind="stable")
        rest = {name: table[name].to_numpy() for name in table if name not in KEYS}
        numbers = {name: one for name, one in rest.items() if one.dtype.kind in "biuf"}
        words = {name: one for name, one in rest.items() if name not in numbers}
        classes = table["class"].to_numpy() if "class" in table else None
        return cls(table["t"].to_numpy(), table["label"].to_numpy(), numbers, words, classes)

    def find(self, t: int, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row of each label at a time point, and whether it has one."""
        start, end = np.searchsorted(self.t, [t, t + 1])
        row = start + np.searchsorted(self.label[start:end], labels)
        known = row < end
        known[known] = self.label[row[known]] == labels[known]
        return np.where(known, row, 0), known


def write_label_image(
    source: Path,
    target: Path,
    table: "pd.DataFrame | None" = None,
    simplify_px: float = 0.0,
    pack_large: bool = False,
) -> tuple[Path, int]:
    """GeoJSON of a label or class image of a study; the file that was written, and how many features it has.

    `table` is what was measured (columns t, label and any other). `simplify_px` lets outlines of classes be off by so
    much; they follow the edges of pixels when it is 0. With `pack_large` a large file is packed, and named .gz.
    """
    measured = None if table is None or table.empty else Measured.of(table)
    counts: list[int] = []

    def parts(features: Iterator["pa.Array"]) -> Iterator[bytes]:
        for some in features:
            counts.append(len(some))
            yield texts.join(some, np.array([0, len(some)]), ",\n")[0].as_buffer()

    with Image(source) as image:
        made = (
            make_regions(image, simplify_px)
            if image.meta.class_names
            else make_detections(image, measured)
        )
        written = write_collection(target, parts(made), pack_large)
    return written, sum(counts)


def make_detections(image: Image, measured: Measured | None) -> Iterator["pa.Array"]:
    """Features of many objects at a time, from above."""
    for t, plane, read in list_planes(image):
        for outlines in trace_image(read, image.meta.shape[3:]):
            yield describe_objects(outlines, t, plane, measured)


def list_planes(image: Image) -> Iterator[tuple[int, str, Read]]:
    """Time point, what GeoJSON says of the plane, and its pixels."""
    n_times, _, n_planes = image.meta.shape[:3]
    for t in range(n_times):
        for z in range(n_planes):
            said = f',"plane":{{"c":-1,"z":{z},"t":{t}}}' if n_times * n_planes > 1 else ""
            yield t, said, lambda y, x, t=t, z=z: image.window(0, t, z, y, x)


def describe_objects(
    outlines: Outlines, t: int, plane: str, measured: Measured | None
) -> "pa.Array":
    """A detection for each object of one plane."""
    numbers = {"label": texts.number_texts(outlines.numbers)}
    properties = {"objectType": texts.constant('"detection"', len(outlines.numbers))}
    if measured:
        rows, known = measured.find(t, outlines.numbers)
        for name, values in measured.numbers.items():
            numbers[name] = texts.number_texts(values[rows], known)
        if measured.classes is not None:
            properties["classification"] = texts.word_texts(measured.classes[rows], known, classify)
        if measured.words:
            words = {name: texts.word_texts(values[rows], known, texts.quote) for name, values in measured.words.items()}  # fmt: skip
            properties["metadata"] = texts.write_object(words)
    properties["measurements"] = texts.write_object(numbers)
    return join_feature(outlines, plane, texts.write_object(properties))


def join_feature(outlines: Outlines, plane: str, properties: "pa.Array") -> "pa.Array":
    """Geometry and properties -> features."""
    geometry = texts.around('{"type":"Feature","geometry":', texts.write_geometries(outlines), "")
    return texts.together(
        geometry, texts.around(f'{plane}}},"properties":', properties, "}"), between=""
    )


def classify(name: str) -> str:
    """A class as QuPath has it, with a colour."""
    return f'{{"name":{texts.quote(name)},"color":{choose_color(name)}}}'


def make_regions(image: Image, simplify_px: float) -> Iterator["pa.Array"]:
    """An annotation for each class of each plane."""
    for _, plane, read in list_planes(image):
        corners = Corners.join([found for _, found in scan(read, image.meta.shape[3:])])
        for number in np.unique(corners.label).tolist():  # one at a time, to need less memory
            outlines = trace_corners(corners[corners.label == number])
            name = image.meta.class_names[number]
            yield describe_region(simplify(outlines, simplify_px), plane, name, image)


def simplify(outlines: Outlines, error_px: float) -> Outlines:
    """Outlines with fewer corners, none of which moves; they stay valid."""
    import shapely

    if not error_px:
        return outlines
    shapes = shapely.simplify(outlines.shapes(), error_px)
    _, points, offsets = shapely.to_ragged_array([shapely.MultiPolygon(shapely.get_parts(one)) for one in shapes])  # fmt: skip
    return Outlines(outlines.numbers, points.astype(np.int64), *offsets)


def describe_region(outlines: Outlines, plane: str, name: str, image: Image) -> "pa.Array":
    """The annotation of one class, locked against moving it by accident."""
    import shapely

    areas = shapely.area(outlines.shapes())
    numbers = {"area": texts.number_texts(areas)}
    if image.meta.pixel_size_um:
        numbers["area_um2"] = texts.number_texts(areas * image.um_per_px**2)
    constants = {"objectType": '"annotation"', "name": texts.quote(name), "classification": classify(name), "isLocked": "true"}  # fmt: skip
    properties = {key: texts.constant(value, len(areas)) for key, value in constants.items()}
    properties["measurements"] = texts.write_object(numbers)
    return join_feature(outlines, plane, texts.write_object(properties))
