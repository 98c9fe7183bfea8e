"""Formats: one file each, with `recognise(file) -> bool` and `read(file, wanted) -> table`, asked in the order of NAMES."""

from importlib import import_module
from typing import Any

from ._file import File, Wanted, refuse

# those that are told by their content first; a picture may be any of the last three
NAMES = ("geojson", "coco", "voc", "imagej", "contours", "points", "labels", "classes", "mask")

__all__ = ["NAMES", "File", "Wanted", "choose", "refuse"]


def choose(file: File) -> Any:
    """The format of a file, by its content.

    Raises
    ------
    DataError
        ANNOTATION when it is none that is known.
    """
    for name in NAMES:
        format = get(name)
        if format.recognise(file):
            return format
    raise refuse(file, f"no known annotation format, it begins with {file.head[:8]!r}", "export it as GeoJSON, ImageJ ROIs, COCO, VOC, a CSV of points, or a label image (TIFF, PNG)")  # fmt: skip


def get(name: str) -> Any:
    """The module of a format."""
    return import_module(f".{name}", __name__)
