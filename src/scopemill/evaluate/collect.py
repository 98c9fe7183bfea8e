"""Collect: manifests -> cases: what was annotated and what was found in a time point of an image."""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..images import Image
from ..manifests import Record, read_manifests, results_root
from ..settings import ConfigError
from ..tables import read_table

if TYPE_CHECKING:
    import pandas as pd


WHOLE = slice(None)
Read = Callable[..., np.ndarray]  # rows y, columns x; all when not given -> (Z, Y, X)
# rows of the table, shape of the image, window (y, x) -> what is true there
Draw = Callable[["pd.DataFrame", tuple[int, ...], tuple[slice, slice]], np.ndarray]


@dataclass(frozen=True)
class Case:
    """One time point of one image; arrays are read when they are asked for."""

    image: str
    t: int
    name: str  # the image, with the time point where there are several
    truth: Read
    predicted: Read
    picture: Path | None = None  # OME-TIFF of the image; none where it was lost
    shape: tuple[int, ...] = ()  # (Z, Y, X)


@dataclass
class Cases:
    """What can be compared, and what cannot."""

    scored: list[Case] = field(default_factory=list)
    missed: list[str] = field(
        default_factory=list
    )  # quarantined: all their objects count as missed
    not_scored: dict[str, str] = field(default_factory=dict)


def collect_cases(manifests: Sequence[Path], of: str, annotations: str, draw: Draw) -> Cases:
    """Cases of all images that have annotations and labels (or classes); `draw` makes pixels of annotations.

    `manifests` are of all tasks that led to the labels.
    """
    records = read_manifests(manifests)
    root = results_root(manifests[0])
    found, drawn = records.get(f"segment.{of}", {}), records.get(f"annotate.{annotations}", {})
    cases = Cases()
    for image, labels in found.items():
        annotated = drawn.get(image)
        lost = [] if labels.status == "ok" else find_quarantine(records, image)
        if annotated is None or annotated.status != "ok":
            cases.not_scored[image] = explain(annotated, lost)
        elif labels.status != "ok" and not lost:
            cases.not_scored[image] = f"no labels: {labels.message}"
        else:
            # leaving a lost image out would praise a method for what it could not do
            cases.missed += [image] if lost else []
            convert = records["convert"][image]
            cases.scored += make_cases(root, image, annotated, labels, convert, draw)
    if not cases.scored:
        reasons = "; ".join(dict.fromkeys(cases.not_scored.values()))
        raise ConfigError(
            f"evaluate: no image has both labels of segment.{of} and annotations of annotate.{annotations}: {reasons}"
        )
    return cases


def find_quarantine(records: dict[str, dict[str, Record]], image: str) -> list[str]:
    """Tasks that quarantined the image."""
    return [
        key
        for key, each in records.items()
        if image in each and each[image].status == "quarantined"
    ]


def explain(annotated: Record | None, lost: list[str]) -> str:
    """Why there is nothing to compare with."""
    if lost:
        return f"quarantined by {lost[0]}, and without annotations"
    return f"no annotations: {annotated.message}" if annotated else "no annotations"


def make_cases(
    root: Path, image: str, annotated: Record, labels: Record, convert: Record, draw: Draw
) -> Iterator[Case]:
    """A case for each time point that was annotated."""
    table = read_table(root / annotated.artifact)
    path = root / convert.artifact if convert.status == "ok" else None
    shape = find_shape(root, labels, path, table)
    times = sorted(set(table["t"]) - {-1}) or range(shape[0])
    outside = [t for t in times if t >= shape[0]]
    if outside:
        raise ConfigError(
            f"evaluate: {image} has annotations of time point {outside[0]}, there are {shape[0]}"
        )

    def predicted(t: int, y: slice = WHOLE, x: slice = WHOLE) -> np.ndarray:
        if labels.status != "ok":
            size = (len(range(*part.indices(n))) for part, n in zip((y, x), shape[2:], strict=True))
            return np.zeros((shape[1], *size), np.uint32)
        with Image(root / labels.artifact) as opened:
            return opened.stack(0, t, y, x)

    def truth(t: int, y: slice = WHOLE, x: slice = WHOLE) -> np.ndarray:
        return draw_truth(image, table, t, shape[1:], (y, x), draw)

    for t in times:
        name = image if shape[0] == 1 else f"{image} t{t}"
        yield Case(
            image, t, name, functools.partial(truth, t), functools.partial(predicted, t), path,
            shape[1:],
        )  # fmt: skip


def find_shape(
    root: Path, labels: Record, picture: Path | None, table: "pd.DataFrame"
) -> tuple[int, int, int, int]:
    """(T, Z, Y, X) of the labels; where there are none of the image, flat, or just what the annotations cover."""
    if labels.status != "ok" and picture is None:
        last = table[["t", "y1", "x1"]].max()
        return max(1, int(last["t"]) + 1), 1, int(np.ceil(last["y1"])), int(np.ceil(last["x1"]))
    with Image(root / labels.artifact if labels.status == "ok" else picture) as opened:
        t, _, z, y, x = opened.meta.shape
    return t, z if labels.status == "ok" else 1, y, x


def draw_truth(
    image: str,
    table: "pd.DataFrame",
    t: int,
    shape: tuple[int, ...],
    window: tuple[slice, slice],
    draw: Draw,
) -> np.ndarray:
    """Annotations of one time point in a window, as `draw` draws them, (Z, Y, X)."""
    from ..annotations.table import at_time

    rows = at_time(table, t)
    without = rows[rows["kind"].isin(["point", "line"])]
    if len(without):
        raise ConfigError(
            f"evaluate: {image} has {len(without)} annotations without an area ({without['kind'].iloc[0]}); "
            "labels can only be scored against masks, outlines and boxes"
        )
    flat = shape[1:] if shape[0] == 1 else shape
    try:
        drawn = draw(rows, flat, window)
    except ValueError as error:
        raise ConfigError(f"evaluate: {image}: {error}") from None
    return drawn.reshape(shape[0], *drawn.shape[-2:])
