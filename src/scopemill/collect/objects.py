"""Objects: an annotated image -> examples of one object, or of the whole image, each with its classes.

For classifiers: pixels (C, Z, S, S) around an object, and beside them the labels that they show.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from ..cutouts import cut_around, find_middles
from ..examples import Example, measure_objects, measure_percentiles
from ..scaling import rescale, take_nearest
from ..settings import ConfigError, nearest, settings

if TYPE_CHECKING:
    import pandas as pd

    from ..sheet import Row

SEPARATOR = "|"


@settings
class Objects:
    """What a classifier decides on."""

    per: Literal["object", "image"] = "object"
    """One decision an annotated object, or one an image."""
    column: str = ""
    """Per image: the column of the sheet that holds its class."""
    labels: Literal["one", "several"] = "one"
    """Whether classes exclude each other; several in one cell are separated by |."""
    crop_px: Annotated[int, Field(ge=16, le=2048)] = 64
    """Width and height of what the network sees, after `pixel_size_um`; the object lies in the middle. Per image: its middle or, without `pixel_size_um`, all of it at this size."""
    margin: Annotated[float, Field(ge=0, le=2)] = 0.5
    """How much is kept around it, so that turned and shrunk crops have no mirrored border, as a share of `crop_px`."""

    def describe(self) -> dict[str, Any]:
        """What a model must know of it."""
        return {"per": self.per, "labels": self.labels, "crop_px": self.crop_px}

    @property
    def kept_px(self) -> int:
        """Width and height of an example."""
        return self.crop_px + 2 * math.ceil(self.crop_px * self.margin / 2)


def split_classes(text: str, own: Objects) -> list[str]:
    """A cell -> the classes that it names."""
    cells = text.split(SEPARATOR) if own.labels == "several" else [text]
    return [name for one in cells if (name := one.strip())]


def number_classes(text: str, own: Objects, classes: list[str]) -> tuple[int, ...] | None:
    """Numbers of the classes of a cell; None where nothing can be learnt of it."""
    named = split_classes(text, own)
    if own.labels == "one" and (not named or named[0] not in classes):
        return None
    return tuple(sorted({classes.index(name) for name in named if name in classes}))


def list_classes(cells: Iterable[str], own: Objects) -> list[str]:
    """Names of the classes, in the order of the alphabet."""
    return sorted({name for cell in set(cells) for name in split_classes(cell, own)})


def check_column(rows: Iterable["Row"], own: Objects) -> None:
    """Raise ConfigError where the sheet lacks the column of the classes."""
    there = list(next(iter(rows)).metadata)
    if own.column not in there:
        hint = nearest(own.column, there)
        raise ConfigError(f"objects.column: the sheet has no column '{own.column}'{hint}")


def cut_objects(
    table: "pd.DataFrame", pixels: np.ndarray, labels: np.ndarray, zoom: tuple[float, float],
    own: Objects, classes: list[str], about: Mapping[str, Any],
) -> Iterator[tuple[Example, np.ndarray, np.ndarray]]:  # fmt: skip
    """Examples of the objects of one time point of an image; `zoom` leads from the table's pixels to those given.

    `about` is what all of them share: image, part, group and t. Objects without a class are left out, unless
    several classes, and so none, are allowed.
    """
    percentiles = measure_percentiles(pixels)
    for text, middle in zip(table["class"], find_middles(table) * zoom, strict=True):
        numbers = number_classes(str(text), own, classes)
        if numbers is not None:
            cut = [cut_around(array, *middle, own.kept_px) for array in (pixels, labels)]
            origin = tuple(int(v) - own.kept_px // 2 for v in middle)
            yield make_example(cut, percentiles, numbers, origin, about)


def cut_image(
    pixels: np.ndarray, labels: np.ndarray, cell: str, whole: bool,
    own: Objects, classes: list[str], about: Mapping[str, Any],
) -> Iterator[tuple[Example, np.ndarray, np.ndarray]]:  # fmt: skip
    """One example of an image: all of it at another size, or its middle."""
    numbers = number_classes(cell, own, classes)
    if numbers is None:
        return
    percentiles = measure_percentiles(pixels)
    size = (own.crop_px, own.crop_px)
    if whole:
        scaled = [rescale(plane, size) for plane in pixels.reshape(-1, *pixels.shape[-2:])]
        pixels = np.stack(scaled).reshape(*pixels.shape[:-2], *size)
        cut = [pixels, take_nearest(labels, size)]
    else:
        middle = [n / 2 for n in pixels.shape[-2:]]
        cut = [cut_around(array, *middle, own.kept_px) for array in (pixels, labels)]
    yield make_example(cut, percentiles, numbers, (0, 0), about)


def make_example(
    cut: list[np.ndarray], percentiles, numbers: tuple[int, ...], origin: tuple[int, int], about: Mapping[str, Any]
) -> tuple[Example, np.ndarray, np.ndarray]:  # fmt: skip
    """One example with what is measured on it."""
    pixels, labels = cut
    count, diameter = measure_objects(labels)
    example = Example(
        about["image"], about["part"], about["group"], percentiles, pixels.shape, count, diameter,
        (about["t"], *origin), numbers,
    )  # fmt: skip
    return example, pixels, labels
