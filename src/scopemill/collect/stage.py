"""Collect: images + annotations -> a training set (HDF5), split so that no subject is in two parts."""

import dataclasses
import logging
from argparse import Namespace
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from ..annotations.table import at_time
from ..errors import DataError
from ..examples import Example, measure_percentiles, write_examples
from ..images import Image, as_stack
from ..manifests import replacing
from ..scaling import choose_scale, rescale, take_nearest
from ..settings import AnnotateTask, ChannelName, ConfigError, Positive, settings
from ..sheet import read_sheet
from ..splits import (
    Split,
    describe_split,
    find_groups,
    find_leaks,
    make_split,
    write_split,
)
from ..tiling import tile_origins
from .cells import Measured
from .features import write_objects
from .objects import (
    Objects,
    check_column,
    cut_image,
    cut_objects,
    list_classes,
    make_example,
)
from .points import cut_points, read_points
from .sources import Source, find_sources, read_first
from .truth import draw_truth, read_truth

LOG = logging.getLogger(__name__)


@settings
class Settings:
    """Which images a model learns from."""

    annotations: AnnotateTask | None = None
    """The annotate task that holds the truth; not needed where a column of the sheet says what an image is."""
    measured: Measured | None = None
    """For classifiers, instead of annotations: objects that this study measured, labelled in a CSV or by a gate."""
    channels: list[ChannelName] = dataclasses.field(default_factory=list)
    """What the model sees, in this order; the method `features` sees what was measured."""
    truth: Literal["labels", "classes", "objects", "points", "features"] = "labels"
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
        if self.truth == "features" and self.measured is None:
            raise ValueError("measured: this key is required: objects, and labelled or gated")
        if self.measured and self.truth not in ("objects", "features"):
            raise ValueError("measured: goes with method: {name: features} or {name: classify}")
        if self.measured and (self.annotations or self.reads_column):
            raise ValueError(
                "give either measured, or annotations or a column, to say what is learnt"
            )
        if not self.channels and self.truth != "features":
            raise ValueError("channels: this key is required")
        if self.annotations is None and not self.reads_column and self.measured is None:
            raise ValueError("annotations: this key is required")
        if self.reads_column and not self.objects.column:
            raise ValueError("objects.column: this key is required where a class is an image's")

    @property
    def reads_column(self) -> bool:
        """Whether classes stand in the sheet."""
        return self.truth == "objects" and self.objects.per == "image"


def run(settings: Settings, method: None, options: Namespace) -> None:
    """Write the training set, and its split.csv beside it."""
    out, rows = options.out, {row.id: row for row in read_sheet(options.sheet)}
    if settings.reads_column:
        check_column(rows.values(), settings.objects)
    sources = find_sources(rows, options, settings)
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
    with replacing(out) as temporary:
        if settings.truth == "features":
            write_objects(temporary, meta, sources, parts, groups, settings)
        else:
            write_examples(temporary, meta, cut_all(sources, settings, classes, parts, groups))
    write_split(out.with_name("split.csv"), parts, groups, hashes)
    LOG.info("%d images with truth: %s", len(sources), meta["split"])


def cut_all(
    sources: list[Source], own: Settings, classes: list[str], parts: Mapping[str, str], groups: Mapping[str, str]
) -> Iterator[tuple[Example, np.ndarray, np.ndarray]]:  # fmt: skip
    """Examples of all images."""
    for one in sources:
        yield from cut_source(one, own, classes, parts[one.row.id], groups[one.row.id])


def find_classes(sources: list[Source], own: Settings) -> list[str]:
    """Names of the classes, in the order of the alphabet."""
    if own.reads_column:
        return list_classes((one.row.metadata[own.objects.column] for one in sources), own.objects)
    cells = {str(name) for one in sources for name in one.table["class"].unique() if name}
    return list_classes(cells, own.objects) if own.truth == "objects" else sorted(cells)


def cut_source(
    one: Source, own: Settings, classes: list[str], part: str, group: str
) -> Iterator[tuple[Example, np.ndarray, np.ndarray]]:
    """Examples of one image: a time point each, parts of it where it is large, or its objects."""
    table = one.table
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
            about = {"image": one.row.id, "part": part, "group": group, "t": t}
            if own.truth == "points":
                points = read_points(annotated, planes[0].shape, own.channels)
                percentiles = measure_percentiles(pixels)
                yield from cut_points(
                    points, pixels, percentiles, planes[0].shape, own.largest_px, about
                )
                continue
            if one.labels:
                truth = read_truth(one.labels, t, len(planes[0]))
            else:
                truth = draw_truth(annotated, planes[0].shape, own, classes)
            truth = take_nearest(truth, size)
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
