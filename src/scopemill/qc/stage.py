"""QC: everything of one image -> one picture: channels, objects with their classes and spots, regions, and details."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import pictures
from ..blocks import list_blocks
from ..config import Channel
from ..frames import Frame, open_frames
from ..jobs import Job
from ..settings import ChannelName, ClassTask, Method, Percentile, SegmentTask, settings
from ..tables import read_statement, read_table
from .drawing import Content, draw

if TYPE_CHECKING:
    import pandas as pd

ARTIFACT = "qc/{image}.png"
TAKES_WHAT_THERE_IS = True  # a task that passed over the image is just not drawn


@settings
class Settings:
    """What the pictures show."""

    channels: dict[str, Channel]
    """The study's channels, with their colours."""
    show: tuple[ChannelName, ...] | None = None
    """Channels to show; all when not given."""
    outlines: tuple[SegmentTask, ...] | None = None
    """Segment tasks to outline; all when not given."""
    classes: tuple[ClassTask, ...] | None = None
    """Class images to lay over the picture; all when not given."""
    percentiles: tuple[Percentile, Percentile] = (30.0, 99.8)
    """Percentiles of each channel of the image that are shown black and in full colour."""
    max_size_px: int = 900
    """Larger images are shown smaller, with three windows at full resolution below."""
    min_size_px: int = 400
    """Smaller images are shown two, three, ... times as large."""


def carry(job: Job, settings: Settings, method: Method | None) -> dict[str, Any]:
    """Draw the first time point of one image."""
    with open_frames(job, "max") as frames:
        frame = next(iter(frames))
        picture, lines = draw(frame, find_content(frame, job, settings), settings)
    caption = [[(job.image, "#ffffff")], *lines]
    pictures.write_png(job.output, pictures.write_caption(picture, caption), job.fingerprint)
    return {}


def find_content(frame: Frame, job: Job, settings: Settings) -> Content:
    """What the tasks before found in the image."""
    tasks = [key.split(".")[1] for key in job.inputs if key.startswith("segment.")]
    regions = [task for task in tasks if frame.class_names(task)]
    objects = [task for task in tasks if task not in regions]
    points, lines = find_spots(job)
    return Content(
        [task for task in objects if settings.outlines is None or task in settings.outlines],
        [task for task in regions if settings.classes is None or task in settings.classes],
        {task: count_objects(frame, job, task) for task in objects},
        dict(find_classes(job)),
        points,
        lines,
        find_seam(job, tasks),
    )


def count_objects(frame: Frame, job: Job, task: str) -> int:
    """Objects of the first time point: as segment counted them, else by looking at all of them."""
    record = job.records.get(f"segment.{task}")
    counts = record.facts.get("n_objects") if record else None
    if counts and counts[0] is not None:
        return counts[0]
    blocks = list_blocks(frame.size, frame.meta.shape[2])
    found = [np.unique(frame.cut(*one).labels(task)) for one in blocks]
    return int(np.count_nonzero(np.unique(np.concatenate(found))))


def find_seam(job: Job, tasks: list[str]) -> list[int] | None:
    """A window (y0, x0, y1, x1) in which segment's blocks meet, that of its certificate."""
    for task in tasks:
        record = job.records.get(f"segment.{task}")
        window = record.facts.get("seams", {}).get("window") if record else None
        if window:
            return window
    return None


def find_classes(job: Job) -> "Iterator[tuple[str, pd.Series]]":
    """Segment task -> class of each label, by the first classify task of its objects."""
    for key in reversed([key for key in job.inputs if key.startswith("classify.")]):
        measured = f"quantify.{read_statement(job.inputs[key])['objects']}"
        detected = f"detect.{read_statement(job.inputs[measured])['objects']}"
        table = read_table(job.inputs[key], {"t", "label", "class"}.__contains__).query("t == 0")
        yield read_statement(job.inputs[detected])["labels"], table.set_index("label")["class"]


def find_spots(job: Job) -> tuple[np.ndarray, list[list[tuple[str, str]]]]:
    """Positions (N, 2: y, x) of all spots, and a caption line a task."""
    points, lines = [np.empty((0, 2))], []
    for key in (key for key in job.inputs if key.startswith("detect.")):
        table = read_table(job.inputs[key], is_of_spots).query("t == 0")
        if {"y", "x"} <= set(table):
            points.append(table[["y", "x"]].to_numpy(float))
            owners = [name for name in table if name.endswith("_label")]
            inside = (
                f", {int((table[owners[0]] > 0).sum())} in {owners[0].removesuffix('_label')}"
                if owners
                else ""
            )
            lines.append([(f"{key.split('.')[1]}: {len(table)} spots{inside}", "#ffe14d")])
    return np.concatenate(points), lines


def is_of_spots(column: str) -> bool:
    """Where spots are, and in which objects."""
    return column in ("t", "y", "x") or column.endswith("_label")
