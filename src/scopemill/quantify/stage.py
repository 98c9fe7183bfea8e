"""Quantify: objects + labels + image -> one row an object with everything that is measured of it."""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .. import features
from ..frames import Frame, open_frames
from ..images import project
from ..jobs import Job
from ..settings import (
    ChannelName,
    DetectTask,
    Method,
    NonNegative,
    Percentile,
    Positive,
    SegmentTask,
    settings,
)
from ..tables import read_statement, write_table

if TYPE_CHECKING:
    import pandas as pd

ARTIFACT = "features/{task}/{image}.parquet"


@settings
class Settings:
    """What is measured of which objects."""

    objects: DetectTask
    """The detect task (`from-labels`) whose objects are measured."""
    channels: tuple[ChannelName, ...] | None = None
    """Channels to measure; all when not given."""
    z: Literal["max", "mean", "middle"] = "max"
    """How planes of a stack are put together before intensities are measured on 2-D labels."""
    nucleus: SegmentTask | None = None
    """Nuclei: the object is measured apart in nucleus and cytoplasm, with the ratio."""
    ring_um: Positive | None = None
    """Width of a ring around each object that is measured too, with the ratio object / ring."""
    ring_gap_um: NonNegative = 0.0
    """Distance between object and ring: the object's blurred border belongs to neither."""
    background_percentile: Percentile | None = None
    """Percentile of the image that is subtracted as background before nucleus, cytoplasm and ring are compared."""
    spots: tuple[DetectTask, ...] = ()
    """Detect tasks whose spots are counted per object."""


def carry(job: Job, settings: Settings, method: Method | None) -> dict[str, Any]:
    """Measure every time point of one image."""
    import pandas as pd

    labels_task = read_statement(job.inputs[f"detect.{settings.objects}"])["labels"]
    with open_frames(job, "stack") as frames:
        tables = [quantify(frame, labels_task, settings) for frame in frames]
    table = pd.concat(tables, ignore_index=True)
    write_table(job.output, table, fingerprint=job.fingerprint, objects=settings.objects)
    return {"n_objects": len(table)}


def quantify(frame: Frame, labels_task: str, settings: Settings) -> "pd.DataFrame":
    """Rows of the detect task, with features, parts and spot counts joined."""
    objects = frame.tables(f"detect.{settings.objects}")
    labels = frame.labels(labels_task)
    # an optional channel that this image lacks is left out
    names = [
        name for name in settings.channels or frame.channel_names if name in frame.channel_names
    ]
    channels = {name: fit_to(labels, frame.channel(name), settings.z) for name in names}
    spacing, with_um = frame.spacing(labels), frame.meta.pixel_size_um is not None
    table = objects.merge(
        features.measure(labels, channels, spacing, with_um), on="label", how="left"
    )
    table = table.assign(
        **measure_parts(table["label"].to_numpy(), labels, channels, frame, settings)
    )
    for task in settings.spots:
        spots = frame.tables(f"detect.{task}")
        table[f"n_{task.replace('-', '_')}"] = count_spots(
            spots, labels, table["label"].to_numpy(), labels_task
        )
    return table


def fit_to(labels: np.ndarray, image: np.ndarray, z: str) -> np.ndarray:
    """The image in the labels' shape: planes are put together for 2-D labels, kept for 3-D ones."""
    return project(image, z) if image.ndim > labels.ndim else np.broadcast_to(image, labels.shape)


def measure_parts(
    ids: np.ndarray,
    labels: np.ndarray,
    channels: dict[str, np.ndarray],
    frame: Frame,
    settings: Settings,
) -> dict[str, np.ndarray]:
    """Means in nucleus, cytoplasm and ring, and their ratios."""
    columns: dict[str, np.ndarray] = {}
    parts: dict[str, np.ndarray] = {}
    if settings.nucleus:
        inside = frame.labels(settings.nucleus) > 0
        parts |= {"nucleus": np.where(inside, labels, 0), "cytoplasm": np.where(inside, 0, labels)}
        columns["nucleus_area_fraction"] = features.mean_within(labels, inside, ids)
    if settings.ring_um:
        parts["ring"] = features.ring_around(
            labels, settings.ring_gap_um, settings.ring_um, frame.spacing(labels)
        )
    for name, image in channels.items() if parts else ():
        percentile = settings.background_percentile
        background = float(np.percentile(image, percentile)) if percentile is not None else 0.0
        means = {
            part: features.mean_within(where, image, ids, background)
            for part, where in parts.items()
        }
        columns |= {f"{part}_mean_{name}": values for part, values in means.items()}
        if settings.nucleus:
            columns[f"nucleus_cytoplasm_ratio_{name}"] = features.ratio(
                means["nucleus"], means["cytoplasm"]
            )
        if settings.ring_um:
            whole = features.mean_within(labels, image, ids, background)
            columns[f"ring_ratio_{name}"] = features.ratio(whole, means["ring"])
    return columns


def count_spots(
    spots: "pd.DataFrame", labels: np.ndarray, ids: np.ndarray, labels_task: str
) -> np.ndarray:
    """Spots per object: by the assignment that detect made, else by position."""
    column = f"{labels_task.replace('-', '_')}_label"
    if column in spots:
        owners = spots[column].to_numpy()
    else:
        points = spots[list("zyx"[-labels.ndim :])].round().astype(int).to_numpy()
        owners = labels[tuple(np.clip(points, 0, np.array(labels.shape) - 1).T)]
    return np.bincount(owners, minlength=int(ids.max(initial=0)) + 1)[ids]
