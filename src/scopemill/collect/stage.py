"""Collect: images + annotations -> a training set (HDF5), split so that no subject is in two parts."""

import dataclasses
import logging
from argparse import Namespace
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from ..annotations.raster import to_classes, to_labels
from ..annotations.table import at_time, make_table
from ..errors import DataError
from ..examples import Example, measure_percentiles, write_examples
from ..images import Image, as_stack
from ..manifests import read_manifests, replacing, results_root
from ..scaling import choose_scale, rescale, take_nearest
from ..settings import AnnotateTask, ChannelName, ConfigError, Positive, settings
from ..sheet import Row, read_sheet
from ..splits import (
    Split,
    describe_split,
    find_groups,
    find_leaks,
    make_split,
    pixel_hash,
    write_split,
)
from ..tables import read_table
from ..tiling import tile_origins
from .objects import (
    Objects,
    check_column,
    cut_image,
    cut_objects,
    list_classes,
    make_example,
)

LOG = logging.getLogger(__name__)


@settings
class Settings:
    """Which images a model learns from."""

    annotations: AnnotateTask | None = None
    """The annotate task that holds the truth; not needed where a column of the sheet says what an image is."""
    channels: list[ChannelName]
    """What the model sees, in this order."""
    truth: Literal["labels", "classes", "objects"] = "labels"
    """Set by the workflow: what the method learns of annotations."""
    roles: dict[str, str] = dataclasses.field(default_factory=dict)
    """Set by the workflow: what the channels show."""
    pixel_size_um: Positive | None = None
    """Images are brought to it; without it, they keep their own."""
    z: Literal["max", "mean", "middle", "stack"] = "max"
    """How planes of a stack are put together; 'stack' for networks in 3-D."""
    largest_px: Annotated[int, Field(ge=64)] = 2048
    """Larger images are cut into parts of this size."""
    classes: list[str] | None = None
    """Order of the classes; as found when not given."""
    objects: Objects = Objects()
    """For classifiers: what they decide on, and where its class is written."""
    split: Split = Split()
    """Which images are for training, for validation and for the test."""

    def __post_init__(self):
        if self.annotations is None and not self.reads_column:
            raise ValueError("annotations: this key is required")
        if self.reads_column and not self.objects.column:
            raise ValueError("objects.column: this key is required where a class is an image's")

    @property
    def reads_column(self) -> bool:
        """Whether classes stand in the sheet."""
        return self.truth == "objects" and self.objects.per == "image"


@dataclass(frozen=True)
class Source:
    """An annotated image, open to be read."""

    row: Row
    image: Path
    annotation: Path | None


def run(settings: Settings, method: None, options: Namespace) -> None:
    """Write the training set, and its split.csv beside it."""
    out, rows = options.out, {row.id: row for row in read_sheet(options.sheet)}
    if settings.reads_column:
        check_column(rows.values(), settings.objects)
    sources = list(find_sources(rows, options.inputs, settings))
    if not sources and settings.annotations is None:
        raise ConfigError("collect: no image could be read: nothing to learn from; see quarantine")
    if not sources:
        cause = f"annotate.{settings.annotations}: no image has an annotation that can be read"
        raise ConfigError(f"{cause}: nothing to learn from; see quarantine and annotate's settings")
    keys = [{"image": one.row.id, **one.row.metadata} for one in sources]
    hashes: dict[str, str] = {}
    leaks = find_leaks(read_first(sources, settings, hashes))
    parts = make_split(keys, settings.split, leaks)
    groups = find_groups(keys, settings.split, leaks)
    classes = settings.classes or find_classes(sources, settings)
    meta = {
        "channels": settings.channels, "roles": settings.roles, "classes": classes, "pixel_size_um": settings.pixel_size_um,
        "split": describe_split(settings.split, parts, leaks), "truth": settings.truth,
        **({"objects": settings.objects.describe()} if settings.truth == "objects" else {}),
    }  # fmt: skip
    examples = (
        example
        for one in sources
        for example in cut_source(one, settings, classes, parts[one.row.id], groups[one.row.id])
    )
    with replacing(out) as temporary:
        write_examples(temporary, meta, examples)
    write_split(out.with_name("split.csv"), parts, groups, hashes)
    LOG.info("%d annotated images: %s", len(sources), meta["split"])


def find_sources(rows: Mapping[str, Row], inputs: list[Path], own: Settings) -> Iterator[Source]:
    """Images of which both the pixels and an annotation are there, in the order of the sheet."""
    made = {
        key: {
            image: results_root(inputs[0]) / one.artifact
            for image, one in records.items()
            if one.status == "ok"
        }
        for key, records in read_manifests(inputs).items()
    }
    images, annotations = made["convert"], made.get(f"annotate.{own.annotations}", {})
    for name, row in rows.items():
        if name in images and (name in annotations or own.annotations is None):
            yield Source(row, images[name], annotations.get(name))


def find_classes(sources: list[Source], own: Settings) -> list[str]:
    """Names of the classes, in the order of the alphabet."""
    if own.reads_column:
        return list_classes((one.row.metadata[own.objects.column] for one in sources), own.objects)
    tables = (read_table(one.annotation) for one in sources)
    cells = {str(name) for table in tables for name in table["class"].unique() if name}
    return list_classes(cells, own.objects) if own.truth == "objects" else sorted(cells)


def read_first(
    sources: list[Source], own: Settings, hashes: dict[str, str]
) -> Iterator[tuple[str, np.ndarray]]:
    """Id and first channel of the first time point of each image, as it is; fills in the hash of its pixels."""
    for one in sources:
        with Image(one.image) as image:
            pixels = image.read(own.channels[0], 0, own.z)
        hashes[one.row.id] = pixel_hash(pixels)
        yield one.row.id, pixels


def cut_source(
    one: Source, own: Settings, classes: list[str], part: str, group: str
) -> Iterator[tuple[Example, np.ndarray, np.ndarray]]:
    """Examples of one image: a time point each, parts of it where it is large, or its objects."""
    table = read_table(one.annotation) if one.annotation else make_table(())
    with Image(one.image) as image:
        try:
            size, _ = choose_scale(
                image.meta.shape[-2:], image.meta.pixel_size_um, own.pixel_size_um
            )
        except (
            DataError
        ) as error:  # a training set without an image that was asked for is another one
            raise ConfigError(f"collect: image {one.row.id}: {error}") from None
        for t in range(image.meta.shape[0]):
            annotated = at_time(table, t)
            if annotated.empty and image.meta.shape[0] > 1 and not own.reads_column:
                continue  # of a series, time points without annotations are not known to be empty
            planes = [as_stack(image.read(c, t, own.z)) for c in own.channels]
            pixels = np.stack([[rescale(plane, size) for plane in stack] for stack in planes])
            truth = draw_truth(annotated, planes[0].shape, own, classes)
            truth = take_nearest(truth, size)
            about = {"image": one.row.id, "part": part, "group": group, "t": t}
            if own.truth == "objects":
                zoom = tuple(np.divide(size, image.meta.shape[-2:]))
                rows = one.row if own.reads_column else annotated
                yield from cut_classified(rows, pixels, truth, zoom, own, classes, about)
                continue
            percentiles = measure_percentiles(pixels)
            for y, x in tile_origins(size, own.largest_px, 0).tolist():
                window = (..., slice(y, y + own.largest_px), slice(x, x + own.largest_px))
                cut = [pixels[window], truth[window]]
                yield make_example(cut, percentiles, (), (y, x), about)


def cut_classified(
    rows, pixels: np.ndarray, truth: np.ndarray, zoom: tuple[float, float], own: Settings,
    classes: list[str], about: Mapping[str, Any],
) -> Iterator[tuple[Example, np.ndarray, np.ndarray]]:  # fmt: skip
    """Examples for a classifier, of one time point: by a row of the sheet, or by rows of annotations."""
    if not own.reads_column:
        return cut_objects(rows, pixels, truth, zoom, own.objects, classes, about)
    cell, whole = rows.metadata[own.objects.column], own.pixel_size_um is None
    return cut_image(pixels, truth, cell, whole, own.objects, classes, about)


def draw_truth(table, shape: tuple[int, ...], own: Settings, classes: list[str]) -> np.ndarray:
    """Annotations -> labels, or numbers of classes, (Z, Y, X); the smallest type that holds them."""
    plane = shape if shape[0] > 1 else shape[1:]
    if own.truth == "classes":
        drawn = to_classes(table, plane, classes)
    else:
        drawn = to_labels(table, plane)
    return drawn.astype(np.min_scalar_type(int(drawn.max()))).reshape(shape)
