"""Truth: label images and annotation files of any format -> labels, boxes and points of one image."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DataError, Skip
from ..readers import open_raw
from ..settings import ConfigError

if TYPE_CHECKING:
    import pandas as pd

# anything else is a label image
DRAWN = (".json", ".geojson", ".gz", ".xml", ".zip", ".roi", ".tsv")


def find_truth(pattern: str, row: dict[str, str]) -> Path:
    """The pattern with this image's columns filled in."""
    try:
        return Path(pattern.format(**row))
    except (KeyError, IndexError, ValueError):
        raise ConfigError(f"--truth {pattern}: in braces, use one of {list(row)}") from None


def read_truth(path: Path, image: str, shape: tuple[int, ...] | None) -> np.ndarray:
    """Labels of one image; annotations are drawn on `shape`, (Y, X) or (Z, Y, X), or as far as they reach."""
    if path.suffix.lower() not in DRAWN:
        return read_label_image(path)
    from ..annotations.table import to_labels

    table = read_drawn(path, image)
    without = table["kind"].isin(["point", "line"])
    if without.any():
        raise ConfigError(
            f"{path}: {without.sum()} annotations have no area; labels are scored against masks, outlines and boxes"
        )
    if shape is None:
        shape = tuple(int(np.ceil(table[name].max())) if len(table) else 1 for name in ("y1", "x1"))
    try:
        return to_labels(table, shape)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None


def read_label_image(path: Path) -> np.ndarray:
    """A label image of any format that raw images may have."""
    with open_raw(path) as raw:
        return np.stack([raw.read(z=z) for z in range(raw.shape[2])]).squeeze().astype(np.int64)


def read_drawn(path: Path, image: str) -> "pd.DataFrame":
    """The table of an annotation file."""
    from ..annotations.reading import read_annotations

    try:
        return read_annotations(path, image=(image,))
    except (DataError, Skip) as error:
        raise ConfigError(
            f"{path}: {error}" if str(path) not in str(error) else str(error)
        ) from None


def read_truth_boxes(path: Path, image: str) -> np.ndarray:
    """(n, 4): y0, x0, y1, x1 of what has an area."""
    from ..annotations.table import boxes

    return boxes(read_drawn(path, image))


def read_truth_points(path: Path, image: str) -> np.ndarray:
    """(n, 2): y, x, whole numbers in the middle of a pixel; of a CSV with columns y and x, taken as they are."""
    if path.suffix.lower() == ".csv":
        import pandas as pd

        table = pd.read_csv(path)
        if not {"y", "x"} <= set(table):
            raise ConfigError(f"{path}: expected columns y and x, found {list(table)}")
        return table[["y", "x"]].to_numpy(float)
    table = read_drawn(path, image)
    # annotations count from a pixel's corner
    middle = (table[["y0", "x0"]].to_numpy(float) + table[["y1", "x1"]].to_numpy(float)) / 2
    return middle - 0.5
