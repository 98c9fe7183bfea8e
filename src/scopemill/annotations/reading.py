"""Read: annotation file of any known format -> the table of annotations, checked against the image."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DataError
from .formats import NAMES, File, Wanted, choose, get, refuse
from .formats._file import HEAD_BYTES

if TYPE_CHECKING:
    import pandas as pd

OVERHANG = 0.1  # of the image's longer side: outlines may leave the image by a little
OVERHANG_PX = 10


def read_annotations(
    path: Path | str,
    kind: str = "auto",
    *,
    image: Sequence[str] = (),
    classes: Sequence[str] = (),
    shape: tuple[int, int, int, int] | None = None,
    components: bool = True,
) -> "pd.DataFrame":
    """Annotations of one image as a table (see table.py); `kind` is one of formats.NAMES, or told by the content.

    `image`: names by which a COCO file may know the image. `classes`: names of the values 1, 2, ... of a class image.
    `shape`: (T, Z, Y, X) of the image, against which everything is checked. `components`: whether each connected part
    of a binary mask is an object.

    Raises
    ------
    DataError
        MISSING, EMPTY, UNREADABLE, ANNOTATION (damaged or unknown), TOO_LARGE, NONFINITE, ANNOTATION_FIT (does not lie
        on the image), and those of label images' own formats.
    Skip
        NO_ANNOTATION where a file about several images does not list this one.
    """
    if kind != "auto" and kind not in NAMES:
        raise ValueError(f"unknown format {kind!r}; choose from {['auto', *NAMES]}")
    file = open_file(Path(path))
    format = choose(file) if kind == "auto" else get(kind)
    wanted = Wanted(tuple(image), tuple(classes), shape, components, kind == "auto")
    table = format.read(file, wanted)
    if shape is not None:
        check_fit(file, table, shape)
    return table


def open_file(path: Path) -> File:
    """The file with its first bytes; nothing that would hang or is empty."""
    try:
        if not path.exists():
            raise DataError("MISSING", f"{path}: no such annotation file; correct its path")
        if not path.is_file():
            raise DataError("NOT_A_FILE", f"{path}: is no regular file; name one annotation file")
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except PermissionError as error:
        raise DataError("UNREADABLE", f"{path}: permission denied; allow reading it") from error
    if not head:
        raise DataError("EMPTY", f"{path}: has zero bytes; export it again")
    return File(path, head)


def check_fit(file: File, table: "pd.DataFrame", shape: tuple[int, int, int, int]) -> None:
    """Refuse objects that lie outside the image, or on planes and time points that it does not have.

    Raises
    ------
    DataError
        ANNOTATION_FIT, naming the first such object.
    """
    times, planes, height, width = shape
    slack = max(OVERHANG_PX, OVERHANG * max(height, width))
    y0, x0, y1, x1 = table[["y0", "x0", "y1", "x1"]].to_numpy(np.float64).T
    outside = (y1 < 0) | (x1 < 0) | (y0 > height) | (x0 > width)
    outside |= (y0 < -slack) | (x0 < -slack) | (y1 > height + slack) | (x1 > width + slack)
    if outside.any():
        row = table.iloc[int(np.argmax(outside))]
        box = f"x {row.x0:g} to {row.x1:g}, y {row.y0:g} to {row.y1:g}"
        cause = f"{describe(row)} lies at {box}, the image has {width} x {height} pixels"
        raise refuse(file, cause, f"{int(outside.sum())} of {len(table)} objects do not fit: is it of another image, or drawn at another scale?", "ANNOTATION_FIT")  # fmt: skip
    beyond = (table["t"] >= times) | (table["z"] >= planes)
    if beyond.any():
        row = table[beyond].iloc[0]
        cause = f"{describe(row)} is of plane {row.z}, time {row.t} (from 0), the image has {planes} and {times}"
        raise refuse(file, cause, "is it of another image?", "ANNOTATION_FIT")


def describe(row: "pd.Series") -> str:
    """How messages name an object."""
    named = " ".join(part for part in (row["class"], row["name"]) if part)
    return f"object {row['label']}" + (f" ({named})" if named else "")
