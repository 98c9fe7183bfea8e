"""Work: a task + the facts of an image -> how much there is to read, to look at and to hold in memory."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt, prod
from pathlib import Path
from typing import Any

from ..blocks import BLOCK_VOXELS, GRID_PX
from ..settings import references
from ..tasks import Task
from .costs import REFERENCE_FLOP, Cost, find_cost
from .facts import Facts

ANY_CHANNELS = ("convert", "annotate", "qc")  # make something of every image
BAND_PX = 2048  # convert holds less than a square of this width
SEEN = (0.0625, 16.0)  # pixels that a network sees for one of the image, at least and at most
ESTIMATED = 2.0  # the same, where the size of objects is estimated in each image: rarely more
REFERENCE_WIDTH = 16
PATCHED = 1.3  # patches reach beyond the tissue


@dataclass(frozen=True)
class Work:
    """Numbers of pixels, values (pixels of all channels and planes) and objects."""

    values: float  # read
    pixels: float  # of what is made
    window_values: float  # in memory at once
    window: float
    objects: float = 0.0
    network: float = 0.0  # pixels that a network sees, times its size beside the reference network
    network_window: float = 0.0  # pixels that it sees, in memory at once
    network_width: float = 0.0  # beside the reference network
    blocks: int = 1


def cost_of(task: Task) -> Cost:
    """What a task's method takes."""
    return find_cost(task.stage, task.method.name if task.method else "", variant_of(task))


def variant_of(task: Task) -> str:
    """What of a task's settings makes it cheaper or dearer than others of its kind."""
    if task.stage == "convert":
        return "with stains" if getattr(task.settings, "stains", None) else ""
    if task.stage == "quantify":
        return "of areas" if task.settings.classes else ""
    own = task.method.settings if task.method else None
    if getattr(own, "channel", True) is None:
        return "without channel"
    return "without splitting" if getattr(own, "split_um", True) == 0 else ""


def channels_of(task: Task) -> tuple[str, ...]:
    """Channels (or stains) that a task's settings name; none means all."""
    found = [*references(task.settings), *(references(task.method.settings) if task.method else [])]
    return tuple(dict.fromkeys(name for kind, name, _ in found if kind == "channel"))


def applies(task: Task, tasks: Mapping[str, Task], facts: Facts) -> bool:
    """Whether an image has what a task needs; a name that is no channel of the study is a stain's."""
    if task.stage in ANY_CHANNELS or not facts.channels:
        return True
    known = tasks["convert"].settings.channels
    there = all(
        name in facts.channels or (name not in known and facts.rgb) for name in channels_of(task)
    )
    return there and all(applies(tasks[key], tasks, facts) for key in task.needs if key in tasks)


def is_stack(task: Task, tasks: Mapping[str, Task]) -> bool:
    """Whether a task looks at all planes, not at one that they were put together to."""
    if task.stage == "segment":
        return task.settings.z == "stack"
    if task.stage == "detect" and channels_of(task):
        return True
    return any(is_stack(tasks[key], tasks) for key in task.needs if key.startswith("segment."))


def measure_work(task: Task, tasks: Mapping[str, Task], facts: Facts) -> Work:
    """How much a task has to do with one image."""
    cost = cost_of(task)
    n_times, n_channels, n_planes, *size = facts.shape
    named = len(channels_of(task))
    n_channels = n_channels if task.stage in ANY_CHANNELS or not named else named
    depth = n_planes if is_stack(task, tasks) else 1
    block = block_width(task, cost, facts, depth)
    blocks = 1 if block is None else prod(-(-n // block) for n in size)
    window = prod(
        size if block is None else [min(n, round(block * (1 + cost.margin))) for n in size]
    )
    again = 1 + cost.margin * (blocks > 1)  # what neighbouring blocks both look at
    # planes are measured one by one, but are in memory together
    together = n_planes if task.stage == "quantify" else depth
    patches = patch_share(task, facts) if task.stage == "patch" else 1.0
    sight = look_up_network(task, facts)
    return Work(
        values=n_times * n_channels * n_planes * facts.plane * patches,
        pixels=n_times * depth * facts.plane * again,
        window_values=window * n_channels * together,
        window=window * depth,
        objects=n_times * facts.objects,
        network=n_times * depth * facts.plane * sight.seen * sight.size * again,
        network_window=window * depth * sight.at_most,
        network_width=sight.width,
        blocks=blocks,
    )


def patch_share(task: Task, facts: Facts) -> float:
    """Pixels of all patches, for a pixel of the image: they overlap, and are cut where there is tissue."""
    own = task.settings
    zoom = facts.um_per_px / own.pixel_size_um if own.pixel_size_um and facts.um_per_px else 1.0
    overlap = own.patch_size_px / max(1, own.patch_size_px - own.overlap_px)
    share = 1.0 if facts.tissue is None or own.foreground == "all" else facts.tissue
    return (zoom * overlap) ** 2 * min(1.0, PATCHED * share)


def block_width(task: Task, cost: Cost, facts: Facts, depth: int) -> int | None:
    """How wide the blocks are in which an image is looked at; None where it is looked at whole."""
    if task.stage == "segment":  # a method says so itself; stacks are looked at whole
        flat = depth == 1 and hasattr(task.method.module, "margin_px")
        return task.settings.tile_px if flat else None
    if task.stage == "convert":
        return None if facts.pieces == "plane" else BAND_PX
    side = isqrt(BLOCK_VOXELS // depth)
    return max(GRID_PX, side // GRID_PX * GRID_PX) if cost.blockwise else None


@dataclass(frozen=True)
class Sight:
    """How a network sees an image; nothing of it where a task has no network."""

    seen: float = 0.0  # pixels for a pixel of the image
    at_most: float = 0.0  # where that is estimated in each image
    size: float = 0.0  # its arithmetic beside the reference network's
    width: float = 0.0  # its channels beside the reference network's


def look_up_network(task: Task, facts: Facts) -> Sight:
    """How a segment task's network sees an image."""
    own = task.method.settings if task.method else None
    folder = getattr(own, "model", None)
    if folder is None or task.stage != "segment":
        return Sight()
    described = read_network(folder)
    if described is None:
        return Sight(1.0, ESTIMATED, 1.0, 1.0)
    wanted, known = described.pixel_size_um, described.object_diameter_px
    size = count_flop(described.architecture) / REFERENCE_FLOP
    width = described.architecture.get("width", REFERENCE_WIDTH) / REFERENCE_WIDTH
    if known and getattr(own, "diameter_um", None):
        zoom = known * (facts.um_per_px or 1.0) / own.diameter_um
    elif wanted and facts.um_per_px:
        zoom = facts.um_per_px / wanted
    else:
        return Sight(1.0, ESTIMATED if known else 1.0, size, width)
    seen = min(max(zoom**2, SEEN[0]), SEEN[1])
    return Sight(seen, seen, size, width)


@functools.cache
def read_network(folder: str) -> Any:
    """The description in a model folder; None where there is none yet."""
    from ..models.description import read_description

    try:
        return read_description(Path(folder))
    except (ValueError, OSError):
        return None


def count_flop(architecture: Mapping[str, Any]) -> float:
    """Floating-point operations of a U-Net for a pixel that it sees; of another network, the reference's."""
    if architecture.get("name") != "unet":
        return REFERENCE_FLOP
    width, depth = architecture.get("width", 32), architecture.get("depth", 4)
    dims = architecture.get("dims", 2)
    taps, shrink = 3**dims, 2**dims
    widths = [width * 2**level for level in range(depth + 1)]
    before = [architecture["in_channels"], *widths[:-1]]
    encoder = sum(
        taps * (b * w + w * w) / shrink**level
        for level, (b, w) in enumerate(zip(before, widths, strict=True))
    )
    decoder = sum(
        (widths[level + 1] * widths[level] + taps * 3 * widths[level] ** 2) / shrink**level
        for level in range(depth)
    )
    return 2 * (encoder + decoder + width * architecture["out_channels"])
