"""Objects: table of detected objects + labels + image -> what is measured of each, block by block."""

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import features
from ..frames import Frame
from ..images import project
from . import regions
from .blocks import block_side, plan_blocks, plan_points

if TYPE_CHECKING:
    import pandas as pd


def measure_objects(
    frame: Frame, objects: "pd.DataFrame", labels_task: str, settings: Any, side: int | None = None
) -> "pd.DataFrame":
    """The objects (those that lie `within`), with features, parts, spot counts and regions joined.

    The result does not depend on `side`, the pixels of a block: a window holds its objects whole, with all around
    them that could claim a pixel of their rings.
    """
    import pandas as pd

    side = side or block_side(frame.meta.shape[2])
    names = choose_channels(frame, settings)
    backgrounds = find_backgrounds(frame, names, labels_task, settings)
    found = [
        measure_block(frame.cut(*window), objects.iloc[rows], labels_task, backgrounds, settings)
        for window, rows in plan_blocks(
            objects[["y0", "x0", "y1", "x1"]].to_numpy(np.int64),
            frame.size,
            side,
            find_margin(frame, settings),
        )
    ]
    # blocks without objects have columns, but of no type
    found = [one for one in found if len(one)] or found[:1]
    how = "inner" if settings.within else "left"
    table = objects.merge(pd.concat(found, ignore_index=True), on="label", how=how)
    for task in settings.spots:
        spots = frame.tables(f"detect.{task}")
        counts = count_spots(spots, frame, table["label"].to_numpy(), labels_task, side)
        stem = f"n_{task.replace('-', '_')}"
        table = table.assign(**{f"{stem}{end}": values for end, values in counts.items()})
    for task in settings.regions:
        table = regions.add_distances(table, frame, task)
    return table


def choose_channels(frame: Frame, settings: Any) -> list[str]:
    """Channels to measure; an optional channel that this image lacks is left out."""
    wanted = settings.channels or frame.channel_names
    return [name for name in wanted if name in frame.channel_names]


def find_margin(frame: Frame, settings: Any) -> int:
    """Pixels around an object's box: a neighbour twice as far as the ring's rim still claims pixels of the ring."""
    if not settings.ring_um:
        return 0
    return int(np.ceil(2 * (settings.ring_um + settings.ring_gap_um) / frame.um_per_px)) + 2


def find_backgrounds(
    frame: Frame, names: list[str], labels_task: str, settings: Any
) -> dict[str, float]:
    """Background of each channel: a percentile of the image, or of windows sampled over a large one."""
    if settings.background_percentile is None or not (settings.nucleus or settings.ring_um):
        return dict.fromkeys(names, 0.0)
    ndim = frame.cut(slice(0, 1), slice(0, 1)).labels(labels_task).ndim
    backgrounds = {}
    for name in names:
        values = frame.sampled(lambda part, name=name: read(part, name, ndim, settings.z))
        backgrounds[name] = float(np.percentile(values, settings.background_percentile))
    return backgrounds


def read(frame: Frame, channel: str, ndim: int, z: str) -> np.ndarray:
    """A channel: planes are put together for 2-D labels, kept for 3-D ones."""
    image = frame.channel(channel)
    return project(image, z) if image.ndim > ndim else image


def measure_block(
    frame: Frame,
    objects: "pd.DataFrame",
    labels_task: str,
    backgrounds: dict[str, float],
    settings: Any,
) -> "pd.DataFrame":
    """Rows of the objects of one block: label, regions, features, parts."""
    labels = frame.labels(labels_task)
    nuclei = frame.labels(settings.nucleus) > 0 if settings.nucleus else None
    own, objects, places = choose_objects(frame, objects, labels, nuclei, settings)
    ids = objects["label"].to_numpy()
    channels = {
        name: np.broadcast_to(read(frame, name, labels.ndim, settings.z), labels.shape)
        for name in backgrounds
    }
    with_um = frame.meta.pixel_size_um is not None
    table = features.measure(own, channels, frame.spacing(labels), with_um)
    # numbers count from 1 in the order of the rows
    at = table["label"].to_numpy() - 1
    parts = measure_parts(own, labels, nuclei, channels, backgrounds, frame, settings, ids)
    columns = {name: values[at] for name, values in (places | parts).items()}
    return table.assign(label=ids[at], **columns)


def choose_objects(
    frame: Frame,
    objects: "pd.DataFrame",
    labels: np.ndarray,
    nuclei: np.ndarray | None,
    settings: Any,
) -> tuple[np.ndarray, "pd.DataFrame", dict[str, np.ndarray]]:
    """Labels of the objects to measure numbered from 1, their rows, and their region by task."""
    objects = objects.sort_values("label")
    own = number(labels, objects["label"].to_numpy())
    looked_up = {
        task: regions.look_up(frame, task, own, objects, nuclei)
        for task in dict.fromkeys((*settings.regions, *settings.within))
    }
    inside = np.ones(len(objects), bool)
    for task, names in settings.within.items():
        inside &= np.isin(looked_up[task], regions.check_names(frame, task, names))
    places = {regions.column_of(task): looked_up[task][inside] for task in settings.regions}
    objects = objects[inside]
    return number(labels, objects["label"].to_numpy()), objects, places


def number(labels: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Labels with the k-th of `ids` as k, counted from 1, and all others as 0."""
    numbers = np.zeros(int(max(labels.max(initial=0), ids.max(initial=0))) + 1, np.uint32)
    numbers[ids] = np.arange(1, len(ids) + 1)
    return numbers[labels]


def measure_parts(
    own: np.ndarray,
    labels: np.ndarray,
    nuclei: np.ndarray | None,
    channels: dict[str, np.ndarray],
    backgrounds: dict[str, float],
    frame: Frame,
    settings: Any,
    ids: np.ndarray,
) -> dict[str, np.ndarray]:
    """Means in nucleus, cytoplasm and ring, and their ratios."""
    columns: dict[str, np.ndarray] = {}
    parts: dict[str, np.ndarray] = {}
    numbers = np.arange(1, len(ids) + 1)
    if nuclei is not None:
        parts |= {"nucleus": np.where(nuclei, own, 0), "cytoplasm": np.where(nuclei, 0, own)}
        columns["nucleus_area_fraction"] = features.mean_within(own, nuclei, numbers)
    if settings.ring_um:
        ring = features.ring_around(
            labels, settings.ring_gap_um, settings.ring_um, frame.spacing(labels)
        )
        parts["ring"] = number(ring, ids)
    for name, image in channels.items() if parts else ():
        means = {
            part: features.mean_within(where, image, numbers, backgrounds[name])
            for part, where in parts.items()
        }
        columns |= {f"{part}_mean_{name}": values for part, values in means.items()}
        if nuclei is not None:
            columns[f"nucleus_cytoplasm_ratio_{name}"] = features.ratio(
                means["nucleus"], means["cytoplasm"]
            )
        if settings.ring_um:
            whole = features.mean_within(own, image, numbers, backgrounds[name])
            columns[f"ring_ratio_{name}"] = features.ratio(whole, means["ring"])
    return columns


def count_spots(
    spots: "pd.DataFrame", frame: Frame, ids: np.ndarray, labels_task: str, side: int
) -> dict[str, np.ndarray]:
    """Spots per object, by the assignment that detect made, else by position: end of the column's name -> numbers.

    Of all channels ('') and, where detect looked at several, of each ('_<channel>').
    """
    column = f"{labels_task.replace('-', '_')}_label"
    owners = spots[column].to_numpy() if column in spots else find_owners(spots, frame, labels_task, side)  # fmt: skip
    several = spots.attrs.get("channels") or ()
    chosen = {"": owners}
    if len(several) > 1:
        chosen |= {f"_{name}": owners[(spots["channel"] == name).to_numpy()] for name in several}
    length = int(ids.max(initial=0)) + 1
    return {end: np.bincount(one, minlength=length)[ids] for end, one in chosen.items()}


def find_owners(spots: "pd.DataFrame", frame: Frame, labels_task: str, side: int) -> np.ndarray:
    """Label under each spot; only windows that hold spots are read."""
    owners = np.zeros(len(spots), np.int64)
    if spots.empty:
        return owners
    plane = spots[["y", "x"]].round().astype(int).to_numpy()
    plane = np.clip(plane, 0, np.array(frame.size) - 1)
    for (y, x), rows in plan_points(plane, side):
        labels = frame.cut(y, x).labels(labels_task)
        points = (plane[rows] - [y.start, x.start]).T
        if labels.ndim == 3:
            z = np.clip(spots["z"].to_numpy()[rows].round().astype(int), 0, len(labels) - 1)
            points = np.vstack([z, points])
        owners[rows] = labels[tuple(points)]
    return owners
