"""Seam certificate: what looking at a slide block by block did to its objects at the borders of the blocks.

Two questions, asked of every slide that was cut into blocks. Objects that lie within one median diameter of a border:
are they as many for their area, and as large, as those in the strips beside (which are of the same tissue)? A cut object
counts twice and is smaller. And a sample window across the borders, looked at again with the grid shifted: does it give
the same foreground, and the same objects?
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..frames import Frame
from ..metrics import match
from ..settings import Method
from ..tiling import Window, within
from .blocks import Inside, Layout, Plane, answer_blocks

SAMPLE_PX = 768
FLANK = 3  # diameters: objects between one and so many from a border are what those at the border are compared with
Lines = tuple[np.ndarray, np.ndarray]  # where blocks meet, in y and in x
LEVEL_Z = 2.576  # 99 %: most slides are judged once, and few should be flagged by chance


@dataclass(frozen=True)
class Certificate:
    """What was found at the borders of the blocks; nothing where a number cannot be had."""

    limit: float
    passed: bool
    border_objects: int = 0
    interior_objects: int = 0
    density_ratio: float | None = None  # objects an area, at the border against beside it
    density_low: float | None = None  # of its 99 % interval
    area_ratio: float | None = None  # of the median areas
    area_high: float | None = None
    foreground_disagreement: float | None = None  # 1 - IoU of the sample
    object_f1: float | None = None
    window: tuple[int, int, int, int] | None = None  # of the sample: y0, x0, y1, x1 in the image

    def as_facts(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            key: round(value, 4) if isinstance(value, float) else value
            for key, value in asdict(self).items()
            if value is not None
        }


def certify(
    frame: Frame,
    method: Method,
    layout: Layout,
    plane: Plane,
    limit: float,
    inside: Inside | None = None,
) -> Certificate | None:
    """Examine a plane that was made of several blocks; None where there is no border."""
    lines = find_lines(layout)
    if not any(map(len, lines)):
        return None
    facts: dict[str, Any] = {}
    if plane.objects is not None and plane.kept.any():
        areas, centroids = plane.objects.areas[plane.kept], plane.objects.centroids[plane.kept]
        facts = compare_sides(centroids, areas, lines, layout.size)
    centroids = facts.pop("near", np.empty((0, 2)))
    sample = choose_sample(layout, lines, centroids)
    facts |= look_again(frame, method, layout, plane, sample, inside)
    return Certificate(limit, is_seamless(facts, limit), **facts)


def find_lines(layout: Layout) -> Lines:
    """Where blocks meet, in y and in x."""
    return tuple(np.arange(layout.tile, n, layout.tile) for n in layout.size)


def compare_sides(
    centroids: np.ndarray, areas: np.ndarray, lines: Lines, size: Sequence[int]
) -> dict[str, Any]:
    """Objects at the borders against those in the strips beside them."""
    reach = float(np.sqrt(4 / np.pi * np.median(areas)))
    distance = np.minimum(*(measure_distance(centroids[:, axis] + 0.5, lines[axis]) for axis in (0, 1)))  # fmt: skip
    near = distance <= reach
    beside = ~near & (distance <= FLANK * reach)
    n, m = int(near.sum()), int(beside.sum())
    found = {
        "border_objects": n, "interior_objects": int((~near).sum()), "near": centroids[near],
    }  # fmt: skip
    strips = [measure_strip(lines, size, width) for width in (reach, FLANK * reach)]
    if not (n and m and strips[1] > strips[0]):
        return found
    ratio = n / m * (strips[1] - strips[0]) / strips[0]
    low = ratio * np.exp(-LEVEL_Z * np.sqrt(1 / n + 1 / m))
    sizes, errors = zip(*(log_median(areas[side]) for side in (near, beside)), strict=True)
    change, error = sizes[0] - sizes[1], np.hypot(*errors)
    return found | {
        "density_ratio": ratio, "density_low": float(low),
        "area_ratio": float(np.exp(change)), "area_high": float(np.exp(change + LEVEL_Z * error)),
    }  # fmt: skip


def measure_distance(places: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """How far each place is from the nearest line."""
    if not len(lines):
        return np.full(len(places), np.inf)
    after = np.searchsorted(lines, places)
    sides = np.abs(lines[np.stack([after - 1, after]).clip(0, len(lines) - 1)] - places)
    return sides.min(axis=0)


def measure_strip(lines: Lines, size: Sequence[int], width: float) -> float:
    """Pixels that are no further than `width` from a border."""
    free = [
        np.count_nonzero(measure_distance(np.arange(n) + 0.5, at) > width)
        for n, at in zip(size, lines, strict=True)
    ]
    return float(np.prod(size) - np.prod(free))


def log_median(areas: np.ndarray) -> tuple[float, float]:
    """Logarithm of the median area, and its standard error."""
    logs = np.log(areas)
    return float(np.median(logs)), float(1.2533 * logs.std() / np.sqrt(len(logs)))


def choose_sample(layout: Layout, lines: Lines, centroids: np.ndarray) -> Window:
    """A window across borders: where most objects lie at one, else where borders cross, or the middle of one."""
    middle = [(at[len(at) // 2] if len(at) else n // 2) for at, n in zip(lines, layout.size, strict=True)]  # fmt: skip
    if len(centroids):
        bins = np.floor(centroids / SAMPLE_PX).astype(np.int64)
        _, owner, counts = np.unique(bins, axis=0, return_inverse=True, return_counts=True)
        middle = np.median(centroids[owner.ravel() == counts.argmax()], axis=0)
    window = []
    for at, wanted, n in zip(lines, middle, layout.size, strict=True):
        # half a block away from the grid where that is possible, so that no border is where it was
        near = at[np.abs(at - wanted).argmin()] if len(at) else wanted
        center = near if abs(near - wanted) < SAMPLE_PX else wanted
        start = int(np.clip(center - SAMPLE_PX // 2, 0, max(0, n - SAMPLE_PX)))
        start -= start % layout.align
        window.append(slice(start, min(start + SAMPLE_PX, n)))
    return tuple(window)


def look_again(
    frame: Frame,
    method: Method,
    layout: Layout,
    plane: Plane,
    sample: Window,
    inside: Inside | None,
) -> dict[str, Any]:
    """How a sample differs from what was found there, when it is looked at as a block of its own."""
    answer = layout.block(sample)[1]
    scale = [n / m for n, m in zip(frame.size, layout.size, strict=True)] * 2
    corners = (*(one.start for one in sample), *(one.stop for one in sample))
    shown = {"window": tuple(round(k * at) for k, at in zip(scale, corners, strict=True))}
    fresh, _ = next(answer_blocks(frame, method, [layout.block(sample)]))
    fresh, there = fresh[within(sample, answer)], plane.store[sample]
    if inside:
        fresh, there = (np.where(inside(sample), one, 0) for one in (fresh, there))
    if plane.objects is None:
        return shown | {"foreground_disagreement": float((fresh != there).mean())}
    # small ones included, which are dropped when all pieces are together
    there = plane.objects.number(np.ones(len(plane.objects.areas), bool))[there]
    either = np.count_nonzero((fresh > 0) | (there > 0))
    both = np.count_nonzero((fresh > 0) & (there > 0))
    return shown | {
        "foreground_disagreement": 1 - both / either if either else 0.0,
        "object_f1": match(there, fresh.astype(np.uint32)).f1,
    }


def is_seamless(facts: dict[str, Any], limit: float) -> bool:
    """Whether no number is beyond the limit (by more than chance, where objects are counted)."""
    return bool(
        facts["foreground_disagreement"] <= limit
        and facts.get("object_f1", 1.0) >= 1 - limit
        and facts.get("density_low", 1.0) <= 1 + limit
        and facts.get("area_high", 1.0) >= 1 - limit
    )
