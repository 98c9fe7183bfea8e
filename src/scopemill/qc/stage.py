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
from .cells import Sample, choose_samples
from .drawing import Content, draw
from .marks import find_spots

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
    with open_frames(job, "max") as frames, open_frames(job, "stack") as stacks:
        frame, stack = next(iter(frames)), next(iter(stacks))
        content = find_content(frame, job, settings)
        picture, lines = draw(frame, content, settings, stack)
    caption = [[(job.image, "#ffffff")], *lines]
    pictures.write_png(job.output, pictures.write_caption(picture, caption), job.fingerprint)
    return {}


def find_content(frame: Frame, job: Job, settings: Settings) -> Content:
    """What the tasks before found in the image."""
    tasks = [key.split(".")[1] for key in job.inputs if key.startswith("segment.")]
    regions = [task for task in tasks if frame.class_names(task)]
    objects = [task for task in tasks if task not in regions]
    outlines = [task for task in objects if settings.outlines is None or task in settings.outlines]
    spots, classes = find_spots(job), dict(find_classes(job))
    return Content(
        outlines,
        [task for task in regions if settings.classes is None or task in settings.classes],
        {task: count_objects(frame, job, task) for task in objects},
        classes,
        spots,
        find_seam(job, tasks),
        find_cells(frame, job, outlines, spots, classes),
    )


def find_cells(
    frame: Frame, job: Job, outlines: list[str], spots: "pd.DataFrame", classes: dict[str, Any]
) -> list[Sample]:
    """Sample cells of a stack: of the task in whose objects most spots were looked for, else of the last one outlined."""
    if frame.meta.shape[2] == 1 or not outlines:
        return []
    owners = [task for task in outlines if task.replace("-", "_") in set(spots["within"])]
    task = max(owners, key=lambda one: (spots["within"] == one.replace("-", "_")).sum()) if owners else outlines[-1]  # fmt: skip
    return choose_samples(frame, task, spots, classes.get(task), find_features(job, task))


def find_features(job: Job, task: str) -> "pd.DataFrame | None":
    """What was measured of a segment task's objects at the first time point."""
    for key in (key for key in job.inputs if key.startswith("quantify.")):
        detected = read_statement(job.inputs[key]).get("objects")
        if detected and read_statement(job.inputs[f"detect.{detected}"]).get("labels") == task:
            return read_table(job.inputs[key]).query("t == 0").reset_index(drop=True)
    return None


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
