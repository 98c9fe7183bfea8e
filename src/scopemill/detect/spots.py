"""Spots: what the methods that find them share: their channels, how bright they are, the cells that they belong to."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..blocks import list_blocks
from ..frames import Frame
from ..settings import ConfigError
from ..tiling import widen

if TYPE_CHECKING:
    import pandas as pd

INNER, OUTER = 3.0, 4.0  # sigmas: the shell around a spot that shows its background


def check_channels(settings: Any, channels: Mapping[str, Any]) -> None:
    """Refuse both keys, or none."""
    if (settings.channel is None) == (not settings.channels):
        raise ConfigError("give either channel: NAME, or channels: [NAME, ...] for several")
    if len(set(settings.channels or ())) < len(settings.channels or ()):
        raise ConfigError(f"channels: {settings.channels}: name each once")


def list_channels(settings: Any) -> list[str]:
    """The channels in which spots are looked for, each by itself."""
    return settings.channels or [settings.channel]


def detect_each(
    frame: Frame, settings: Any, find: Callable[[str], "pd.DataFrame"]
) -> "pd.DataFrame":
    """Spots of all channels, and the objects that they belong to."""
    import pandas as pd

    tables = []
    for name in list_channels(settings):
        table = find(name)
        table.insert(table.columns.get_loc("x") + 1, "channel", name)
        tables.append(table)
    table = pd.concat(tables, ignore_index=True)
    if settings.within:
        name = settings.within.replace("-", "_")
        axes = [axis for axis in "zyx" if axis in table]
        points = table[axes].to_numpy(np.float64)
        labels, distance = place_in_objects(
            frame, points, settings.within, settings.max_distance_um
        )
        table[f"{name}_label"], table[f"{name}_distance_um"] = labels, distance
    return table


def measure_spots(
    image: np.ndarray, peaks: np.ndarray, sigmas: Sequence[float]
) -> dict[str, np.ndarray]:
    """Image (Z, Y, X) or (Y, X), voxels (n, d) -> columns intensity, background and snr.

    Background and its noise are median and deviation in a shell at 3 to 4 sigma; intensity is the mean within one sigma
    above it, snr how far the spot's voxel stands above it, in noises.
    """
    sigmas = np.asarray(sigmas, float)
    reach = [int(np.ceil(OUTER * sigma)) for sigma in sigmas]
    grid = np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij")
    offsets = np.stack(grid, -1).reshape(-1, image.ndim)
    distance = np.sqrt(((offsets / sigmas) ** 2).sum(axis=1))
    limits = np.array(image.shape) - 1

    def values(chosen: np.ndarray) -> np.ndarray:
        return image[tuple(np.clip(peaks[:, None] + offsets[chosen], 0, limits).transpose(2, 0, 1))]

    shell = values((distance >= INNER) & (distance <= OUTER)).astype(np.float32)
    background = np.median(shell, axis=1)
    noise = 1.4826 * np.median(np.abs(shell - background[:, None]), axis=1)
    above = values(distance == 0)[:, 0] - background
    return {
        "intensity": values(distance <= 1).mean(axis=1) - background,
        "background": background,
        "snr": np.divide(above, noise, out=np.full(len(peaks), np.nan, np.float32), where=noise > 0),
    }  # fmt: skip


def place_in_objects(
    frame: Frame, points: np.ndarray, task: str, max_distance_um: float
) -> tuple[np.ndarray, np.ndarray]:
    """Label that each point (n, d) belongs to (0: unbound), and its distance to the nearest outline, negative outside.

    Points outside belong to the nearest object where its outline is not farther than `max_distance_um`. In the plane,
    where the labels are flat. Distances are to the middles of the edges of pixels; NaN where there is no object.
    """
    from scipy.spatial import KDTree

    edges, owners, under, ndim = trace(frame, points, task)
    spacing = np.array(frame.spacing_um[-ndim:])
    distance, nearest = np.full(len(points), np.nan), np.zeros(len(points), np.int64)
    if len(edges) and len(points):
        distance, index = KDTree(edges * spacing).query(points[:, -ndim:] * spacing)
        nearest = owners[index]
    distance = np.where(under > 0, distance, -distance)
    near = (under == 0) & (distance >= -max_distance_um) & (max_distance_um > 0)
    return np.where(near, nearest, under), distance


def trace(
    frame: Frame, points: np.ndarray, task: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Middles of the edges between objects and what is beside them (m, d), an object of each, labels under the points.

    Block by block: outlines are kept, pixels are not. The last is the number of axes of the labels.
    """
    edges, owners, under = [], [], np.zeros(len(points), np.int64)
    size = frame.size
    voxels = np.rint(points).astype(int)
    for core in list_blocks(size, frame.meta.shape[2]):
        window = widen(core, 1, size)
        labels = frame.cut(*window).labels(task)
        corner = np.array([0, *(one.start for one in window)])[-labels.ndim :]
        limits = np.array([labels.shape[0], *size])[-labels.ndim :] - 1
        own = np.clip(voxels[:, -labels.ndim :], 0, limits)
        low, high = (np.array([getattr(one, end) for one in core]) for end in ("start", "stop"))
        mine = ((own[:, -2:] >= low) & (own[:, -2:] < high)).all(axis=1)
        under[mine] = labels[tuple((own[mine] - corner).T)]
        for axis in range(labels.ndim):
            places, owner = find_edges(labels, axis)
            edges.append(places + corner)
            owners.append(owner)
    return np.concatenate(edges), np.concatenate(owners).astype(np.int64), under, labels.ndim


def find_edges(labels: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Places (m, d) halfway between neighbours along an axis that differ, and the label of one of the two."""
    ahead = np.moveaxis(labels, axis, 0)
    differ = np.zeros(labels.shape, bool)
    np.not_equal(ahead[1:], ahead[:-1], out=np.moveaxis(differ, axis, 0)[:-1])
    places = np.argwhere(differ)
    behind = places + (np.arange(labels.ndim) == axis)
    first, second = labels[tuple(places.T)], labels[tuple(behind.T)]
    return (places + behind) / 2, np.where(first > 0, first, second)
