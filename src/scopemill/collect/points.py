"""Points: annotated points of an image -> examples with a sparse volume of them, for training on spots."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..examples import Example
from ..points import pack_points
from ..settings import ConfigError
from ..tiling import tile_origins

if TYPE_CHECKING:
    import pandas as pd


def read_points(
    table: "pd.DataFrame", shape: tuple[int, ...], channels: Sequence[str]
) -> np.ndarray:
    """Points (n, 3) z, y, x of one time point, the middle of the first voxel 0; of these channels where they say one.

    Raises
    ------
    ConfigError
        Where there are no points, but outlines; or where points of a stack do not say in which plane they lie.
    """
    import shapely

    if not (table["kind"] == "point").all():
        raise ConfigError(
            "collect: spots are learnt from points, the annotations hold outlines; give CSV with columns z, y, x"
        )
    said = [json.loads(one or "{}").get("channel", "") for one in table["properties"]]
    table = table[[one in ("", *channels) for one in said]]
    if table.empty:
        return np.empty((0, 3))
    x, y, z = shapely.get_coordinates(shapely.from_wkb(table["geometry"]), include_z=True).T
    z = np.where(np.isnan(z), table["z"].to_numpy(np.float64), z)
    if shape[0] == 1:
        z = np.zeros(len(z))  # of a plane, or of a stack that was projected
    elif (z < -0.5).any():
        raise ConfigError(
            "collect: points of a stack need a column z; add it, or set collect: {z: max}"
        )
    return np.stack([z, y - 0.5, x - 0.5], axis=1)


def cut_points(
    points: np.ndarray, pixels: np.ndarray, percentiles: tuple, shape: tuple[int, ...],
    largest_px: int, about: Mapping[str, Any],
) -> Iterator[tuple[Example, np.ndarray, np.ndarray]]:  # fmt: skip
    """Examples of one time point, parts of it where it is large; `shape` (Z, Y, X) is that in which points were drawn."""
    zoom = np.divide(pixels.shape[1:], shape)
    truth = pack_points((points + 0.5) * zoom - 0.5, pixels.shape[1:])
    for y, x in tile_origins(pixels.shape[-2:], largest_px, 0).tolist():
        window = (..., slice(y, y + largest_px), slice(x, x + largest_px))
        cut = pixels[window], truth[window]
        example = Example(
            about["image"], about["part"], about["group"], percentiles, cut[0].shape,
            int(np.count_nonzero(cut[1])), 0.0, (about["t"], y, x),
        )  # fmt: skip
        yield example, *cut
