"""Truth: annotations, or a label image -> what a network learns of each pixel (Z, Y, X), in the smallest type."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..annotations.raster import to_classes, to_labels
from ..images import Image

if TYPE_CHECKING:
    import pandas as pd


def draw_truth(
    table: "pd.DataFrame", shape: tuple[int, ...], own: Any, classes: list[str]
) -> np.ndarray:
    """Annotations -> labels, or numbers of classes, (Z, Y, X); the smallest type that holds them."""
    plane = shape if shape[0] > 1 else shape[1:]
    if own.truth == "classes":
        drawn = to_classes(table, plane, classes)
    else:
        drawn = to_labels(table, plane)
    return shrink_type(drawn).reshape(shape)


def read_truth(path: Path, t: int, n_planes: int) -> np.ndarray:
    """Labels of a time point (Z, Y, X): with as many planes as the model sees of the image."""
    with Image(path) as image:
        labels = image.stack(0, t)
    if len(labels) != n_planes:
        labels = np.broadcast_to(labels.max(axis=0), (n_planes, *labels.shape[1:]))
    return shrink_type(labels)


def shrink_type(drawn: np.ndarray) -> np.ndarray:
    """The smallest type that holds them."""
    return drawn.astype(np.min_scalar_type(int(drawn.max())))
