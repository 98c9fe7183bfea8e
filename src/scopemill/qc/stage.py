"""QC: everything of one image -> one picture: left the channels, right the objects, their classes and spots."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import pictures
from ..config import Channel
from ..frames import Frame, open_frames
from ..jobs import Job
from ..settings import ChannelName, Method, Percentile, SegmentTask, settings
from ..tables import read_statement, read_table

ARTIFACT = "qc/{image}.png"
TAKES_WHAT_THERE_IS = True  # a task that passed over the image is just not drawn
GAP_PX = 6
NO_CLASS = "unassigned"


@settings
class Settings:
    """What the pictures show."""

    channels: dict[str, Channel]
    """The study's channels, with their colours."""
    show: tuple[ChannelName, ...] | None = None
    """Channels to show; all when not given."""
    outlines: tuple[SegmentTask, ...] | None = None
    """Segment tasks to outline; all when not given."""
    percentiles: tuple[Percentile, Percentile] = (30.0, 99.8)
    """Percentiles of each channel of the image that are shown black and in full colour."""
    max_size_px: int = 900
    """Larger images are shown smaller."""
    min_size_px: int = 400
    """Smaller images are shown two, three, ... times as large."""


def carry(job: Job, settings: Settings, method: Method | None) -> dict[str, Any]:
    """Draw the first time point of one image."""
    with open_frames(job, "max") as frames:
        frame = next(iter(frames))
        left, channel_line = show_channels(frame, settings)
        right = dim(left)
        zoom = left.shape[0] / frame.meta.shape[3]
        lines = [channel_line, *draw_objects(right, frame, job, settings, zoom)]
    points, spot_line = find_spots(job)
    gap = np.full((left.shape[0], GAP_PX, 3), 0.1, np.float32)
    picture = to_picture(np.concatenate([left, gap, right], axis=1))
    shifted = points * zoom + (zoom / 2 - 0.5) + np.array([0, left.shape[1] + GAP_PX])
    pictures.draw_circles(picture, shifted, ["#ffe14d"] * len(points), max(2.0, 2.5 * zoom))
    caption = [[(job.image, "#ffffff")], *lines, *spot_line]
    pictures.write_png(job.output, pictures.write_caption(picture, caption), job.fingerprint)
    return {}


def show_channels(frame: Frame, settings: Settings) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """The colour picture, and the line that says what its colours mean."""
    names = [name for name in settings.show or frame.channel_names if name in frame.channel_names]
    zoom = pictures.choose_zoom(frame.meta.shape[3:], settings.min_size_px, settings.max_size_px)
    images = [pictures.shrink(frame.channel(name), zoom) for name in names]
    if frame.meta.rgb and len(names) == 3:
        top = (
            255
            if frame.channel(names[0]).dtype == np.uint8
            else max(float(image.max()) for image in images)
        )
        return np.stack(images, -1).astype(np.float32) / max(top, 1), [
            ("as photographed", "#c9ccd3")
        ]
    limits = [pictures.contrast_limits(image, settings.percentiles) for image in images]
    colors = choose_colors(settings.channels, names)
    line = [
        (f"{name} {low:.4g} to {high:.4g}", color)
        for name, color, (low, high) in zip(names, colors, limits, strict=True)
    ]
    return pictures.composite(images, colors, limits), line


def choose_colors(channels: dict[str, Channel], names: list[str]) -> list[str]:
    """The config's colour, else one by role; markers take turns; a single channel is white."""
    if len(names) == 1:
        return [channels[names[0]].color or "#ffffff"]
    turns: Iterator[str] = iter(pictures.MARKERS * len(names))
    return [
        channels[n].color or pictures.BY_ROLE.get(channels[n].role) or next(turns) for n in names
    ]


def dim(picture: np.ndarray) -> np.ndarray:
    """A darker grey copy, on which outlines stand out."""
    grey = (
        picture.mean(axis=-1, keepdims=True)
        if picture.mean() > 0.4
        else picture.max(axis=-1, keepdims=True)
    )
    return np.repeat(grey * 0.7, 3, axis=-1)


def draw_objects(
    picture: np.ndarray, frame: Frame, job: Job, settings: Settings, zoom: float
) -> list[list[tuple[str, str]]]:
    """Outline labels, in the colours of their classes; one line a segment task for the caption."""
    tasks = [key.split(".")[1] for key in job.inputs if key.startswith("segment.")]
    classes = dict(find_classes(job))
    lines = []
    for number, task in enumerate(
        one for one in tasks if settings.outlines is None or one in settings.outlines
    ):
        labels = frame.labels(task)
        flat = pictures.fit(labels.max(axis=0) if labels.ndim == 3 else labels, zoom)
        by_label = classes.get(task, {})
        names = sorted(set(by_label.values()) - {NO_CLASS})
        palette = dict(zip(names, pictures.CLASSES * 4, strict=False)) | {NO_CLASS: "#ffffff"}
        default = pictures.PLAIN[number % len(pictures.PLAIN)]
        colors = {label: palette[name] for label, name in by_label.items()}
        pictures.draw_outlines(picture, flat, colors, default)
        found = list(by_label.values())
        counts = [
            (f"{name} {found.count(name)}", palette[name]) for name in palette if name in found
        ]
        lines.append(
            [(f"{task}: {np.count_nonzero(np.bincount(labels.ravel())[1:])}", default), *counts]
        )
    return lines


def find_classes(job: Job) -> Iterator[tuple[str, dict[int, str]]]:
    """Segment task -> class of each label, by the first classify task of its objects."""
    for key in reversed([key for key in job.inputs if key.startswith("classify.")]):
        measured = f"quantify.{read_statement(job.inputs[key])['objects']}"
        detected = f"detect.{read_statement(job.inputs[measured])['objects']}"
        table = read_table(job.inputs[key]).query("t == 0")
        yield (
            read_statement(job.inputs[detected])["labels"],
            dict(zip(table["label"], table["class"], strict=True)),
        )


def find_spots(job: Job) -> tuple[np.ndarray, list[list[tuple[str, str]]]]:
    """Positions (N, 2: y, x) of all spots, and a caption line a task."""
    points, lines = [np.empty((0, 2))], []
    for key in (key for key in job.inputs if key.startswith("detect.")):
        table = read_table(job.inputs[key]).query("t == 0")
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


def to_picture(array: np.ndarray):
    """(Y, X, 3), 0 to 1 -> Pillow."""
    from PIL import Image

    return Image.fromarray((np.clip(array, 0, 1) * 255).round().astype(np.uint8))
